# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures by a second Blender: as by this one, and nothing stays of it however it ends."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_tests.processes import wait_until
from facedetail_addon.core.errors import FaceDetailError
from facedetail_addon.core.io.images import read_png
from facedetail_addon.jobs.job import picture_job
from facedetail_addon.jobs.runner import Worker
from facedetail_addon.paths import site_directories

HEIGHT = 64
QUICK = {"height": HEIGHT, "samples": 1}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell script in Blender's place")


@pytest.fixture
def renderer(tmp_path, monkeypatch):
    """A worker that is a Blender: the bpy module, started as Blender is and as greedy for a temporary folder."""
    program = tmp_path / "blender"
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1 $2 $3" = "--background --factory-startup --python" ] || exit 9\n'
        'mkdir "$TMPDIR/blender_x" || exit 9\n'
        f'echo "Blender 4.5.1 LTS"\nshift 3\nexec "{sys.executable}" "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    worker = Worker(site_directories(sys.path), blender=str(program), tasks="cli.scene_tasks", threads=1)
    yield worker
    worker.cancel()


@pytest.fixture
def smiling(blender, model, reconstruction_of):
    """The empty of a smiling head with relief."""
    from facedetail_addon.scene.build.scene import build_scene

    root = build_scene(reconstruction_of(model, expression={"jawOpen": 0.8}), model).root
    blender.context.view_layer.update()
    return root


def start(worker: Worker, root, **choices):
    from facedetail_addon.scene.head_object import HeadObject
    from facedetail_addon.scene.lookdev.file import write_head
    from facedetail_addon.scene.relief.displacement import Relief

    write_head(worker.folder, HeadObject(root), Relief(strength=0.5))
    return picture_job(worker, lambda path: path, **QUICK, **choices)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def census(bpy) -> dict[str, list[str]]:
    kinds = ("objects", "images", "texts", "scenes", "meshes", "collections", "worlds")
    return {kind: sorted(getattr(bpy.data, kind).keys()) for kind in kinds}


def test_as_in_this_process(blender, smiling, renderer, tmp_path):
    """Also what was painted and not saved, the frame, and the artist's relief."""
    from facedetail_addon.scene.lookdev.pictures import Lookdev, sheet_steps
    from facedetail_addon.scene.relief.displacement import Relief
    from facedetail_addon.scene.steps import run_through

    albedo = blender.data.images["made up albedo"]
    plain = run_through(sheet_steps(smiling.name, Lookdev(relief=Relief(strength=0.5), **QUICK)))
    pixels = np.array(albedo.pixels, np.float32).reshape(-1, 4)
    albedo.pixels.foreach_set((pixels * (0.2, 1.0, 0.2, 1.0)).astype(np.float32).ravel())
    blender.context.scene.frame_set(7)
    here = run_through(sheet_steps(smiling.name, Lookdev(relief=Relief(strength=0.5), **QUICK)))
    before = census(blender)
    told: list[str] = []
    job = start(renderer, smiling)
    assert census(blender) == before and albedo.is_dirty
    path = job.run(lambda stage, fraction: told.append(stage))
    there = read_png(path)
    assert np.abs(there.astype(int) - here).mean() < 0.5 < np.abs(plain.astype(int) - here).mean()
    assert {"Clay, raking light", "Three-quarter view"} <= set(told)
    assert path.is_relative_to(renderer.folder) and names(tmp_path / "temporary") == [renderer.folder.name]
    renderer.close()
    assert names(tmp_path / "temporary") == []


def test_a_head_is_written_without_a_complaint(blender, smiling, tmp_path, capfd):
    """Also with another head beside it, and with what follows its shape keys first among the objects."""
    from facedetail_addon.scene.head_object import HeadObject
    from facedetail_addon.scene.lookdev.file import write_head
    from facedetail_addon.scene.relief.displacement import Relief

    head = HeadObject(smiling)
    head.parts["teeth_lower"].name = "a"
    for item in (smiling, *head.objects):
        item.select_set(True)
    blender.ops.object.duplicate()
    for one in (head, HeadObject.of(blender.context.active_object or blender.context.selected_objects[0])):
        capfd.readouterr()
        write_head(tmp_path, one, Relief())
        told = capfd.readouterr()
        assert "rror" not in (told.out + told.err) and "ERROR" not in told.err


def test_cancel_leaves_nothing(blender, smiling, renderer, tmp_path):
    output = tmp_path / "output"
    output.mkdir()
    (output / "mine.png").write_text("stays")
    job = start(renderer, smiling, frames=50, film=False, output=str(output))
    wait_until(lambda: job.step() is None and job.stage.startswith("Turntable 2"))
    assert len(names(output)) == 2 and len(names(tmp_path / "temporary")) == 1
    pid = renderer.pid
    job.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert names(output) == ["mine.png"] and names(tmp_path / "temporary") == []


def test_killed_child_is_an_error_and_leaves_nothing(blender, smiling, renderer, tmp_path):
    output = tmp_path / "output"
    output.mkdir()
    job = start(renderer, smiling, frames=50, film=True, output=str(output))
    wait_until(lambda: job.step() is None and job.stage.startswith("Turntable 1"))
    os.kill(renderer.pid, signal.SIGKILL)
    with pytest.raises(FaceDetailError, match="was killed") as raised:
        job.run(lambda stage, fraction: None)
    assert raised.value.code == "worker" and raised.value.remedy
    assert names(output) == [] and names(tmp_path / "temporary") == []


def test_a_turntable_comes_whole(blender, smiling, renderer, tmp_path):
    """Its files, and no others; a head that cannot be rendered is an error with a remedy."""
    from facedetail_addon.names import HEAD_LIGHT_PROPERTY

    output = tmp_path / "output"
    output.mkdir()
    assert start(renderer, smiling, frames=2, film=True, output=str(output)).run(lambda *told: None) == output
    assert names(output) == ["turntable.mp4"]
    renderer.close()

    smiling[HEAD_LIGHT_PROPERTY] = "gone"
    with pytest.raises(FaceDetailError, match="light") as raised:
        start(renderer, smiling, frames=2, film=False, output=str(output)).run(lambda *told: None)
    assert raised.value.code == "output" and raised.value.remedy
    assert names(output) == ["turntable.mp4"]
