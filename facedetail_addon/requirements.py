# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the Python packages that FaceDetail needs are there, and what to do when they are not.

Looks only; nothing is imported here, because torch stays out of Blender's process, and because this has to work where
everything is missing.
"""

import re
import sys
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path

from .names import ADDON
from .paths import site_directories, user_folder

NEEDED_BY_BLENDER = ("numpy", "scipy", "cv2")
"""What the add-on itself imports in Blender's process."""
NEEDED_BY_WORKER = (*NEEDED_BY_BLENDER, "PIL", "embreex", "h5py", "safetensors")
TORCH = (2, 13)
"""The torch that FaceDetail is made and tested with; newer ones of the same major version will do."""
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_PACKAGES = "packages"
_INSTALL_ZIP = (
    "Switch FaceDetail off and on in the preferences: Blender then unpacks its packages again. If that does not help, "
    "install the zip that is made for this Blender and this system."
)


@dataclass(frozen=True)
class Problem:
    """What keeps FaceDetail from working here.

    Attributes:
        message: one sentence, what is wrong.
        remedy: one or two sentences, what to do.
        command: to be typed in a terminal; empty where none helps.
    """

    message: str
    remedy: str
    command: str = ""


def packages_folder() -> Path:
    """Where packages may lie that the zip does not bring. Only the worker process looks there."""
    return user_folder(ADDON) / _PACKAGES


def worker_directories() -> list[str]:
    """Folders in which the worker process looks for packages: those of Blender's Python, then the user's own."""
    return [*site_directories(sys.path), str(packages_folder())]


def blender_problem() -> Problem | None:
    """What keeps the add-on's own modules from loading in this process."""
    return missing_packages(NEEDED_BY_BLENDER, sys.path)


def worker_problem() -> Problem | None:
    """What would keep a reconstruction from starting."""
    directories = worker_directories()
    return missing_packages(NEEDED_BY_WORKER, directories) or torch_problem(directories, packages_folder())


def missing_packages(names: tuple[str, ...], directories: list[str]) -> Problem | None:
    """Those packages of the zip that are in none of the folders."""
    missing = [name for name in names if _find(name, directories) is None]
    if not missing:
        return None
    return Problem(f"Python packages are missing: {', '.join(missing)}.", _INSTALL_ZIP)


def torch_problem(directories: list[str], own_packages: Path) -> Problem | None:
    """No torch in the folders, or one that will not do.

    Args:
        directories: where the worker looks, in its order.
        own_packages: where to put one if there is none.
    """
    spec = _find("torch", directories)
    if spec is None or spec.origin is None:
        return Problem(
            "The Python package torch is not installed.",
            "Type the command below in a terminal; it needs any Python with pip.",
            install_command(own_packages),
        )
    folder = Path(spec.origin).parent
    wrong = _wrong_torch(folder)
    if wrong is None:
        return None
    remedy = "Replace it by the command below, then start Blender again."
    return Problem(wrong, remedy, install_command(folder.parent))


def _find(name: str, directories: list[str]) -> ModuleSpec | None:
    # Python would remember for good that a folder is not there, and the artist may just be making it.
    return PathFinder.find_spec(name, [directory for directory in directories if Path(directory).is_dir()])


def _wrong_torch(folder: Path) -> str | None:
    """What is wrong with an installed torch, by its files."""
    if not any((folder / f"_C{suffix}").is_file() for suffix in EXTENSION_SUFFIXES):
        return f"The torch in {folder} is not made for this Blender's Python."
    try:
        text = (folder / "version.py").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    found = re.search(r"__version__ = '((\d+)\.(\d+)[^']*)'", text)
    if found is None:
        return f"The torch in {folder} is damaged: it does not say its version."
    if not TORCH <= (int(found[2]), int(found[3])) < (TORCH[0] + 1, 0):
        needed = ".".join(map(str, TORCH))
        return f"torch {found[1]} is installed in {folder}; FaceDetail needs {needed} or a newer {TORCH[0]}.x."
    return None


def install_command(target: Path) -> str:
    """The command with which any Python's pip puts torch into a folder, made for this Python."""
    python, version = ".".join(map(str, sys.version_info[:2])), ".".join(map(str, TORCH))
    return (
        f'python -m pip install --upgrade --no-deps --only-binary=:all: --python-version {python} --target "{target}" '
        f"--index-url {TORCH_INDEX} torch=={version}.0"
    )
