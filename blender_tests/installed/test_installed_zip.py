# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip, installed into a clean Blender: it must live on what the zip itself brings, and go without a trace.

Blender 4.5 is linked from this environment. ``scripts.test_installed`` makes environments for the other versions.
``FACEDETAIL_PACKAGES`` may name a folder with torch for the Python of a Blender whose zip comes without.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.fetch_wheels import WheelError, read_lock, this_platform, wheels_for
from scripts.test_installed import BLENDERS, environment_python

ROOT = Path(__file__).resolve().parent.parent.parent
SESSION = Path(__file__).with_name("artist_session.py")
HERE = "4.5"
CLASSES = {"FACEDETAIL_OT_reconstruct", "FACEDETAIL_OT_copy_command", "FACEDETAIL_PT_reconstruct"}

pytestmark = pytest.mark.installed


@dataclass(frozen=True)
class Session:
    """What ``artist_session.py`` told, in which Blender, and where it wrote."""

    facts: dict
    version: str
    user: Path
    output: Path
    torch_expected: bool
    packages: str | None


def run_script(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope="module")
def build_for(tmp_path_factory) -> Iterator[Callable[[str], Path]]:
    """The function that builds the zip for this platform and a Python, once."""
    built: dict[str, Path] = {}

    def build(python: str) -> Path:
        if python not in built:
            try:
                choice = ("--platform", this_platform(), "--python", python)
            except WheelError as error:
                pytest.skip(str(error))
            fetched = run_script("scripts.fetch_wheels", *choice)
            if fetched.returncode:
                pytest.skip(f"the wheels to bundle cannot be had here: {fetched.stderr.strip()}")
            output = tmp_path_factory.mktemp("dist")
            done = run_script("scripts.build_extension", *choice, "--output", str(output))
            assert done.returncode == 0, done.stderr
            built[python] = Path(done.stdout.strip().splitlines()[-1])
            assert built[python].name in (output / "SHA256SUMS").read_text()
        return built[python]

    yield build
    for path in built.values():
        path.unlink()


def requirements(name: str, found: set[str]) -> set[str]:
    """A distribution and all it needs, without optional extras."""
    if name not in found:
        found.add(name)
        for line in importlib.metadata.requires(name) or ():
            if "extra ==" not in line:
                requirements(re.match(r"[\w.-]+", line)[0].lower(), found)
    return found


def link_blender(directory: Path) -> Path:
    """The interpreter of an environment that holds bpy and what bpy needs, linked from this one, and nothing else."""
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    venv.create(directory, with_pip=False, symlinks=True)
    (packages,) = directory.glob("lib/python3.*/site-packages")
    for name in requirements("bpy", set()):
        distribution = importlib.metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            (packages / top).symlink_to(Path(distribution.locate_file(top)))
    return directory / "bin" / "python"


def own_mounts() -> list[str]:
    """The start of a command whose mounts nobody else sees; empty for those who may not mount."""
    command = ["unshare", "--mount"]
    may = shutil.which(command[0]) and os.geteuid() == 0
    return command if may and subprocess.run([*command, "true"], capture_output=True).returncode == 0 else []


@pytest.fixture(scope="module", params=[HERE, *BLENDERS])
def session(request, build_for, tmp_path_factory) -> Iterator[Session]:
    """One artist's session in one Blender. Its user folder is removed at once: the unpacked wheels are large."""
    from skimage import data

    version, directory = request.param, tmp_path_factory.mktemp(f"blender {request.param}")
    if version == HERE:
        interpreter, python = link_blender(directory / "bare"), "3.11"
    else:
        interpreter, python = environment_python(version), BLENDERS[version].python
        if not interpreter.exists():
            pytest.skip(f"no environment for Blender {version}: python -m scripts.test_installed {version} makes it")
    archive, user, output = build_for(python), directory / "user folder", directory / "results"
    torch = next(wheel for wheel in wheels_for(this_platform(), python, read_lock()) if wheel.name == "torch")
    packages = None if torch.sha256 else os.environ.get("FACEDETAIL_PACKAGES")
    user.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["BLENDER_USER_RESOURCES"] = str(user)
    photo = Path(data.__file__).parent / "astronaut.png"
    command = [*own_mounts(), interpreter, "-I", SESSION, archive, photo, output, *([packages] if packages else [])]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    shutil.rmtree(user)
    assert done.returncode == 0, done.stderr + done.stdout
    # What Blender's own code prints may come after it, when the process ends.
    facts = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))
    yield Session(facts, version, user, output, bool(torch.sha256), packages)


def test_is_installed_and_registered(session):
    """Code and packages come from the installed extension, numpy from Blender."""
    facts = session.facts
    assert facts["version"].startswith(session.version)
    assert set(facts["registered"]) >= CLASSES
    assert Path(facts["addon"]).is_relative_to(session.user)
    assert not Path(facts["numpy"]).is_relative_to(session.user)
    assert Path(facts["results"]).is_relative_to(session.user)
    if session.torch_expected:
        assert Path(facts["torch"]).is_relative_to(session.user / "extensions" / ".local")
    else:
        assert facts["torch"] is None


def test_reconstructs(session):
    if not session.torch_expected and session.packages is None:
        pytest.skip("this zip comes without torch, and FACEDETAIL_PACKAGES names no folder with one")
    facts = session.facts
    assert facts["finished"] == ["FINISHED"]
    assert not facts["torch_in_blender"], "torch stays in the worker"
    assert facts["heads"] == ["FaceDetail astronaut"]
    # The basis, 53 expressions, three more of ARKit, the rest of the smile, and the limit of mouthClose.
    assert facts["keys"] == 59
    assert facts["emotion"] == "happy"
    assert facts["camera"].startswith("astronaut")
    assert (session.output / "astronaut" / "reconstruction.json").is_file()


def test_all_buttons_of_a_head_work(session):
    if "buttons" not in session.facts:
        pytest.skip("nothing was reconstructed: this zip brings no torch")
    wrong = {name: told for name, (right, told) in session.facts["buttons"].items() if not right}
    assert not wrong and len(session.facts["buttons"]) >= 13


def test_says_what_to_do_without_torch(session):
    """It registers all the same."""
    without = session.facts["without_torch"]
    assert set(without["registered"]) >= CLASSES
    panel = " ".join(without["panel"])
    assert "torch is not installed" in panel
    assert "[facedetail.copy_command]" in panel
    python = "3.11" if session.version == HERE else BLENDERS[session.version].python
    assert f"--python-version {python} " in without["error"], "the operator tells the command, too"


def test_says_what_is_wrong_with_torch(session):
    if not session.torch_expected:
        pytest.skip("this zip comes without torch")
    facts = session.facts
    assert "torch 2.1.0+cpu is installed in" in facts["old_torch"]["error"]
    assert "not made for this Blender's Python" in facts["foreign_torch"]["error"]
    for name in ("old_torch", "foreign_torch"):
        assert set(facts[name]["registered"]) >= CLASSES
        assert "[facedetail.copy_command]" in facts[name]["panel"]


def test_says_what_to_do_without_its_own_packages(session):
    """What the add-on's modules import is missing: then there is only a panel."""
    without = session.facts["without_opencv"]
    assert without["registered"] == ["FACEDETAIL_OT_copy_command", "FACEDETAIL_PT_requirements"]
    assert "missing: cv2." in " ".join(without["panel"])


def test_leaves_its_folder_and_the_search_path_alone(session):
    """What was installed is what the zip holds, to the last byte and after all that was done."""
    assert session.facts["files_changed"] == []
    assert not session.facts["paths_changed"]


def test_works_where_nothing_can_be_written(session):
    """While it reconstructed, its folder and the unpacked packages were read-only."""
    if "read_only" not in session.facts:
        pytest.skip("nothing was reconstructed")
    if not session.facts["read_only"]:
        pytest.skip("nothing can keep this user from writing here: root without mounts, or Windows")
    assert session.facts["finished"] == ["FINISHED"]


def test_goes_without_a_trace(session):
    facts = session.facts
    assert facts["disabled"] == facts["removed"] == ["FINISHED"]
    assert not facts["worker_left"], "the worker ends when the add-on is switched off"
    assert facts["left"] == []
    assert not facts["folder_left"]
    assert facts["packages_left"] == []
