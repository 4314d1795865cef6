# SPDX-License-Identifier: GPL-3.0-or-later
"""Download one file whose size and SHA-256 are known: resumed, verified, whole or not there at all.

Nothing here asks for consent: who calls has asked, and says by ``online`` whether the network may be used. The server
is not trusted: a body of another size is refused before or while it arrives, and only the hash makes a file ours.
"""

import errno
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import AssetError, FaceDetailError
from .shipped import sha256 as hash_of

PART_SUFFIX = ".part"
_CHUNK = 1 << 16
_SILENCE_S = 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DownloadCancelled(FaceDetailError):
    """The user stopped a download; what has arrived is kept."""

    code = "cancelled"


def fetch(
    url: str,
    target: Path,
    *,
    size: int,
    sha256: str,
    online: bool,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Path:
    """Download a file, or finish an unfinished download of it.

    What arrives goes to ``<target>.part`` and becomes the target, by renaming, once its hash is right. A part file
    stays after a cancelled or broken download and is continued by the next one.

    Args:
        url: http or https. target: the file to make; missing folders are made too. One that is right already is kept.
        size: bytes. sha256: hexadecimal.
        online: whether the network may be used.
        progress: called with the bytes there are and ``size``; an exception it raises stops the download.
        cancelled: asked before each piece; true stops the download.

    Returns:
        The target.

    Raises:
        AssetError: no network, or none allowed; no such file there, or another one (by size or hash; the part file is
            removed then); no room on the disk. DownloadCancelled: ``cancelled`` said so.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not an address of the web: {url!r}")
    if is_exactly(target, size, sha256):
        return target
    if not online:
        raise AssetError(
            f"{target.name} is not downloaded, because Blender may not use the network.",
            "Switch on “Allow Online Access” in Blender's preferences (System, Network), or download "
            f"{url} on another computer and install that file.",
        )
    part = target.with_name(target.name + PART_SUFFIX)
    try:
        start = _room_for(part, size)
        if start < size:
            _receive(url, part, start, size, progress, cancelled)
        if hash_of(part) != sha256:
            part.unlink()
            raise AssetError(
                f"What {url} gave is not the file that FaceDetail knows: its SHA-256 differs. It was removed.",
                "Download again; if that fails too, the file there has changed: look for a newer FaceDetail.",
            )
        os.replace(part, target)
    except OSError as error:
        raise _disk_error(target, size, error) from error
    return target


def is_exactly(path: Path, size: int, sha256: str) -> bool:
    """Whether a regular file of that size and hash is there."""
    return path.is_file() and path.stat().st_size == size and hash_of(path) == sha256


def _room_for(part: Path, size: int) -> int:
    """How many bytes of the part file can be continued, after a check that the rest fits on the disk."""
    part.parent.mkdir(parents=True, exist_ok=True)
    start = part.stat().st_size if part.is_file() else 0
    if start > size:
        part.unlink()
        start = 0
    if shutil.disk_usage(part.parent).free < size - start:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return start


def _receive(
    url: str, part: Path, start: int, size: int,
    progress: Callable[[int, int], None], cancelled: Callable[[], bool],
) -> None:  # fmt: skip
    """Write the bytes from ``start`` on, or all where the server knows no ranges."""
    with _open(url, part, start) as response:
        begins = _first_byte(response, start, size)
        if begins is None:
            raise _other_file(url, part, f"the server offers another part or size than asked for, {size} bytes in all")
        done = begins
        with open(part, "ab" if begins else "wb") as stream:
            progress(done, size)
            for chunk in _chunks(response, url, cancelled):
                done += len(chunk)
                if done > size:
                    break
                stream.write(chunk)
                progress(done, size)
    if done > size:
        raise _other_file(url, part, f"it gives more than {size} bytes")
    if done < size:
        raise _lost(url, f"it ended after {done} of {size} bytes")


def _open(url: str, part: Path, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "FaceDetail"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_SILENCE_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _other_file(url, part, f"it has no byte {start}") from error
        raise AssetError(
            f"The server does not give {url}: {error.code} {error.reason}.",
            "Try again later, or look for the file elsewhere and install it from a file.",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _lost(url, str(getattr(error, "reason", error))) from error


def _first_byte(response: http.client.HTTPResponse, start: int, size: int) -> int | None:
    """Where the answer begins: at ``start``, or at 0 where the server knows no ranges; None for another file."""
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return start if found and int(found[1]) == start and found[2] in (str(size), "*") else None
    return 0 if response.headers.get("Content-Length", str(size)) == str(size) else None


def _chunks(response: http.client.HTTPResponse, url: str, cancelled: Callable[[], bool]) -> Iterator[bytes]:
    """The body in pieces as they arrive; OSError never leaves, so that what does is the disk's."""
    while True:
        if cancelled():
            raise DownloadCancelled(
                f"The download of {url} was cancelled.", "Download again; it continues where it stopped."
            )
        try:
            chunk = response.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _lost(url, str(error)) from error
        if not chunk:
            return
        yield chunk


def _lost(url: str, reason: str) -> AssetError:
    return AssetError(
        f"The download of {url} failed: {reason}.",
        "Check the connection and download again; it continues where it stopped. Or download the file with a browser "
        "and install it from there.",
    )


def _other_file(url: str, part: Path, reason: str) -> AssetError:
    part.unlink(missing_ok=True)
    return AssetError(
        f"{url} is not the file that FaceDetail knows: {reason}.",
        "Download again; if that fails too, the file there has changed: look for a newer FaceDetail.",
    )


def _disk_error(target: Path, size: int, error: OSError) -> AssetError:
    return AssetError(
        f"{target} cannot be written: {error.strerror or error}.",
        f"Free {size / 1e6:.0f} MB on that disk and make sure that you may write to {target.parent}; then try again.",
    )
