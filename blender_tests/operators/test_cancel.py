# SPDX-License-Identifier: GPL-3.0-or-later
"""Esc while a head is refined: a real job of the finest quality, given up in each stage of the refinement."""

import threading
import time
from pathlib import Path

import pytest

from blender_tests.processes import is_alive, wait_until
from facedetail_addon.jobs.job import reconstruct_job
from facedetail_addon.settings import FINE, Settings

LIMIT_S, MAIN_THREAD_LIMIT_S = 0.5, 0.05
INTO_S = 0.1  # so long the stage is under way
STAGES = ("Matching light and shade", "Shaping folds and cheeks", "Finding where skin shines")
KINDS = ("objects", "collections", "meshes", "cameras", "materials", "worlds", "images", "lights", "texts")


@pytest.fixture
def registered():
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    import facedetail_addon

    facedetail_addon.register()
    yield
    facedetail_addon.unregister()


def test_given_up_while_refining(blender, registered, tmp_path):
    """Within half a second the worker is gone, and with it all that it has written; the next job begins at once."""
    import skimage.data

    from facedetail_addon import session

    photo = Path(skimage.data.__file__).parent / "astronaut.png"
    settings, worker = Settings(resolution=512, quality=FINE), session.current().worker
    output, user = tmp_path / "results", tmp_path / "user"
    output.mkdir()
    before = {kind: len(getattr(blender.data, kind)) for kind in KINDS}
    for text in STAGES:
        job = reconstruct_job(worker, photo, output, user, settings)
        pid = worker.pid

        def reached(job=job, text=text) -> bool:
            assert job.step() is None, "the job has ended without this stage"
            return job.stage == text

        wait_until(reached)
        time.sleep(INTO_S)
        leftover = output / f".astronaut.{pid}-0a1b2c3d.partial"
        leftover.mkdir()
        (leftover / "albedo.png").write_bytes(b"half")
        start, own = time.monotonic(), time.thread_time()
        job.cancel(at_once=True)
        assert time.thread_time() - own < MAIN_THREAD_LIMIT_S
        assert not worker.busy and worker.poll() == []
        wait_until(lambda pid=pid: not is_alive(pid), LIMIT_S)
        wait_until(lambda: all(one.daemon for one in threading.enumerate() if one is not threading.main_thread()))
        assert time.monotonic() - start < LIMIT_S, text
        assert list(output.iterdir()) == [], "nothing is left on the disk"
        assert not list(user.rglob(".*")), "nor a half-written file of what is kept of the model"
    assert {kind: len(getattr(blender.data, kind)) for kind in KINDS} == before
