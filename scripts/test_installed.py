# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an environment with nothing but Blender for each supported version, then test the built zips in them.

    python scripts/test_installed.py [4.2 5.0 5.2] [-- pytest arguments]

Blender 4.5 is the bpy of this environment and is always tested. The others are installed below build/blenders (about
1.5 GB each); the tests find them there, and skip those that are missing.
"""

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "build" / "blenders"


@dataclass(frozen=True)
class Blender:
    """A Blender to test in: the bpy module, its Python, and the numpy that the official builds of it bring."""

    bpy: str
    python: str
    numpy: str


BLENDERS = {
    "4.2": Blender("4.2.23", "3.11", "1.24.3"),
    "5.0": Blender("5.0.1", "3.11", "1.26.4"),
    "5.2": Blender("5.2.0", "3.13", "2.3.4"),
}


class BlenderError(Exception):
    """An environment cannot be made here."""


def environment_python(version: str) -> Path:
    """The interpreter of one Blender's environment, whether it is there or not."""
    return ENVIRONMENTS / version / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment(version: str) -> Path:
    """Install one Blender, unless it is there; returns its interpreter.

    Raises:
        BlenderError: its Python is not installed, or pip cannot install it.
    """
    interpreter, blender = environment_python(version), BLENDERS[version]
    if interpreter.exists():
        return interpreter
    directory = ENVIRONMENTS / version
    unfinished = directory.with_name(f"{version}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    _run([find_python(blender.python), "-m", "venv", str(unfinished)])
    pip = [str(unfinished / interpreter.relative_to(directory)), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--only-binary=:all:", f"bpy=={blender.bpy}", f"numpy=={blender.numpy}"])
    unfinished.rename(directory)
    return interpreter


def find_python(version: str) -> str:
    """An installed interpreter of that version: this one, one on the path, or one of pyenv's."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    found = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    # One on the path may be pyenv's stand-in for a version that is not switched on.
    candidates = [found] * bool(found) + sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))
    for candidate in candidates:
        done = subprocess.run(
            [candidate, "-c", "import sys; print(*sys.version_info[:2], sep='.')"], capture_output=True
        )
        if done.stdout.decode().strip() == version:
            return candidate
    raise BlenderError(f"Python {version} is not installed here.")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BlenderError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def split_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Ours, and those after ``--`` for pytest."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"of {', '.join(BLENDERS)}; default: all")
    given, for_pytest = split_arguments(sys.argv[1:])
    arguments = parser.parse_args(given)
    unknown = set(arguments.versions) - set(BLENDERS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for version in arguments.versions or BLENDERS:
        try:
            print(f"Blender {version}: {make_environment(version)}", flush=True)
        except BlenderError as error:
            print(f"Blender {version}: not tested: {error}", file=sys.stderr)
    tests = str(ROOT / "blender_tests" / "installed")
    return subprocess.run([sys.executable, "-m", "pytest", tests, *for_pytest], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
