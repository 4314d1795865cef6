# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept across sessions is what would be made, whatever happens to its files, and never grows without bound."""

import os
import subprocess
import sys
import textwrap
import time
import zipfile

import numpy as np
import pytest

from facedetail_addon.core.io.archive import discard_half_written_arrays
from facedetail_addon.core.io.array_cache import ArrayCache

KEY, OTHER = "a" * 64, "a" * 16 + "b" * 48  # files of the same name
ROWS = 1000


class Maker:
    """Counts how often it has to work."""

    def __init__(self, value: float = 1.0, rows: int = ROWS):
        self.value, self.rows, self.calls = value, rows, 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"values": np.full(self.rows, self.value)}


def check(arrays: dict[str, np.ndarray]) -> None:
    if arrays["values"].shape != (ROWS,):
        raise ValueError("too few")


def only_file(folder):
    (path,) = folder.iterdir()
    return path


@pytest.fixture()
def kept(tmp_path):
    """A cache with one file."""
    cache = ArrayCache(tmp_path / "cache", KEY)
    cache.arrays("values", Maker(), check)
    return cache


def test_what_was_kept_is_read(kept):
    again = Maker(2.0)
    found = kept.arrays("values", again, check)
    assert again.calls == 0 and list(found) == ["values"]
    np.testing.assert_array_equal(found["values"], np.ones(ROWS))


def test_without_a_folder_nothing_is_kept(tmp_path):
    make = Maker()
    for _ in range(2):
        ArrayCache(None, "").arrays("values", make, check)
    assert make.calls == 2


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-200])


def changed_inside(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def emptied(path):
    path.write_bytes(b"")


def pickled(path):
    with open(path, "wb") as stream:
        np.savez(stream, values=np.array([print], object), made_from=np.array(KEY))


def declared_larger(path):
    with zipfile.ZipFile(path, "w") as archive, archive.open("values.npy", "w") as entry:
        np.lib.format.write_array_header_1_0(entry, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})


def without_key(path):
    with open(path, "wb") as stream:
        np.savez(stream, values=np.full(ROWS, 3.0))


def of_something_else(path):
    with open(path, "wb") as stream:
        np.savez(stream, values=np.full(ROWS, 3.0), made_from=np.array(OTHER))


def of_another_shape(path):
    with open(path, "wb") as stream:
        np.savez(stream, values=np.full(5, 3.0), made_from=np.array(KEY))


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "harm",
    [
        cut_short, changed_inside, emptied, pickled, declared_larger, without_key, of_something_else, of_another_shape,
        a_folder,
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_made_anew(kept, harm):
    harm(only_file(kept.folder))
    make = Maker(2.0)
    for _ in range(2):
        np.testing.assert_array_equal(kept.arrays("values", make, check)["values"], np.full(ROWS, 2.0))
    assert make.calls == (2 if harm is a_folder else 1)  # a folder stays in the way, and nothing is kept


def test_a_file_that_is_too_large_is_not_read(kept):
    make = Maker(2.0)
    small = ArrayCache(kept.folder, KEY, most_bytes=ROWS * 8)
    assert small.arrays("values", make, check)["values"][0] == 2 and make.calls == 1


def test_another_key_has_another_file(kept):
    make = Maker(2.0)
    assert ArrayCache(kept.folder, "b" * 64).arrays("values", make, check)["values"][0] == 2
    assert kept.arrays("values", make, check)["values"][0] == 1


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_said(tmp_path, capfd):
    (tmp_path / "cache").write_text("in the way")
    make = Maker()
    for _ in range(2):
        assert ArrayCache(tmp_path / "cache", KEY).arrays("values", make, check)["values"][0] == 1
    assert make.calls == 2 and capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("error")
def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROWS * 4, before[1]))
    try:
        found = ArrayCache(tmp_path / "cache", KEY).arrays("values", Maker(), check)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found["values"][0] == 1 and list((tmp_path / "cache").iterdir()) == []


def test_a_folder_keeps_its_size_by_what_is_not_used(tmp_path):
    cache = ArrayCache(tmp_path, KEY, most_bytes=3 * (ROWS * 8 + 1500))
    for age, name in enumerate("abc"):
        cache.arrays(name, Maker(), check)
        os.utime(tmp_path / f"{name}-{KEY[:16]}.npz", (1e9 + age, 1e9 + age))
    cache.arrays("a", Maker(), check)  # used: b is the one that waits for longest now
    cache.arrays("d", Maker(), check)
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["a", "c", "d"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= cache.most_bytes


def test_what_killed_processes_left_goes(kept):
    old, own, new = (kept.folder / f".values.npz.{process}-0.partial" for process in (1, 2, 3))
    for path in (old, own, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 1e6,) * 2)
    discard_half_written_arrays(kept.folder, 2)
    kept.arrays("more", Maker(), check)
    assert not old.exists() and not own.exists() and new.exists()  # perhaps it is being written


def test_processes_that_write_and_read_at_once_see_whole_files(tmp_path):
    program = """
        import sys
        from pathlib import Path
        import numpy as np
        from facedetail_addon.core.io.array_cache import ArrayCache
        def make():
            return {"values": np.full(200_000, float(sys.argv[2]))}
        def check(arrays):
            if len(np.unique(arrays["values"])) != 1 or len(arrays["values"]) != 200_000:
                print("half a file")
        for round in range(60):
            cache = ArrayCache(Path(sys.argv[1]), "c" * 64)
            if round % 3 == 0:
                for path in cache.folder.glob("values-*"):
                    path.unlink(missing_ok=True)
            cache.arrays("values", make, check)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    running = [
        subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for n in (1, 2)
    ]
    assert [process.communicate(timeout=60)[0] for process in running] == ["", ""]
    assert [process.returncode for process in running] == [0, 0]
    assert only_file(tmp_path).suffix == ".npz"
