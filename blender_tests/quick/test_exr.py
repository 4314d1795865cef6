# SPDX-License-Identifier: GPL-3.0-or-later
"""Float pictures: another reader sees the same numbers, and damaged or hostile files are refused."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from facedetail_addon.core.io.exr import exr_bytes, is_zero, read_exr, write_exr

KINDS = {
    "waves": lambda rng: np.sin(np.arange(48 * 64, dtype=np.float32) / 9).reshape(48, 64),
    "noise, which cannot be made smaller": lambda rng: rng.normal(0, 1, (33, 70)).astype(np.float32),
    "steps": lambda rng: np.round(8 * np.sin(np.arange(48 * 64, dtype=np.float32) / 99)).reshape(48, 64) / 8,
    "zeros": lambda rng: np.zeros((16, 16), np.float32),
    "one pixel": lambda rng: np.full((1, 1), -1.25, np.float32),
    "one row too many": lambda rng: rng.integers(-3, 3, (17, 5)).astype(np.float32),
    "extremes": lambda rng: np.float32([[0, -0.0, 1e-45, -1e-30], [3.4e38, -3.4e38, 1 / 3, np.pi]]),
}
# OpenCV's reader must be allowed before the first picture of a process.
OTHER_READER = """
import os, sys
os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
import cv2, numpy as np
for path in sys.argv[1:]:
    np.save(path + ".npy", cv2.imread(path, cv2.IMREAD_UNCHANGED))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict:
    """Of each kind the picture, and its file with what OpenCV reads in it beside."""
    folder = tmp_path_factory.mktemp("exr")
    pictures = {}
    for number, (kind, make) in enumerate(KINDS.items()):
        image, path = make(np.random.default_rng(number)), folder / f"{number}.exr"
        write_exr(path, image)
        pictures[kind] = image, path
    paths = [str(path) for _, path in pictures.values()]
    subprocess.run([sys.executable, "-c", OTHER_READER, *paths], check=True, timeout=60)
    return pictures


@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_comes_back(written, kind):
    image, path = written[kind]
    back = read_exr(path, image.shape)
    assert back.dtype == np.float32 and back.tobytes() == image.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_another_reader_sees_the_same(written, kind):
    image, path = written[kind]
    np.testing.assert_array_equal(np.load(f"{path}.npy").reshape(image.shape), image)


def test_smooth_pictures_become_small(tmp_path):
    write_exr(tmp_path / "flat.exr", np.zeros((512, 512), np.float32))
    assert (tmp_path / "flat.exr").stat().st_size < 512 * 512 * 4 / 100


@pytest.fixture
def good(written, tmp_path):
    image, source = written["steps"]
    path = tmp_path / "good.exr"
    path.write_bytes(source.read_bytes())
    return image, path


def test_other_sizes_are_refused_before_anything_is_read(good):
    image, path = good
    for shape in ((64, 48), (48, 65), (1, 1), (1_000_000, 1_000_000)):
        with pytest.raises(ValueError, match="pixels"):
            read_exr(path, shape)


def swap(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) == 1
    return data.replace(old, new)


def table_at(data: bytes) -> int:
    """Where the places of the blocks begin: behind the last attribute's value and the header's end."""
    last = b"screenWindowWidth\0float\0"
    return data.index(last) + len(last) + 4 + 4 + 1


def with_places(data: bytes, *places: int) -> bytes:
    at = table_at(data)
    return data[:at] + struct.pack(f"<{len(places)}Q", *places) + data[at + 8 * len(places) :]


def with_first_block(data: bytes, row: int, content: bytes) -> bytes:
    """The first block made another, at the end of the file."""
    return with_places(data, len(data)) + struct.pack("<ii", row, len(content)) + content


FIRST_ROWS = 16 * 64 * 4  # bytes of a block of the picture, 64 wide and 48 high
HOSTILE = {
    "empty": lambda data: b"",
    "a PNG": lambda data: b"\x89PNG\r\n\x1a\n" + bytes(500),
    "tiles": lambda data: data[:5] + b"\x02" + data[6:],
    "header cut": lambda data: data[:60],
    "no blocks": lambda data: data[: table_at(data)],
    "half": lambda data: data[: len(data) // 2],
    "last byte missing": lambda data: data[:-1],
    "endless header": lambda data: data[:8] + b"a\0int\0\4\0\0\0\0\0\0\0" * 10_000,
    "another compression": lambda data: swap(data, b"compression\0\1\0\0\0\3", b"compression\0\1\0\0\0\4"),
    "half floats": lambda data: swap(data, b"Y\0\2\0\0\0", b"Y\0\1\0\0\0"),
    "two channels": lambda data: swap(data, b"chlist\0\x13\0\0\0", b"chlist\0\x25\0\0\0Z\0" + bytes(16)),
    "an attribute of gigabytes": lambda data: swap(data, b"chlist\0\x13\0\0\0", b"chlist\0\x13\0\0\x7f"),
    "a negative length": lambda data: swap(data, b"chlist\0\x13\0\0\0", b"chlist\0\xff\xff\xff\xff"),
    "no data window": lambda data: swap(data, b"dataWindow", b"dataWindoW"),
    "huge data window": lambda data: data.replace(struct.pack("<i", 63), struct.pack("<i", 2**31 - 1)),
    "a place outside": lambda data: with_places(data, 2**64 - 1),
    "one block for all": lambda data: with_places(data, *struct.unpack_from("<Q", data, table_at(data)) * 3),
    "a row outside": lambda data: with_first_block(data, -16, bytes(FIRST_ROWS)),
    "a short block": lambda data: with_first_block(data, 0, zlib.compress(bytes(FIRST_ROWS - 4))),
    "a long block": lambda data: with_first_block(data, 0, zlib.compress(bytes(FIRST_ROWS + 4))),
    "a bomb": lambda data: with_first_block(data, 0, zlib.compress(bytes(3_000_000))),
    "no block": lambda data: with_first_block(data, 0, b""),
    "noise for a block": lambda data: with_first_block(data, 0, bytes(range(200))),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file(good, case):
    image, path = good
    path.write_bytes(HOSTILE[case](path.read_bytes()))
    with pytest.raises(ValueError, match="^(it|its|a block)"):
        read_exr(path, image.shape)


def test_plain_blocks_are_read(good):
    """The helper of the cases above makes blocks that would be read, were they not wrong."""
    image, path = good
    path.write_bytes(with_first_block(path.read_bytes(), 0, np.full(16 * 64, 2, "<f4").tobytes()))
    back = read_exr(path, image.shape)
    assert (back[:16] == 2).all()
    np.testing.assert_array_equal(back[16:], image[16:])


def test_damage_never_gives_another_error(good):
    image, path = good
    whole = path.read_bytes()
    rng = np.random.default_rng(8)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for position in rng.integers(0, len(data), 3):
            data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            assert read_exr(path, image.shape).shape == image.shape
        except ValueError:
            refused += 1
    assert refused > 250


@pytest.mark.parametrize("place", [None, (0, 0), (36, 63), (20, 5)])
def test_zero_is_told_without_a_picture(place):
    image = np.zeros((37, 64), np.float32)
    if place:
        image[place] = -1e-6
    assert is_zero(exr_bytes(image), image.shape) is (place is None)
    with pytest.raises(ValueError, match="37 by"):
        is_zero(exr_bytes(image), (64, 37))
