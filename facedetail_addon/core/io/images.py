# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as files of a result folder, sizes judged before anything is decoded."""

from pathlib import Path

import cv2
import numpy as np

from ..errors import OutputError

REMEDY = "Reconstruct the photo again, or choose a folder that FaceDetail wrote."
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"
_PNG_SETTINGS = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
"""With differences of neighbours and no level: maps take a third of the time of level 2 and are a little smaller."""
_MAX_SIDE = 16384


def write_png(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 3) RGB or (H, W), uint8 or uint16. OSError when it cannot be written."""
    path.write_bytes(png_bytes(image))  # OpenCV's own writer fails on names outside the code page on Windows


def png_bytes(image: np.ndarray) -> bytes:
    """The file that :func:`write_png` writes. OSError when the picture cannot be encoded."""
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", stored, _PNG_SETTINGS)
    if not done:
        raise OSError("a picture cannot be encoded as PNG")
    return data.tobytes()


def png_size(data: bytes) -> tuple[int, int]:
    """(H, W) of a PNG; width and height stand at a fixed place in the first chunk.

    Raises:
        ValueError: it is none, or larger than 16384 pixels a side.
    """
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if not data.startswith(_PNG_BEGIN) or not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ValueError("it is not a PNG of a usable size")
    return height, width


def read_png(path: Path) -> np.ndarray:
    """(H, W, 3) RGB or (H, W), uint8 or uint16.

    Raises:
        OutputError: missing, damaged, not a PNG of those kinds, or larger than 16384 pixels a side.
    """
    try:
        data = path.read_bytes()
        return decode_png(data)
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}.", REMEDY) from error
    except ValueError as error:
        raise OutputError(f"{path} cannot be used: {error}.", REMEDY) from error


def decode_png(data: bytes) -> np.ndarray:
    """(H, W, 3) RGB or (H, W), uint8 or uint16, of a file's content.

    Raises:
        ValueError: damaged, not a PNG of those kinds, or larger than 16384 pixels a side.
    """
    png_size(data)  # refuses a bomb before it is decoded
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype not in (np.uint8, np.uint16) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError("it is damaged or of another kind")
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def write_hdr(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 3) float32 linear RGB as Radiance HDR. OSError when it cannot be written."""
    done, data = cv2.imencode(".hdr", np.ascontiguousarray(image[..., ::-1], np.float32))
    if not done:
        raise OSError(f"{path.name} cannot be encoded")
    path.write_bytes(data)
