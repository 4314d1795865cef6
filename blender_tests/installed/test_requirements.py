# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding out, by files alone, whether torch is there and will do."""

import importlib.machinery
import shlex
import sys
from pathlib import Path

import pytest

from facedetail_addon.requirements import install_command, missing_packages, torch_problem

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def install_torch(site: Path, version: str, native: str = f"_C{SUFFIX}") -> Path:
    """The files by which a torch is judged."""
    folder = site / "torch"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / native).touch()
    (folder / "version.py").write_text(f"__version__ = '{version}'\ndebug = False\n")
    return folder


@pytest.mark.parametrize("version", ["2.13.0", "2.13.0+cpu", "2.13.1+cu130", "2.20.0a0+git1234"])
def test_good_torch(tmp_path, version):
    install_torch(tmp_path, version)
    assert torch_problem([str(tmp_path)], tmp_path / "own") is None


@pytest.mark.parametrize("version", ["2.12.1", "1.13.1", "3.0.0", "2.9.1+cu118"])
def test_torch_of_another_version(tmp_path, version):
    folder = install_torch(tmp_path, version)
    problem = torch_problem([str(tmp_path)], tmp_path / "own")
    assert f"torch {version} is installed in {folder}" in problem.message
    assert f'--target "{tmp_path}"' in problem.command, "it is replaced where it lies"


def test_torch_for_another_python(tmp_path):
    install_torch(tmp_path, "2.13.0", native="_C.cpython-27-x86_64-linux-gnu.so")
    assert "not made for this Blender's Python" in torch_problem([str(tmp_path)], tmp_path / "own").message


@pytest.mark.parametrize("text", ["", "version = 2", "__version__ = 'nightly'"])
def test_damaged_torch(tmp_path, text):
    (install_torch(tmp_path, "2.13.0") / "version.py").write_text(text)
    assert "damaged" in torch_problem([str(tmp_path)], tmp_path / "own").message


def test_no_torch(tmp_path):
    problem = torch_problem([str(tmp_path)], tmp_path / "own packages")
    words = shlex.split(problem.command)
    assert words[words.index("--target") + 1] == str(tmp_path / "own packages")
    assert words[words.index("--python-version") + 1] == ".".join(map(str, sys.version_info[:2]))


def test_torch_is_seen_as_soon_as_it_is_there(tmp_path):
    """The artist types the command while Blender runs."""
    directories = [str(tmp_path / "own")]
    assert torch_problem(directories, tmp_path / "own") is not None
    install_torch(tmp_path / "own", "2.13.0")
    assert torch_problem(directories, tmp_path / "own") is None


def test_first_folder_counts(tmp_path):
    """As in the worker's search path."""
    install_torch(tmp_path / "old", "1.0.0")
    install_torch(tmp_path / "new", "2.13.0")
    directories = [str(tmp_path / "new"), str(tmp_path / "old")]
    assert torch_problem(directories, tmp_path) is None
    assert torch_problem(directories[::-1], tmp_path) is not None


def test_folder_without_code_is_no_torch(tmp_path):
    """What a removed package leaves behind."""
    (tmp_path / "torch" / "lib").mkdir(parents=True)
    assert "not installed" in torch_problem([str(tmp_path)], tmp_path).message


def test_missing_packages_are_named(tmp_path):
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").touch()
    assert missing_packages(("scipy",), [str(tmp_path)]) is None
    assert "missing: cv2, PIL." in missing_packages(("scipy", "cv2", "PIL"), [str(tmp_path)]).message


def test_command_is_for_the_cpu(tmp_path):
    assert "--index-url https://download.pytorch.org/whl/cpu torch==2.13.0" in install_command(tmp_path)
