# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process: warm, killable, never an orphan, never a silent death."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facedetail_addon.core.errors import FaceDetailError, WorkerError
from facedetail_addon.jobs import runner
from facedetail_addon.jobs.job import Job
from facedetail_addon.jobs.messages import Reconstruct, to_line
from facedetail_addon.jobs.runner import Worker, site_directories

PATIENCE_S = 120
MAIN_THREAD_LIMIT_S = 0.05


@pytest.fixture
def worker():
    made = Worker(site_directories(sys.path))
    yield made
    made.close()


@pytest.fixture(scope="module")
def astronaut() -> Path:
    from skimage import data

    return Path(data.__file__).parent / "astronaut.png"


def wait_until(condition, limit_s: float = PATIENCE_S):
    end = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end, "took too long"
        time.sleep(0.01)
    return value


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_reconstructs_and_stays_warm(worker, astronaut, tmp_path):
    stages: list[tuple[str, float]] = []
    loaded = Job(worker, astronaut, tmp_path, resolution=512, face=None).run(lambda *told: stages.append(told))
    assert loaded.folder == tmp_path / "astronaut"
    assert loaded.reconstruction.albedo.shape == (512, 512, 3)
    assert loaded.reconstruction.vertices.shape == loaded.model.mean.shape
    fractions = [fraction for _, fraction in stages]
    assert fractions == sorted(fractions)
    assert len({stage for stage, _ in stages}) >= 3
    pid = worker.pid
    with pytest.raises(FaceDetailError) as raised:
        Job(worker, astronaut, tmp_path, resolution=512, face=7).run(lambda *told: None)
    assert raised.value.code == "no_face"
    assert raised.value.remedy
    assert worker.pid == pid, "a photo without the face does not end the worker"
    assert [entry.name for entry in tmp_path.iterdir()] == ["astronaut"]


def test_expression_source_goes_to_the_pipeline(worker, astronaut, tmp_path):
    job = Job(worker, astronaut, tmp_path, resolution=512, face=None, expression="prior")
    assert job.run(lambda *told: None).reconstruction.expression_source == "prior"
    with pytest.raises(FaceDetailError, match="expression must be one of"):
        Job(worker, astronaut, tmp_path, resolution=512, face=None, expression="mood").run(lambda *told: None)


def test_steps_never_wait(worker, astronaut, tmp_path):
    """Blender's window must stay alive while a job starts, runs and is given up."""
    slowest = 0.0

    def timed(call):
        nonlocal slowest
        start = time.thread_time()
        value = call()
        slowest = max(slowest, time.thread_time() - start)
        return value

    job = timed(lambda: Job(worker, astronaut, tmp_path, resolution=512, face=None))
    wait_until(lambda: timed(job.step) is not None or job.fraction > 0.05)
    timed(job.cancel)
    assert slowest < MAIN_THREAD_LIMIT_S


def test_busy_worker_refuses(worker, astronaut, tmp_path):
    worker.submit(astronaut, tmp_path, resolution=512)
    with pytest.raises(WorkerError, match="already"):
        worker.submit(astronaut, tmp_path, resolution=512)


def test_cancel_kills_and_cleans(worker, astronaut, tmp_path):
    worker.submit(astronaut, tmp_path, resolution=512)
    pid = worker.pid
    leftover = tmp_path / ".astronaut.0a1b2c3d.partial"
    leftover.mkdir()
    (tmp_path / "artist's own.partial").mkdir()
    worker.cancel()
    assert not is_alive(pid)
    assert not worker.busy
    assert worker.poll() == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["artist's own.partial"]


def test_killed_child_is_an_error_with_a_remedy(worker, astronaut, tmp_path):
    """As when the system ends it for lack of memory."""
    worker.submit(astronaut, tmp_path, resolution=512)
    os.kill(worker.pid, 9)
    (failed,) = wait_until(worker.poll)
    assert failed.code == "worker"
    assert "ended" in failed.message
    assert failed.remedy
    assert not worker.busy
    worker.submit(astronaut, tmp_path, resolution=512)
    assert worker.pid is not None


def test_no_interpreter(astronaut, tmp_path):
    broken = Worker([], python=str(tmp_path / "no python here"))
    with pytest.raises(WorkerError, match="cannot be started"):
        broken.submit(astronaut, tmp_path, resolution=512)
    assert not broken.busy


def test_child_that_talks_nonsense(astronaut, tmp_path):
    """An interpreter that is not one: its output is no message, so the job fails instead of hanging."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho hello\nsleep 60\n")
    script.chmod(0o755)
    strange = Worker([], python=str(script))
    strange.submit(astronaut, tmp_path, resolution=512)
    (failed,) = wait_until(strange.poll)
    assert failed.code == "worker"
    assert "hello" in failed.message


def test_missing_packages_are_named(astronaut, tmp_path):
    """A bare interpreter without the bundled wheels, as when the zip was unpacked by hand."""
    import venv

    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    bare = Worker([], python=str(tmp_path / "bare" / "bin" / "python"))
    bare.submit(astronaut, tmp_path / "out", resolution=512)
    failed = wait_until(lambda: [reply for reply in bare.poll() if hasattr(reply, "remedy")])[0]
    bare.close()
    assert failed.code == "packages"
    assert "Install" in failed.remedy


def test_child_ends_when_blender_dies():
    """A parent that is killed closes the pipe; the child must not stay behind, even while it works."""
    script = Path(runner.__file__).with_name("worker.py")
    command = [sys.executable, "-c", PARENT, str(script), str(script.parent.parent)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_alive(pid), limit_s=10)


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-I", sys.argv[1], "--addon", sys.argv[2]], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def test_only_messages_leave_by_standard_output(astronaut, tmp_path):
    """Libraries may print, even from C; the channel carries JSON lines and nothing else."""
    script = Path(runner.__file__).with_name("worker.py")
    program = (
        "import os, runpy, sys, threading, time\n"
        "def shout():\n"
        "    while True:\n"
        "        os.write(1, b'noise\\n'); print('noise'); time.sleep(0.005)\n"
        "sys.argv = sys.argv[1:]\n"
        "module = runpy.run_path(sys.argv[0])\n"
        "protect = module['_protect_stdout']\n"
        "def protect_then_shout():\n"
        "    channel = protect()\n"
        "    threading.Thread(target=shout, daemon=True).start()\n"
        "    return channel\n"
        "module['main'].__globals__['_protect_stdout'] = protect_then_shout\n"
        "module['main']()\n"
    )
    request = to_line(Reconstruct(1, str(tmp_path / "no photo.jpg"), str(tmp_path)))
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(script), "--addon", str(script.parent.parent)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    child.stdin.write(request)
    child.stdin.flush()
    kinds = []
    while not kinds or kinds[-1] not in ("Failed", "Done"):
        kinds.append(json.loads(child.stdout.readline())["type"])
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert kinds[0] == "Ready"
    assert kinds[-1] == "Failed"
