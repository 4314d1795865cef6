# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip, installed into a clean Blender: its worker must live on what the zip itself brings."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SESSION = Path(__file__).with_name("artist_session.py")

pytestmark = pytest.mark.installed


def run_script(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Iterator[Path]:
    """The extension's zip for this platform."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the lock of wheels covers linux-x64 only so far")
    fetched = run_script("scripts/fetch_wheels.py")
    if fetched.returncode:
        pytest.skip(f"the wheels to bundle cannot be had here: {fetched.stderr.strip()}")
    built = run_script("scripts/build_extension.py", "--output", str(tmp_path_factory.mktemp("dist")))
    assert built.returncode == 0, built.stderr
    path = Path(built.stdout.strip())
    yield path
    path.unlink()


def requirements(name: str, found: set[str]) -> set[str]:
    """A distribution and all it needs, without optional extras."""
    if name not in found:
        found.add(name)
        for line in importlib.metadata.requires(name) or ():
            if "extra ==" not in line:
                requirements(re.match(r"[\w.-]+", line)[0].lower(), found)
    return found


@pytest.fixture(scope="module")
def bare_blender(tmp_path_factory) -> Path:
    """The interpreter of an environment that holds bpy and what bpy needs, linked from this one, and nothing else."""
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    directory = tmp_path_factory.mktemp("bare")
    venv.create(directory, with_pip=False, symlinks=True)
    (packages,) = directory.glob("lib/python3.*/site-packages")
    for name in requirements("bpy", set()):
        distribution = importlib.metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            (packages / top).symlink_to(Path(distribution.locate_file(top)))
    return directory / "bin" / "python"


@pytest.fixture
def user_folder(tmp_path) -> Iterator[Path]:
    """An empty Blender user folder, removed at once: the unpacked wheels are large."""
    directory = tmp_path / "user folder"
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_artist_installs_and_reconstructs(archive, bare_blender, user_folder, tmp_path):
    from skimage import data

    photo = Path(data.__file__).parent / "astronaut.png"
    user, output = user_folder, tmp_path / "results"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["BLENDER_USER_RESOURCES"] = str(user)
    done = subprocess.run(
        [bare_blender, "-I", SESSION, archive, photo, output], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr + done.stdout
    facts = json.loads(done.stdout.strip().splitlines()[-1])

    assert facts["enabled"]
    # Code and packages come from the installed extension, numpy from Blender.
    assert Path(facts["addon"]).is_relative_to(user)
    assert Path(facts["torch"]).is_relative_to(user / "extensions" / ".local")
    assert not Path(facts["numpy"]).is_relative_to(user)
    assert Path(facts["results"]).is_relative_to(user)

    assert facts["first"] == facts["second"] == ["FINISHED"]
    assert facts["first_pid"] == facts["second_pid"], "the worker stays warm between photos"
    assert not facts["torch_in_blender"], "torch stays in the worker"
    assert len(facts["heads"]) == 2
    assert facts["keys"] == 54
    assert facts["emotion"] == "happy"
    assert facts["camera"].startswith("astronaut")
    assert (output / "astronaut" / "reconstruction.json").is_file()
    assert not is_alive(facts["first_pid"]), "the worker ends with Blender"
