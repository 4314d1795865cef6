# SPDX-License-Identifier: GPL-3.0-or-later
"""HEIC, the photos of iPhones: Pillow reads them by the package pi-heif, which may be missing."""

from pathlib import Path
from typing import BinaryIO

from ..errors import PhotoError

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_ANY_CODEC = (b"mif1", b"mif2", b"msf1")


def require_heif_reader(stream: BinaryIO, path: Path) -> None:
    """Let Pillow read HEIC where a file is one; the stream is left at its start.

    Raises:
        PhotoError: it is one, and pi-heif is missing.
    """
    head = stream.read(256)
    stream.seek(0)
    if not _is_heif(head):
        return
    try:
        from pi_heif import register_heif_opener

        register_heif_opener(thumbnails=False)  # here it fails where the package is there and its library is not
    except ImportError as error:
        raise PhotoError(
            f"{path} is a HEIC photo, and the Python package pi-heif, which reads it, is missing.",
            "Install it with pip, or save the photo as JPEG: on an iPhone choose Settings, Camera, Formats, Most "
            "Compatible, or send the photo by e-mail.",
        ) from error


def _is_heif(head: bytes) -> bool:
    if head[4:8] != b"ftyp":
        return False
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brand, compatible = head[8:12], {head[at : at + 4] for at in range(16, size, 4)}
    return brand in _BRANDS or (brand in _ANY_CODEC and b"avif" not in compatible)
