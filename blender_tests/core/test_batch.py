# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders on the command line, with workers that are killed, runs that are interrupted, and runs that go on."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from blender_tests.core.command_line import FAST, children_of, entries, photos_in, read_until, starting
from blender_tests.processes import PATIENCE_S, is_alive
from facedetail_addon.cli.batch import JobSpecification, Task, results_of_workers
from facedetail_addon.cli.run_log import settings_hash
from facedetail_addon.cli.terminal import ProgressLine
from facedetail_addon.core.result.files import read_result
from facedetail_addon.jobs.runner import Worker
from facedetail_addon.paths import site_directories
from facedetail_addon.settings import PRIOR, SceneSettings, Settings

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's list of child processes")


@pytest.fixture
def photos(tmp_path) -> Path:
    return photos_in(tmp_path / "photos")


@pytest.fixture
def start():
    with starting() as begin:
        yield begin


def test_a_killed_photo_is_the_only_loss_and_resume_makes_it_good(photos, tmp_path, start):
    output = tmp_path / "out"
    asked = (*FAST, "--expression", PRIOR)
    run = start("reconstruct", photos, "--output", output, *asked)
    read_until(run, "a.png (1/3): Unwrapping")
    (killed,) = children_of(run.pid)
    os.kill(killed, signal.SIGKILL)
    out, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3
    assert out.splitlines() == [str(output / "b")]
    assert {path.name for path in output.iterdir()} == {"b", "manifest.jsonl"}
    first, second, third = entries(output)
    assert (first["folder"], first["status"], first["error"]["code"]) == ("a", "failed", "worker")
    assert "was killed" in first["error"]["message"] and "smaller texture" in first["error"]["remedy"]
    assert (second["folder"], second["status"], second["error"]) == ("b", "done", None)
    assert (third["folder"], third["status"], third["error"]["code"]) == ("c", "failed", "photo")
    assert second["seconds"] > 0 and second["settings"] == first["settings"] and err.count("\ntry: ") == 2
    record = read_result(output / "b").record
    assert [notice.code for notice in record.notices] == second["warnings"] and record.expression_source == PRIOR

    (photos / "c.jpg").unlink()
    (output / ".a.0a1b2c3d.partial").mkdir()
    written = (output / "b" / "reconstruction.json").stat().st_mtime_ns
    run = start("reconstruct", photos, "--output", output, "--resume", "--quiet", *asked)
    out, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, err) == (0, ""), "quiet: nothing but the folders"
    assert sorted(out.splitlines()) == [str(output / "a"), str(output / "b")]
    assert {entry["folder"]: entry["status"] for entry in entries(output)[3:]} == {"a": "done", "b": "skipped"}
    assert (output / "b" / "reconstruction.json").stat().st_mtime_ns == written
    assert {path.name for path in output.iterdir()} == {"a", "b", "manifest.jsonl"}


def test_interrupt_ends_every_worker_and_leaves_nothing_half(photos, tmp_path, start):
    output = tmp_path / "out"
    run = start("reconstruct", photos, "--output", output, "--jobs", 2, *FAST)
    read_until(run, "a.png (1/3): Unwrapping", "b.png (2/3): Fitting")
    workers = children_of(run.pid)
    assert len(workers) == 2
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130 and out == "" and "interrupted" in err
    assert not any(map(is_alive, workers))
    left = {path.name for path in output.iterdir()} if output.exists() else set()
    assert left <= {"manifest.jsonl"}


def test_photos_that_vanish_fail_one_by_one(photos, tmp_path, start):
    """A disk unplugged while a run is at it: what was read is done, the rest is written down with its reason."""
    output = tmp_path / "out"
    run = start("reconstruct", photos, "--output", output, *FAST)
    read_until(run, "a.png (1/3): Unwrapping")
    shutil.rmtree(photos)
    out, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, out.splitlines()) == (3, [str(output / "a")])
    assert [entry["status"] for entry in entries(output)] == ["done", "failed", "failed"]
    assert all(entry["error"]["code"] == "photo" and entry["sha256"] is None for entry in entries(output)[1:])
    assert err.count("\ntry: ") == 2 and "Traceback" not in err


def test_a_worker_that_is_a_blender_may_greet_and_leaves_no_files(tmp_path, monkeypatch):
    """Blender prints its version before it runs our script, keeps its own arguments, and has a temporary folder."""
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    blender = tmp_path / "blender"
    blender.write_text(
        "#!/bin/sh\n"
        f'[ "$1 $2 $3" = "--background --factory-startup --python" ] || exit 9\n'
        f'echo "Blender 4.5.1 LTS"\necho "$TMPDIR" > "{tmp_path}/told"\nmkdir "$TMPDIR/blender_a1"\n'
        f'shift 3\nexec "{sys.executable}" "$@"\n'
    )
    blender.chmod(0o755)
    worker = Worker(site_directories(sys.path), blender=str(blender), tasks="cli.scene_tasks")
    specification = JobSpecification(Settings(), tmp_path / "none", SceneSettings())
    task = Task(1, tmp_path / "missing.png", tmp_path / "out", None)
    (result,) = results_of_workers(
        [task], specification, lambda task: ProgressLine(sys.stderr, "", quiet=True), [worker]
    )
    assert result.error.code == "photo" and "missing.png does not exist" in result.error.message
    assert "Blender 4.5.1 LTS" in worker.log()
    assert Path((tmp_path / "told").read_text().strip()).parent == own
    assert list(own.iterdir()) == []


def test_settings_are_compared_by_what_they_make():
    here, small = Path("/here"), Settings(resolution=512)
    plain = settings_hash(JobSpecification(small, here))
    assert plain == settings_hash(JobSpecification(small, Path("/there")))
    assert plain != settings_hash(JobSpecification(Settings(resolution=1024), here))
    in_scene = settings_hash(JobSpecification(small, here, SceneSettings()))
    assert plain != in_scene != settings_hash(JobSpecification(small, here, SceneSettings(render=True)))
