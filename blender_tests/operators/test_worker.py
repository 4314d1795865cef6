# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process: warm, killable, never an orphan, never a silent death."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blender_tests.core.file_server import CONTENT, SHA256, serving
from blender_tests.processes import is_alive, wait_until
from facedetail_addon.core.assets.downloads import PART_SUFFIX
from facedetail_addon.core.assets.user import UserAsset
from facedetail_addon.core.errors import FaceDetailError, WorkerError
from facedetail_addon.jobs import runner
from facedetail_addon.jobs.job import Job, download_job, import_job, reconstruct_job
from facedetail_addon.jobs.messages import Reconstruct, to_line
from facedetail_addon.jobs.runner import Worker
from facedetail_addon.paths import site_directories
from facedetail_addon.settings import Settings

MAIN_THREAD_LIMIT_S = 0.05


@pytest.fixture
def worker():
    made = Worker(site_directories(sys.path))
    yield made
    made.close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def astronaut() -> Path:
    from skimage import data

    return Path(data.__file__).parent / "astronaut.png"


def user_of(output: Path) -> Path:
    """The user's folder, beside the results, for what is kept of a model stays there."""
    return output.with_name(f"{output.name} user")


def ask(worker: Worker, photo: Path, output: Path) -> int:
    files = {"photo": str(photo), "output": str(output), "assets": str(user_of(output))}
    return worker.submit(Reconstruct, **files, settings=Settings(resolution=512))


def job_of(worker: Worker, photo: Path, output: Path, **choices) -> Job:
    return reconstruct_job(
        worker, photo, output, user_of(output), Settings(**({"resolution": 512, "quality": "draft"} | choices))
    )


def test_reconstructs_as_asked_for_and_stays_warm(worker, astronaut, tmp_path):
    stages: list[tuple[str, float]] = []
    loaded = job_of(worker, astronaut, tmp_path, expression="prior").run(lambda *told: stages.append(told))
    assert loaded.folder == tmp_path / "astronaut"
    assert loaded.pictures.has_relief
    assert loaded.record.pose.vertices.shape == loaded.model.mean.shape
    assert loaded.record.expression_source == "prior"
    fractions = [fraction for _, fraction in stages]
    assert fractions == sorted(fractions)
    assert len({stage for stage, _ in stages}) >= 3
    pid = worker.pid
    with pytest.raises(FaceDetailError) as raised:
        job_of(worker, astronaut, tmp_path, face=7).run(lambda *told: None)
    assert raised.value.code == "no_face"
    assert raised.value.remedy
    assert worker.pid == pid, "a photo without the face does not end the worker"
    with pytest.raises(ValueError, match="expression must be one of"):
        job_of(worker, astronaut, tmp_path, expression="mood")
    assert [entry.name for entry in tmp_path.iterdir()] == ["astronaut"]


def test_steps_never_wait(worker, astronaut, tmp_path):
    """Blender's window must stay alive while a job starts, runs and is given up."""
    slowest = 0.0

    def timed(call):
        nonlocal slowest
        start = time.thread_time()
        value = call()
        slowest = max(slowest, time.thread_time() - start)
        return value

    job = timed(lambda: job_of(worker, astronaut, tmp_path))
    wait_until(lambda: timed(job.step) is not None or job.fraction > 0.05)
    timed(job.cancel)
    assert slowest < MAIN_THREAD_LIMIT_S


def test_busy_worker_refuses(worker, astronaut, tmp_path):
    ask(worker, astronaut, tmp_path)
    with pytest.raises(WorkerError, match="already"):
        ask(worker, astronaut, tmp_path)


def test_cancel_kills_and_cleans(worker, astronaut, tmp_path):
    ask(worker, astronaut, tmp_path)
    pid = worker.pid
    leftover = tmp_path / f".astronaut.{pid}-0a1b2c3d.partial"
    leftover.mkdir()
    (tmp_path / "artist's own.partial").mkdir()
    worker.cancel()
    assert not is_alive(pid)
    assert not worker.busy
    assert worker.poll() == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["artist's own.partial"]


def test_cancelled_import_leaves_nothing(worker, tmp_path):
    models = tmp_path / "models"
    (models / "61c58d75").mkdir(parents=True)
    job = import_job(worker, tmp_path, tmp_path)
    (models / f".61c58d75.{worker.pid}-0a1b2c3d.partial").mkdir()
    job.cancel()
    assert [entry.name for entry in models.iterdir()] == ["61c58d75"]


def test_what_is_no_face_model_is_refused_and_leaves_nothing(worker, tmp_path):
    source = tmp_path / "model.h5"
    source.write_bytes(b"\x80\x04pickle")
    with pytest.raises(FaceDetailError, match="pickle") as raised:
        import_job(worker, source, tmp_path / "assets").run(lambda *told: None)
    assert raised.value.code == "face_model" and raised.value.remedy
    assert not list(tmp_path.glob("assets/models/*"))


def weights_at(url: str) -> UserAsset:
    return UserAsset("test", "Test weights", "weights.bin", "weights", len(CONTENT), SHA256, url, "free", "nobody")


def test_download_is_cancelled_and_goes_on(worker, server, tmp_path):
    """The child is killed; what has arrived is there for the next one."""
    url, behaviour = server
    asset = weights_at(url)
    folder = tmp_path / asset.folder
    behaviour.stalls_after = 300_000
    job = download_job(worker, asset, tmp_path, online=True)
    part = folder / ("weights.bin" + PART_SUFFIX)
    wait_until(lambda: job.step() is None and part.is_file() and part.stat().st_size == 300_000)
    wait_until(lambda: job.step() is None and job.fraction > 0.3)
    assert "Test weights" in job.stage
    job.cancel()
    behaviour.stalls_after = None
    behaviour.gave_up.set()
    assert [entry.name for entry in folder.iterdir()] == [part.name]
    path = download_job(worker, asset, tmp_path, online=True).run(lambda *told: None)
    assert path == folder / "weights.bin" and path.read_bytes() == CONTENT
    assert behaviour.asked == [None, "bytes=300000-"]


def test_no_download_without_online_access(worker, server, tmp_path):
    url, behaviour = server
    asset = weights_at(url)
    with pytest.raises(FaceDetailError, match="may not use the network"):
        download_job(worker, asset, tmp_path, online=False).run(lambda *told: None)
    assert behaviour.asked == []


def test_killed_child_is_an_error_with_a_remedy(worker, astronaut, tmp_path):
    """As when the system ends it for lack of memory."""
    ask(worker, astronaut, tmp_path)
    os.kill(worker.pid, 9)
    (failed,) = wait_until(worker.poll)
    assert failed.code == "worker"
    assert "was killed" in failed.message
    assert "close other programs" in failed.remedy
    assert not worker.busy
    ask(worker, astronaut, tmp_path)
    assert worker.pid is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the niceness of threads")
def test_with_low_priority_all_of_it_stands_back(astronaut, tmp_path):
    worker = Worker(site_directories(sys.path), low_priority=True)
    ask(worker, astronaut, tmp_path)
    try:
        wait_until(worker.poll)  # by then it has threads of its own
        threads = [int(entry.name) for entry in Path(f"/proc/{worker.pid}/task").iterdir()]
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {min(own + 10, 19)}
        assert os.getpriority(os.PRIO_PROCESS, 0) == own
    finally:
        worker.cancel()


def test_no_interpreter(astronaut, tmp_path):
    broken = Worker([], python=str(tmp_path / "no python here"))
    with pytest.raises(WorkerError, match="cannot be started"):
        ask(broken, astronaut, tmp_path)
    assert not broken.busy


def test_child_that_talks_nonsense(astronaut, tmp_path):
    """An interpreter that is not one: its output is no message, so the job fails instead of hanging."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho hello\nsleep 60\n")
    script.chmod(0o755)
    strange = Worker([], python=str(script))
    ask(strange, astronaut, tmp_path)
    (failed,) = wait_until(strange.poll)
    assert failed.code == "worker"
    assert "hello" in failed.message


def test_missing_packages_are_named(astronaut, tmp_path):
    """A bare interpreter without the bundled wheels, as when the zip was unpacked by hand."""
    import venv

    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    bare = Worker([], python=str(tmp_path / "bare" / "bin" / "python"))
    ask(bare, astronaut, tmp_path / "out")
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
    request = to_line(Reconstruct(1, str(tmp_path / "no photo.jpg"), str(tmp_path), str(tmp_path)))
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
