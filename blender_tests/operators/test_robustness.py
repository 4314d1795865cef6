# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong around a job: no memory, no disk, no rights, two Blenders, files that change, Blender closed.

A killed worker, cancelled jobs and half-built scenes are tested in ``test_worker.py`` and ``scene/test_failure.py``.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

import facedetail_addon
from blender_tests.core.external_files import skin_of, write_bfm_hdf5
from blender_tests.processes import PATIENCE_S, is_alive, wait_until
from facedetail_addon.core.assets.user import user_asset
from facedetail_addon.core.errors import (
    FaceDetailError,
    OutOfMemoryError,
    OutputError,
    PhotoError,
    is_out_of_memory,
)
from facedetail_addon.core.face_model.library import load_named_model
from facedetail_addon.core.face_model.store import installed_models
from facedetail_addon.core.io.atomic_directory import atomic_directory
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.result.files import read_result, write_result
from facedetail_addon.jobs.job import import_job, install_job, reconstruct_job
from facedetail_addon.jobs.runner import Worker
from facedetail_addon.paths import site_directories
from facedetail_addon.settings import Settings

HOME = Path(facedetail_addon.__file__).parent.parent
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
ORPHAN_S = 2.0

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX' limits, or signals for another process")


@pytest.fixture
def workers():
    made = [Worker(site_directories(sys.path), threads=1) for _ in range(2)]
    yield made
    for worker in made:
        worker.cancel()


def limited_worker(folder: Path, limit: str) -> Worker:
    """A worker whose child runs under a limit of the shell's ``ulimit``."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nulimit {limit}\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return Worker(site_directories(sys.path), python=str(script))


def user_of(output: Path) -> Path:
    """The user's folder, beside the results, for what is kept of a model stays there."""
    return output.with_name(f"{output.name} user")


def job_of(worker: Worker, output: Path, photo: Path = ASTRONAUT):
    return reconstruct_job(
        worker, photo, output, user_of(output), Settings(resolution=512, detail="none", quality="draft")
    )


def unheard(stage: str, fraction: float) -> None:
    """Nobody listens."""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


@contextmanager
def full_disk(most_bytes: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, so that writing fails in the middle as on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@needs_posix
def test_no_memory_is_an_answer_and_the_next_job_is_done(tmp_path):
    worker = limited_worker(tmp_path, "-v 600000")
    try:
        with pytest.raises(FaceDetailError, match="memory") as raised:
            job_of(worker, tmp_path / "out").run(unheard)
        assert raised.value.code == "memory" and "close other programs" in raised.value.remedy
        assert names(tmp_path / "out") == []
        with pytest.raises(FaceDetailError) as raised:
            install_job(worker, user_asset("fan"), ASTRONAUT, tmp_path / "assets").run(unheard)
        assert raised.value.code == "asset"
    finally:
        worker.close()


@pytest.mark.parametrize("library", ["numpy", "torch", "cv2"])
def test_every_librarys_way_to_say_it_is_known(library):
    cv2 = torch = pytest.importorskip(library)
    ask = {
        "numpy": lambda: np.empty(1 << 48, np.uint8),
        "torch": lambda: torch.empty(1 << 48, dtype=torch.uint8),
        "cv2": lambda: cv2.resize(np.zeros((1, 1), np.uint8), (1 << 30, 1 << 30)),
    }
    with pytest.raises(Exception) as raised:
        ask[library]()
    assert is_out_of_memory(raised.value)


def test_other_errors_are_not_for_lack_of_memory():
    assert is_out_of_memory(OutOfMemoryError())
    assert not is_out_of_memory(ImportError("No module named 'torch'"))
    assert not is_out_of_memory(PhotoError("out of memory.jpg is damaged.", "Copy it again."))


@needs_posix
def test_full_disk_keeps_the_older_result(model, made_up_result, tmp_path):
    older, saved = made_up_result
    folder = Path(shutil.copytree(saved, tmp_path / saved.name))
    for most_bytes in (0, 100_000):
        with full_disk(most_bytes), pytest.raises(OutputError, match=r"cannot be written to .*made up") as raised:
            write_result(older, tmp_path, model)
        assert "free space" in raised.value.remedy
        assert names(tmp_path) == [folder.name]
    assert np.array_equal(read_result(folder).maps["albedo"], older.maps["albedo"])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("this account may not mount file systems")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_in_the_worker(small_disk, workers):
    """A real full disk: the message says so, nothing half written takes up room, and the worker goes on."""
    job = job_of(workers[0], small_disk)
    with pytest.raises(FaceDetailError, match="No space left") as raised:
        job.run(unheard)
    assert raised.value.code == "output" and "free space" in raised.value.remedy
    assert names(small_disk) == [] and is_alive(workers[0].pid)


def test_output_folder_removed_while_the_result_is_written(workers, tmp_path):
    output = tmp_path / "out"
    job, end = job_of(workers[0], output), None

    def has_begun() -> bool:
        assert job.step() is None, "finished too soon"
        return any(output.glob(".*.partial"))

    wait_until(has_begun)
    shutil.rmtree(output, ignore_errors=True)  # the worker goes on writing
    try:
        end = job.run(unheard).folder
    except FaceDetailError as error:
        assert error.code == "output" and error.remedy
    assert names(output) == ([] if end is None else ["astronaut"]), "whole or absent"
    assert is_alive(workers[0].pid)


@needs_posix
def test_full_disk_during_an_import(model, tmp_path):
    """The worker's answer says what happened, and nothing half-written stays."""
    write_bfm_hdf5(tmp_path / "model.h5", skin_of(model))
    worker = limited_worker(tmp_path, "-f 200")
    try:
        with pytest.raises(FaceDetailError, match="cannot be written") as raised:
            import_job(worker, tmp_path / "model.h5", tmp_path / "assets").run(unheard)
    finally:
        worker.close()
    assert raised.value.code == "output" and names(tmp_path / "assets" / "models") == []


@needs_posix
def test_read_only_folders(model, reconstruction_of, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    # The administrator may write anywhere but into the kernel's own folders.
    target = closed if os.geteuid() else Path("/proc/self")
    if not target.is_dir():
        pytest.skip("this system has no folder that the administrator may not write to")
    with pytest.raises(OutputError, match="cannot be written") as raised:
        write_result(reconstruction_of(model), target / "results", model)
    assert raised.value.remedy and names(closed) == []


def test_two_blenders_make_the_same_result(workers, tmp_path):
    """At the same time, into the same folder: one may be told off, and what is there is whole."""
    jobs = [job_of(worker, tmp_path) for worker in workers]
    ends = run_all(jobs)
    assert any(end == tmp_path / "astronaut" for end in ends), ends
    assert all(isinstance(end, Path) or end.code == "output" for end in ends), ends
    assert names(tmp_path) == ["astronaut"]
    assert read_result(tmp_path / "astronaut").maps["albedo"].shape == (512, 512, 3)


def test_two_blenders_import_the_same_model(model, workers, tmp_path):
    """At the same time: one may be told off, and the model that is there is whole."""
    write_bfm_hdf5(tmp_path / "model.h5", skin_of(model))
    ends = run_all([import_job(worker, tmp_path / "model.h5", tmp_path / "assets") for worker in workers])
    (info,) = installed_models(tmp_path / "assets")
    assert names(tmp_path / "assets" / "models") == [info.folder.name]
    assert info.folder in ends, ends
    assert all(end == info.folder or end.code == "output" for end in ends), ends
    assert load_named_model(info.id, tmp_path / "assets").origin is not None


def test_many_write_the_same_folder_at_once(tmp_path):
    """Each ends well or says what happened; there is always one whole folder in the end."""
    ends: list[object] = []

    def write(writer: int) -> None:
        for number in range(40):
            try:
                with atomic_directory(tmp_path / "face", frozenset({"marker", "data"}), "marker") as folder:
                    (folder / "data").write_text(f"{writer} {number}")
                    (folder / "marker").write_text(f"{writer} {number}")
                ends.append("done")
            except OutputError as error:
                ends.append(error.remedy)
            except Exception as error:  # noqa: BLE001  a thread's error would not reach the test
                ends.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 120 and "done" in ends
    assert all(isinstance(end, str) for end in ends), ends
    assert names(tmp_path) == ["face"]
    assert (tmp_path / "face" / "marker").read_text() == (tmp_path / "face" / "data").read_text()


def run_all(jobs: list) -> list:
    """The results' folders or the errors of jobs that are under way together."""
    ends: list = [None] * len(jobs)
    deadline = time.monotonic() + PATIENCE_S
    while None in ends:
        assert time.monotonic() < deadline, "took too long"
        for index, job in enumerate(jobs):
            if ends[index] is None:
                try:
                    loaded = job.step()
                    ends[index] = loaded and loaded.folder
                except FaceDetailError as error:
                    ends[index] = error
        time.sleep(0.01)
    return ends


def test_tidying_up_leaves_other_blenders_work_alone(workers, tmp_path):
    """Another process is writing the same result and importing a model when this one's job is cancelled."""
    job = job_of(workers[0], tmp_path)
    models = user_of(tmp_path) / "models"
    own, other = f"{workers[0].pid}-0a1b2c3d", f"{os.getpid()}-0a1b2c3d"
    for unique in (own, other):
        (tmp_path / f".astronaut.{unique}.partial").mkdir()
        (models / f".61c58d75.{unique}.partial").mkdir(parents=True)
    job.cancel()
    assert names(tmp_path) == [f".astronaut.{other}.partial"]
    assert names(models) == [f".61c58d75.{other}.partial"]


def test_what_a_power_failure_left_goes_with_the_next_result(tmp_path):
    for name, age_s in ((".face.77-0a1b2c3d.partial", 2 * 24 * 3600), (".face.78-0a1b2c3d.partial", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, times=(time.time() - age_s,) * 2)
    with atomic_directory(tmp_path / "face", frozenset({"marker"}), "marker") as folder:
        (folder / "marker").write_text("whole")
    assert names(tmp_path) == [".face.78-0a1b2c3d.partial", "face"]


def write_slowly(path: Path, content: bytes) -> None:
    """In place, so that a reader sees a part of the one and a part of the other content."""
    with open(path, "r+b", buffering=0) as stream:
        for start in range(0, len(content), 1 << 16):
            stream.write(content[start : start + (1 << 16)])
            time.sleep(0.0005)
        stream.truncate()


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".png", ".jpg"])
@pytest.mark.parametrize("in_place", [True, False])
def test_photo_replaced_while_it_is_read(suffix, in_place, tmp_path):
    """One of the two pictures, or an error; never a mixture, and never the end of the process."""
    contents = []
    for value in (40, 200):
        Image.new("RGB", (900, 700), (value, value, value)).save(tmp_path / f"one{suffix}")
        contents.append((tmp_path / f"one{suffix}").read_bytes())
    path, stop = tmp_path / f"photo{suffix}", threading.Event()
    path.write_bytes(contents[0])

    def rewrite() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            content = contents[number % 2]
            if in_place:
                write_slowly(path, content)
            else:
                (tmp_path / "new").write_bytes(content)
                (tmp_path / "new").replace(path)

    writer = threading.Thread(target=rewrite)
    writer.start()
    found = set()
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            try:
                pixels = read_photo(path).pixels
            except PhotoError as error:
                assert error.remedy
                found.add(None)
            else:
                assert np.ptp(pixels) <= 2, "a mixture"
                found.add(int(pixels[0, 0, 0]))
    finally:
        stop.set()
        writer.join()
    assert in_place or found <= {40, 200}
    assert found


CLOSING = """
import os, sys, time
from pathlib import Path
import bpy, facedetail_addon
from facedetail_addon.jobs.job import reconstruct_job
from facedetail_addon.settings import Settings

facedetail_addon.register()
from facedetail_addon import session

photo, output, way = sys.argv[1:]
worker = session.current().worker
small = Settings(resolution=512, detail="none", quality="draft")
job = reconstruct_job(worker, Path(photo), Path(output), Path(output + " user"), small)
while not list(Path(output).glob(".*.partial")):
    assert job.step() is None
    time.sleep(0.002)
print(worker.pid, flush=True)
if way == "killed":
    time.sleep(60)
sys.exit(0)
"""


@needs_posix
@pytest.mark.parametrize("way", ["exit", "killed"])
def test_blender_closed_while_the_result_is_written(way, tmp_path):
    """However it ends: within two seconds no process and no half-written folder is there."""
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    command = [sys.executable, "-c", CLOSING, str(ASTRONAUT), str(tmp_path), way]
    blender = subprocess.Popen(
        command, cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        worker = next(int(line) for line in blender.stdout if line.strip().isdecimal())
        if way == "killed":
            blender.send_signal(signal.SIGKILL)
        blender.communicate(timeout=PATIENCE_S)
        wait_until(lambda: not is_alive(worker), ORPHAN_S)
    finally:
        blender.kill()
        blender.communicate()
    # A result that was renamed in the last moment is whole.
    assert names(tmp_path) in ([], ["astronaut"])
    if names(tmp_path):
        read_result(tmp_path / "astronaut")


def test_undo_and_another_file_during_a_job(blender, tmp_path):
    """The job goes on beside the artist's work, the button says why it is grey, and nothing reaches the new file."""
    facedetail_addon.register()
    try:
        from facedetail_addon import session

        worker, operator = session.current().worker, blender.ops.facedetail.reconstruct
        job = job_of(worker, tmp_path)
        pid = worker.pid
        blender.ops.ed.undo_push(message="before")
        blender.ops.mesh.primitive_cube_add()
        blender.ops.ed.undo_push(message="cube")
        blender.ops.ed.undo()
        assert worker.busy and not operator.poll()
        with pytest.raises(RuntimeError, match="poll"):
            operator(filepath=str(ASTRONAUT), output=str(tmp_path))
        blender.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        assert worker.busy and not list(blender.data.objects)
        assert job.step() is None
    finally:
        facedetail_addon.unregister()
    assert not is_alive(pid) and names(tmp_path) == [], "the extension is switched off"
    assert not list(blender.data.collections)
