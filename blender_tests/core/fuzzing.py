# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged files for a reader, one after the other, in a process of its own: ``fuzzing.py READER SEEDS SECONDS FIRST``.

SEEDS is a folder of good files, or of folders of them. Any error but ours ends the process with a trace; a reader that
does not come back within ``CASE_S`` ends it too, whatever it is doing. The damaged file stays in SEEDS.
"""

import faulthandler
import json
import os
import resource
import shutil
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np

from facedetail_addon.core.errors import FaceDetailError, FaceModelError, PhotoError

CASE_S = 30
LEAST_CASES = 3
"""However slow the machine is at the moment."""
MOST_BYTES = 6 << 30
"""Of address space; a reader that asks for more gets no memory."""
_HUGE = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_TOKENS = (b"nan", b"-inf", b"1e999", b"-1", b"0", b"99999999999999999999", b"1//", b"//", b"\xff\xfe", b"", b"f", b"v")
_PNG = b"\x89PNG\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_HEADER_BYTES = 512

Rng = np.random.Generator


def damaged(content: bytes, rng: Rng) -> bytes:
    """The content with one to four defects; every other time with what guards it (CRCs) made good again."""
    if content.startswith(_ZIP) and rng.integers(4):
        return _damaged_inside(content, rng)
    data = _damaged_bytes(content, rng)
    return _with_right_crcs(data) if data.startswith(_PNG) and rng.integers(2) else data


def _damaged_bytes(content: bytes, rng: Rng) -> bytes:
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        _DEFECTS[rng.integers(len(_DEFECTS))](data, rng)
    return bytes(data)


def _place(data: bytearray, rng: Rng) -> int:
    """Where headers are, half of the time."""
    return int(rng.integers(min(len(data), _HEADER_BYTES) if rng.integers(2) else len(data)))


def _truncate(data: bytearray, rng: Rng) -> None:
    del data[max(1, _place(data, rng)) :]


def _flip(data: bytearray, rng: Rng) -> None:
    for _ in range(rng.integers(1, 9)):
        data[_place(data, rng)] = rng.integers(256)


def _huge_number(data: bytearray, rng: Rng) -> None:
    at, value = _place(data, rng), _HUGE[rng.integers(len(_HUGE))]
    code = ("<I", ">I", "<H", ">H", "<Q")[rng.integers(5)]
    number = struct.pack(code, value & ((1 << 8 * struct.calcsize(code)) - 1))
    data[at : at + len(number)] = number


def _splice(data: bytearray, rng: Rng) -> None:
    """A piece of the file over, or between, other bytes of it."""
    start, length, at = _place(data, rng), int(rng.integers(1, 200)), _place(data, rng)
    piece = data[start : start + length]
    data[at : at + (len(piece) if rng.integers(2) else 0)] = piece


def _delete(data: bytearray, rng: Rng) -> None:
    at = _place(data, rng)
    if len(data) > 300:
        del data[at : at + int(rng.integers(1, 200))]


def _other_word(data: bytearray, rng: Rng) -> None:
    start = data.find(b" ", _place(data, rng)) + 1
    end = min((found for mark in (b" ", b"\n", b"/") if (found := data.find(mark, start)) >= 0), default=start)
    data[start:end] = _TOKENS[rng.integers(len(_TOKENS))]
    data.extend(b"\n" if not data else b"")


_DEFECTS: tuple[Callable[[bytearray, Rng], None], ...] = (
    _truncate, _flip, _flip, _huge_number, _huge_number, _splice, _delete, _other_word
)  # fmt: skip


def _damaged_inside(content: bytes, rng: Rng) -> bytes:
    """A zip one of whose members is damaged, packed again so that sizes and CRCs agree."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    name = list(members)[rng.integers(len(members))]
    members[name] = _damaged_bytes(members[name], rng)
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return out.getvalue()


def _with_right_crcs(data: bytes) -> bytes:
    out, at = bytearray(data), len(_PNG)
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 8 + length
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


def read_photo_file(path: Path) -> None:
    """Read a photo; what comes back must be one."""
    from facedetail_addon.core.observe.photo import MAX_SIDE, read_photo

    try:
        pixels = read_photo(path).pixels
    except PhotoError as error:
        _require_help(error, path)
        return
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert 1 <= min(pixels.shape[:2]) and max(pixels.shape) <= MAX_SIDE


def read_model_file(path: Path) -> None:
    """Read a face model; it checks itself."""
    from facedetail_addon.core.model_import.importers.read import read_external_model

    try:
        model = read_external_model(path, lambda text, done: None)
    except FaceModelError as error:
        _require_help(error, path)
        return
    assert np.isfinite(model.mean).all() and np.isfinite(model.identity_basis).all()


def _require_help(error: FaceDetailError, path: Path) -> None:
    # One of several files may be the damaged one.
    assert error.remedy and str(path.parent) in error.message, error.message


READERS = {"photo": read_photo_file, "model": read_model_file}


def main(reader: str, seeds: str, seconds: str, first: str) -> int:
    """Prints one line of JSON: how many cases, the slowest in seconds, the most memory in bytes."""
    read, sources = READERS[reader], sorted(Path(seeds).iterdir())
    work = Path(seeds) / "damaged"
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    end, number, slowest = time.monotonic() + float(seconds), int(first), 0.0
    for source in sources:
        read(_model_in(source))
    while time.monotonic() < end or number - int(first) < LEAST_CASES:
        source = sources[number % len(sources)]
        path = _write_case(source, work, np.random.default_rng(number))
        (work / "number").write_text(str(number))
        faulthandler.dump_traceback_later(CASE_S, exit=True)
        start = time.monotonic()
        read(path)
        slowest = max(slowest, time.monotonic() - start)
        faulthandler.cancel_dump_traceback_later()
        number += 1
    # Not getrusage, which begins with what the parent process had.
    lines = Path("/proc/self/status").read_text().splitlines()
    most = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    json.dump({"cases": number - int(first), "slowest_s": round(slowest, 2), "most_bytes": most}, sys.stdout)
    return 0


def _write_case(source: Path, work: Path, rng: Rng) -> Path:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    target = work / source.name
    if source.is_file():
        target.write_bytes(damaged(source.read_bytes(), rng))
        os.utime(target, (0, 0))  # photos just written are waited for
        return target
    shutil.copytree(source, target)
    files = sorted(target.iterdir())
    hit = files[rng.integers(len(files))]
    hit.write_bytes(damaged(hit.read_bytes(), rng))
    return _model_in(target)


def _model_in(source: Path) -> Path:
    """What an artist would choose of a folder."""
    mat = source / "01_MorphableModel.mat"
    return mat if mat.is_file() else source


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
