# SPDX-License-Identifier: GPL-3.0-or-later
"""What benchmarks and training share: tables, processes, whole files, errors that say what to do."""

import json
import os
import subprocess
import sys

import pytest

from blender_tests.processes import is_alive, wait_until
from facedetail_addon.core.errors import AssetError
from scripts.harness import (
    DATA,
    benchmark,
    benchmark_arguments,
    data_folder,
    data_folder_if_set,
    measured,
    processes,
    table,
    whole_file,
)


def threads_of(number: int) -> tuple[int, str, str] | None:
    """None for odd numbers; else the number, and what libraries are told of threads."""
    return None if number % 2 else (number, os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"])


def test_a_table_is_markdown():
    assert table(("a", "b"), [(1, None), ("x", 2.5)]) == ["| a | b |", "|---|---|", "| 1 |  |", "| x | 2.5 |"]


def test_processes_have_one_thread_and_keep_the_order(monkeypatch, capfd):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with processes(2) as pool:
        assert measured(pool, threads_of, range(5)) == [(0, "1", "1"), (2, "1", "1"), (4, "1", "1")]
    assert os.environ["OMP_NUM_THREADS"] == "7" and "OPENBLAS_NUM_THREADS" not in os.environ
    out, err = capfd.readouterr()
    assert out == "" and len(err.splitlines()) == 5 and "threads_of: 5 of 5" in err


def test_workers_end_with_what_started_them():
    """However it ends."""
    code = "import os, time; from scripts.harness import processes\n"
    code += "with processes(1) as pool: print(pool.submit(os.getpid).result(), flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        assert is_alive(worker)
        parent.kill()
    wait_until(lambda: not is_alive(worker), 60)


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "figures.npz"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), whole_file(path) as unfinished:
        unfinished.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    with whole_file(path) as unfinished:
        assert unfinished.suffix == path.suffix, "NumPy adds one otherwise"
        unfinished.write_text("after")
    assert path.read_text() == "after" and list(tmp_path.iterdir()) == [path]


def test_without_the_data_folder_an_error_says_what_it_should_hold(monkeypatch, tmp_path):
    monkeypatch.delenv(DATA, raising=False)
    assert data_folder_if_set() is None
    with pytest.raises(AssetError, match=DATA) as caught:
        data_folder("london/")
    assert "london/" in caught.value.remedy
    monkeypatch.setenv(DATA, str(tmp_path / "nowhere"))
    with pytest.raises(AssetError, match="nowhere"):
        data_folder("london/")
    monkeypatch.setenv(DATA, str(tmp_path))
    assert data_folder("london/") == data_folder_if_set() == tmp_path


def test_a_benchmark_prints_tables_and_last_a_json_object(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["benchmark", "--quick"])

    def measure(options) -> tuple[list[str], dict[str, object]]:
        os.write(1, b"what a library says\n")
        assert options.quick and options.jobs == 2
        return table(("a",), [(1,)]), {"a": 1}

    benchmark(measure, benchmark_arguments("Counts.", "one"))
    lines = capfd.readouterr().out.splitlines()
    assert lines[:3] == ["| a |", "|---|", "| 1 |"] and "what a library says" not in lines
    assert json.loads(lines[-1])["a"] == 1 and json.loads(lines[-1])["seconds"] >= 0


def test_a_benchmarks_error_is_told_without_a_traceback(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["benchmark"])

    def measure(options) -> tuple[list[str], dict[str, object]]:
        raise AssetError("No file.", "Fetch it.")

    with pytest.raises(SystemExit) as caught:
        benchmark(measure, benchmark_arguments("Counts.", "one", jobs=False))
    assert caught.value.code == "error: No file.\ntry: Fetch it."
