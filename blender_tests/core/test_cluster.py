# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos on the workers of a real Dask scheduler, each a process of its own on this machine, which are killed, which
differ, which lack something, and which are given up."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from blender_tests.core.command_line import FAST, HOME, children_of, entries, photos_in, read_until, starting
from blender_tests.processes import PATIENCE_S, is_alive, wait_until
from facedetail_addon.core.result.files import read_result

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's list of child processes")


class Farm:
    """A scheduler, and workers by their names."""

    def __init__(self, folder: Path):
        self._folder, self._processes = folder, []
        self.workers: dict[str, subprocess.Popen] = {}
        told = folder / "scheduler.json"
        self.scheduler = self._start(HOME, "scheduler", "--host", "127.0.0.1", "--port", 0, "--scheduler-file", told)
        self.address = wait_until(lambda: told.exists() and json.loads(told.read_text() or "{}").get("address"))
        self.client = Client(self.address, set_as_default=False)

    def add(self, name: str, home: Path = HOME) -> str:
        """Start a worker with the package of a folder; its address."""
        before = set(self.client.nthreads())
        place = self._folder / name
        arguments = ("--nthreads", 1, "--no-nanny", "--local-directory", place, "--name", name)
        self.workers[name] = self._start(home, "worker", self.address, *arguments)
        return wait_until(lambda: set(self.client.nthreads()) - before).pop()

    def need(self, count: int) -> None:
        """Have so many good workers, and no other."""
        for name, process in list(self.workers.items()):
            if not name.startswith("good") or not is_alive(process.pid):
                self.kill(name)
        for number in range(len(self.workers), count):
            self.add(f"good{number}-{len(self._processes)}")
        for name in list(self.workers)[count:]:
            self.kill(name)

    def kill(self, name: str, how: int = signal.SIGKILL) -> None:
        process = self.workers.pop(name)
        process.send_signal(how)
        process.wait()
        wait_until(lambda: len(self.client.nthreads()) == len(self.workers))

    def who_does(self, number: int) -> str:
        """The name of the worker that does the task of that number."""
        pids = self.client.run(os.getpid)
        for address, keys in self.client.processing().items():
            if any(key.split("-")[2] == str(number) for key in keys):
                return next(name for name, process in self.workers.items() if process.pid == pids[address])
        return ""

    def children(self) -> list[int]:
        """Of all workers: the processes that load models."""
        return [child for process in self.workers.values() for child in children_of(process.pid)]

    def end(self) -> None:
        self.client.close()
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, home: Path, *arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *map(str, arguments), "--no-dashboard"]
        with open(self._folder / f"log{len(self._processes)}", "w") as log:
            self._processes.append(subprocess.Popen(command, cwd=home, stdout=log, stderr=log))
        return self._processes[-1]


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Farm]:
    made = Farm(tmp_path_factory.mktemp("farm"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    return photos_in(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def start():
    with starting() as begin:
        yield begin


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Of the first test, for those after it."""
    return tmp_path_factory.mktemp("results") / "out"


def test_a_killed_worker_loses_nothing_does_nothing_twice_and_resume_goes_on(farm, photos, results, start):
    farm.need(3)
    asked = ("reconstruct", photos, "--output", results, "--cluster", farm.address, *FAST)
    run = start(*asked)
    read_until(run, "a.png (1/3): Unwrapping")
    unlucky = farm.who_does(1)
    orphans = children_of(farm.workers[unlucky].pid)
    farm.kill(unlucky)
    out, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, err
    assert sorted(out.splitlines()) == [str(results / "a"), str(results / "b")]
    assert "a.png (1/3): Again" in err
    assert len(orphans) == 1 and not any(map(is_alive, orphans))
    first = {
        entry["folder"]: (entry["status"], entry["error"] and entry["error"]["code"]) for entry in entries(results)
    }
    assert first == {"a": ("done", None), "b": ("done", None), "c": ("failed", "photo")} and len(entries(results)) == 3
    assert files_in(results) == {"a", "b", "manifest.jsonl"}
    read_result(results / "a")  # every value is checked

    wait_until(lambda: not farm.children())  # models are not held for nobody
    (results / ".a.0a1b2c3d.partial").mkdir()
    written = (results / "b" / "reconstruction.json").stat().st_mtime_ns
    run = start("reconstruct", photos / "a.png", photos / "b.png", *asked[2:], "--resume", "--quiet")
    out, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, err) == (0, "") and sorted(out.splitlines()) == [str(results / "a"), str(results / "b")]
    assert {entry["folder"]: entry["status"] for entry in entries(results)[3:]} == {"a": "skipped", "b": "skipped"}
    assert (results / "b" / "reconstruction.json").stat().st_mtime_ns == written
    assert files_in(results) == {"a", "b", "manifest.jsonl"}


def test_machines_that_differ_lack_or_break_something_are_named_and_results_come_as_bytes(
    farm, photos, results, start, tmp_path
):
    farm.need(1)
    older = farm.add("older", package_copy(tmp_path / "older", older=True))
    bare = farm.add("bare", package_copy(tmp_path / "bare", without="face_model.npz"))
    broken = farm.add("broken", package_copy(tmp_path / "broken", damaged="face_detector.safetensors"))
    output = tmp_path / "out"
    asked = ("--output", output, "--cluster", farm.address, *FAST)
    run = start("scene", photos / "a.png", tmp_path / "none.png", *asked, "--send", "files")
    out, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, out.splitlines()) == (3, [str(output / "a")]), err
    before, within = [line for line in err.splitlines() if "left out" in line]
    assert older in before and "its FaceDetail is" in before
    assert bare in before and "face_model.npz is missing" in before
    assert broken in within and "face_detector.safetensors is damaged" in within
    assert f"error: {tmp_path / 'none.png'} does not exist" in err.replace("The photo ", "")
    assert files_in(output) == {"a", "manifest.jsonl"} and "scene.blend" in files_in(output / "a")
    for file in ("albedo.png", "normal.png", "head.obj", "observation.npz", "head_vertices.npz"):
        assert (output / "a" / file).read_bytes() == (results / "a" / file).read_bytes(), file

    for name in [name for name in farm.workers if name not in ("older", "bare")]:
        farm.kill(name)
    run = start("reconstruct", photos, *asked)
    out, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, out) == (3, "")
    (said,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert older in said and bare in said and "try: Have the same FaceDetail" in err
    assert len(entries(output)) == 2, "nothing was begun"


def package_copy(home: Path, *, older: bool = False, without: str = "", damaged: str = "") -> Path:
    """A folder with a copy of the package that is another version, or has a file of weights not at all or not whole."""
    package, weights = home / "facedetail_addon", HOME / "facedetail_addon" / "core" / "weights"
    shutil.copytree(HOME / "facedetail_addon", package, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    (package / "core" / "weights").mkdir()
    for path in weights.iterdir():
        if path.name == damaged:
            (package / "core" / "weights" / path.name).write_bytes(bytes(path.stat().st_size))
        elif path.name != without:
            (package / "core" / "weights" / path.name).symlink_to(path)
    if older:
        (package / "names.py").write_text((package / "names.py").read_text() + "\n# another version\n")
    return home


def test_interrupt_gives_up_what_the_workers_do_and_leaves_nothing_half(farm, photos, tmp_path, start):
    farm.need(1)
    output = tmp_path / "out"
    run = start("reconstruct", photos, "--output", output, "--cluster", farm.address, *FAST)
    read_until(run, "a.png (1/3): Finding the face")
    children = farm.children()
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, out) == (130, "") and err.endswith("interrupted\n")
    assert len(children) == 1 and not any(map(is_alive, children))
    assert not output.exists() or files_in(output) <= {"manifest.jsonl"}
    assert not any(farm.client.processing().values())


def test_a_photo_whose_workers_are_lost_three_times_fails_and_the_rest_goes_on(farm, photos, tmp_path, start):
    farm.need(3)
    output = tmp_path / "out"
    run = start("reconstruct", photos / "a.png", tmp_path / "none.png", "--output", output, "--cluster", farm.address)
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
        farm.kill(wait_until(lambda: farm.who_does(1)), how)
    farm.add("good")
    out, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, out) == (3, ""), err
    failed = {Path(entry["photo"]).name: entry["error"]["code"] for entry in entries(output)}
    assert failed == {"a.png": "worker", "none.png": "photo"} and len(entries(output)) == 2
    assert "3 workers were lost" in err and files_in(output) == {"manifest.jsonl"}


def test_no_worker_and_no_scheduler_are_said_within_seconds(farm, photos, tmp_path, start):
    farm.need(0)
    run = start("reconstruct", photos, "--output", tmp_path / "out", "--cluster", farm.address)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (3, "") and f"{farm.address} has no worker" in err and "dask worker" in err
    run = start("reconstruct", photos, "--output", tmp_path / "out", "--cluster", "tcp://127.0.0.1:9")
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (3, "") and err.startswith("error: No Dask scheduler answers at tcp://127.0.0.1:9")
    assert err.count("\n") == 2 and not (tmp_path / "out" / "manifest.jsonl").exists()


def test_a_scheduler_that_is_lost_ends_the_run_and_blames_no_photo(farm, photos, tmp_path, start):
    """The last test of this scheduler."""
    farm.need(1)
    run = start("reconstruct", photos, "--output", tmp_path / "out", "--cluster", farm.address, *FAST)
    read_until(run, "Loading the networks")
    children = farm.children()
    farm.client.close()
    farm.scheduler.kill()
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (3, "") and err.startswith(f"error: The scheduler {farm.address} does not answer")
    assert err.count("\n") == 2 and "--resume" in err and not (tmp_path / "out" / "manifest.jsonl").exists()
    assert len(children) == 1
    wait_until(lambda: not any(map(is_alive, children)))  # the engine's worker ends without a scheduler
