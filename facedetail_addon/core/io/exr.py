# SPDX-License-Identifier: GPL-3.0-or-later
"""One-channel float pictures as OpenEXR files.

OpenCV's own codec is switched off unless a variable is set before anything in the process first asks for it, and the
reason is that it is not safe with damaged files. One kind of file is enough here: scan lines, one float channel, ZIP
(https://openexr.com/en/latest/OpenEXRFileLayout.html). Reading refuses every other kind.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_MAGIC_AND_VERSION = struct.pack("<ii", 20000630, 2)
_CHANNEL = b"Y"  # luminance: shown as grey
_FLOAT, _ZIP, _INCREASING_Y = 2, 3, 0
_ROWS = 16  # of one ZIP block
_LEVEL = 1  # a tenth larger than level 4, in two thirds of the time
_MAX_ATTRIBUTES, _MAX_ATTRIBUTE_BYTES = 100, 4096
_BIAS = np.uint8(128)


def write_exr(path: Path, image: np.ndarray) -> None:
    """Write (H, W) float32, every value exactly; other programs show it as grey. OSError when it cannot be written."""
    path.write_bytes(exr_bytes(image))


def exr_bytes(image: np.ndarray) -> bytes:
    """The file that :func:`write_exr` writes, of (H, W) float32."""
    header = _header(image.shape)
    blocks = [_block(image, row) for row in range(0, image.shape[0], _ROWS)]
    ends = len(header) + 8 * len(blocks) + np.cumsum([0] + [len(block) for block in blocks], dtype=np.uint64)
    return b"".join([header, ends[:-1].astype("<u8").tobytes(), *blocks])


def read_exr(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read a file of the kind that :func:`write_exr` writes.

    Args:
        shape: (H, W) that it must have; a file that claims another size is refused before memory is asked for.

    Returns:
        (H, W) float32.

    Raises:
        OSError: it cannot be read. ValueError: it is damaged, of another kind or of another size.
    """
    if path.stat().st_size > _largest(shape):
        raise ValueError(f"it is too large for {shape[1]} by {shape[0]} pixels")
    data = path.read_bytes()
    try:
        return _decoded(data, shape)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"it is damaged ({error})") from error


def _largest(shape: tuple[int, int]) -> int:
    """Bytes of a file whose blocks could not be made smaller, with the longest header."""
    blocks = -(-shape[0] // _ROWS)
    return 4 * shape[0] * shape[1] + 16 * blocks + _MAX_ATTRIBUTES * (_MAX_ATTRIBUTE_BYTES + 600)


def _header(shape: tuple[int, int]) -> bytes:
    box = struct.pack("<4i", 0, 0, shape[1] - 1, shape[0] - 1)
    attributes = (
        ("channels", "chlist", _CHANNEL + b"\0" + struct.pack("<i4xii", _FLOAT, 1, 1) + b"\0"),
        ("compression", "compression", bytes([_ZIP])),
        ("dataWindow", "box2i", box),
        ("displayWindow", "box2i", box),
        ("lineOrder", "lineOrder", bytes([_INCREASING_Y])),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
    )
    packed = (f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value for name, kind, value in attributes)
    return _MAGIC_AND_VERSION + b"".join(packed) + b"\0"


def _block(image: np.ndarray, row: int) -> bytes:
    """First row, length and bytes of up to 16 rows: low and high bytes apart, differences of neighbours, deflated."""
    plain = np.frombuffer(image[row : row + _ROWS].astype("<f4").tobytes(), np.uint8)
    apart = np.concatenate([plain[0::2], plain[1::2]])
    apart[1:] = apart[1:] - apart[:-1] + _BIAS
    data = zlib.compress(apart, _LEVEL)
    if len(data) >= plain.size:
        data = plain.tobytes()  # readers know it by its length
    return struct.pack("<ii", row, len(data)) + data


def is_zero(data: bytes, shape: tuple[int, int]) -> bool:
    """Whether all pixels of a file that :func:`write_exr` wrote are zero. Pixels are read up to the first that is not.

    Args:
        data: the file's content. shape: (H, W) that it must have.

    Raises:
        ValueError: as of :func:`read_exr`.
    """
    try:
        return not any(block.any() for _, block in _blocks(data, shape, _read_header(data, shape)))
    except (struct.error, zlib.error) as error:
        raise ValueError(f"it is damaged ({error})") from error


def _decoded(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    at = _read_header(data, shape)  # before memory is asked for
    image = np.empty(shape, np.float32)
    for row, block in _blocks(data, shape, at):
        image[row : row + _ROWS] = block
    return image


def _blocks(data: bytes, shape: tuple[int, int], at: int) -> Iterator[tuple[int, np.ndarray]]:
    """First row, and (16 or fewer, W) float32, of one block after the other; their table begins at ``at``."""
    height, width = shape
    packed = []
    for number, offset in enumerate(struct.unpack_from(f"<{-(-height // _ROWS)}Q", data, at)):
        size = 4 * width * min(_ROWS, height - number * _ROWS)
        if offset > len(data):
            raise ValueError("it is cut short")
        row, length = struct.unpack_from("<ii", data, offset)
        if row != number * _ROWS or not 0 < length <= min(size, len(data) - offset - 8):
            raise ValueError("it is cut short or its blocks are out of order")
        packed.append((row, offset + 8, length, size))
    for row, begin, length, size in packed:
        yield row, _inflated(data[begin : begin + length], size).view("<f4").reshape(-1, width)


def _inflated(data: bytes, size: int) -> np.ndarray:
    """(size,) uint8: the plain bytes of a block."""
    if len(data) == size:
        return np.frombuffer(data, np.uint8)
    inflater = zlib.decompressobj()
    found = inflater.decompress(data, size + 1)  # never more, whatever the block claims
    if len(found) != size or not inflater.eof:  # at the end the checksum has been compared
        raise ValueError("a block is too short or too long")
    apart = np.frombuffer(found, np.uint8).copy()
    apart[1:] -= _BIAS
    apart = np.cumsum(apart, dtype=np.uint8)
    plain = np.empty(size, np.uint8)
    plain[0::2], plain[1::2] = apart[: size // 2], apart[size // 2 :]
    return plain


def _read_header(data: bytes, shape: tuple[int, int]) -> int:
    """Check the header; where the table of blocks begins."""
    if data[: len(_MAGIC_AND_VERSION)] != _MAGIC_AND_VERSION:
        raise ValueError("it is no OpenEXR file, or one of several parts or tiles")
    found: dict[bytes, bytes] = {}
    at = len(_MAGIC_AND_VERSION)
    for _ in range(_MAX_ATTRIBUTES):
        if data[at : at + 1] == b"\0":
            break
        name, at = _text(data, at)
        _, at = _text(data, at)
        (length,) = struct.unpack_from("<i", data, at)
        if not 0 <= length <= _MAX_ATTRIBUTE_BYTES:
            raise ValueError("its header is damaged")
        found[name] = data[at + 4 : at + 4 + length]
        at += 4 + length
    else:
        raise ValueError("its header does not end")
    window = struct.unpack("<4i", found.get(b"dataWindow", b""))
    if window != (0, 0, shape[1] - 1, shape[0] - 1):
        raise ValueError(f"it is not {shape[1]} by {shape[0]} pixels")
    channels = found.get(b"channels", b"")
    one_float = channels.find(b"\0") > 0 and channels.split(b"\0", 1)[1] == struct.pack("<i4xii", _FLOAT, 1, 1) + b"\0"
    if not one_float or found.get(b"compression") != bytes([_ZIP]) or found.get(b"lineOrder") != bytes([0]):
        raise ValueError("it is not one float channel with ZIP compression")
    return at + 1


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    """The bytes up to the next zero, and where they end."""
    end = data.find(b"\0", at, at + 256)
    if end < 0:
        raise ValueError("its header is damaged")
    return data[at:end], end + 1
