# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage, build and validate the extension with Blender's own builder.

    python scripts/build_extension.py [--platform linux-x64] [--output dist]

The wheels must lie in wheels/ (scripts/fetch_wheels.py). Prints the path of the zip.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from fetch_wheels import WHEELS, WheelError, is_right, read_lock, wheels_for

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "blender_manifest.toml"
PACKAGE = ROOT / "facedetail_addon"
# Licences and notices that have to travel with the code and the weights.
LEGAL = ("LICENSE", "LICENSES")


class BuildError(Exception):
    """The extension cannot be built."""


def blender_builder() -> Path:
    """Blender's command line tool for extensions, from the installed bpy module."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise BuildError("the bpy module is not installed: pip install bpy==4.5.*")
    found = sorted(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if not found:
        raise BuildError(f"no blender_ext.py beside {spec.origin}")
    return found[-1]


def stage(directory: Path, platform: str) -> None:
    """Lay the add-on, the manifest with its wheels, and the licences out as Blender wants them.

    Raises:
        WheelError: a wheel is missing or not the locked one.
    """
    shutil.copytree(
        PACKAGE, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.tmp")
    )
    wheels = wheels_for(platform, read_lock())
    wrong = [wheel.name for wheel in wheels if not is_right(wheel)]
    if wrong:
        raise WheelError(f"not in {WHEELS}, or not the locked files: {', '.join(wrong)}; run scripts/fetch_wheels.py")
    (directory / "wheels").mkdir()
    for wheel in wheels:
        link_or_copy(WHEELS / wheel.file, directory / "wheels" / wheel.file)
    for name in LEGAL:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, directory / name)
        elif source.is_file():
            shutil.copy(source, directory / name)
        else:
            raise BuildError(f"{source} is missing")
    (directory / MANIFEST.name).write_text(manifest_with_wheels([wheel.file for wheel in wheels], platform), "utf-8")


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system can, since wheels are large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


def manifest_with_wheels(files: list[str], platform: str) -> str:
    """The manifest's text with its platform and its list of wheels, placed before the first table."""
    text = MANIFEST.read_text(encoding="utf-8")
    listed = "\n".join(f'  "./wheels/{file}",' for file in files)
    added = f'platforms = ["{platform}"]\nwheels = [\n{listed}\n]\n\n'
    head, table, rest = text.partition("[permissions]")
    return head + added + table + rest


def build(platform: str, output: Path) -> Path:
    """Build one platform's zip and validate it; returns its path.

    Raises:
        BuildError, WheelError: it cannot be built.
    """
    builder = blender_builder()
    output.mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    target = output / f"{manifest['id']}-{manifest['version']}-{platform}.zip"
    # Beside the repository's files, so that hard links work and no other disk fills up.
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as temporary:
        staged = Path(temporary) / manifest["id"]
        stage(staged, platform)
        _run(builder, "validate", str(staged))
        _run(builder, "build", "--source-dir", str(staged), "--output-filepath", str(target))
    _run(builder, "validate", str(target))
    with zipfile.ZipFile(target) as archive:
        if any("__pycache__" in name for name in archive.namelist()):
            raise BuildError(f"{target} holds compiled files")
    return target


def _run(builder: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, str(builder), *arguments], text=True, capture_output=True)
    if done.returncode:
        raise BuildError(f"{builder.name} {arguments[0]} failed:\n{done.stdout}{done.stderr}")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", default="linux-x64", choices=("linux-x64",))
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    try:
        print(build(arguments.platform, arguments.output))
    except (BuildError, WheelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
