# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage, build and validate the extension with Blender's own builder.

    python -m scripts.build_extension [--platform linux-x64] [--python 3.11] [--output dist]

Makes one zip for each platform and Python, by default all whose wheels lie in wheels/ (scripts.fetch_wheels), lists
their SHA-256 in SHA256SUMS, and prints a table of their sizes and, on the last lines, their paths.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from scripts.fetch_wheels import PLATFORM_TAGS, WHEELS, Wheel, WheelError, file_sha256, is_right, read_lock, wheels_for

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "blender_manifest.toml"
PACKAGE = ROOT / "facedetail_addon"
# Licences and notices that have to travel with the code and the weights.
LEGAL = ("LICENSE", "LICENSES")
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Edition:
    """The Blenders of one Python, which can share wheels. Blender refuses the zip of another edition by its version."""

    python: str
    first: str
    before: str | None
    label: str


# Two editions, not one zip with the wheels of both Pythons: that would be twice as large, and the first releases of
# Blender 4.2 unpack wheels of any Python.
EDITIONS = {
    "3.11": Edition("3.11", "4.2.0", "5.1.0", "blender-4.2-to-5.0"),
    "3.13": Edition("3.13", "5.1.0", None, "blender-5.1-and-later"),
}


@dataclass(frozen=True)
class Built:
    """One zip, and the entries of the lock that it had to be built without."""

    path: Path
    platform: str
    edition: Edition
    left_out: tuple[Wheel, ...]


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


def choose_wheels(platform: str, edition: Edition) -> tuple[list[Wheel], list[Wheel]]:
    """The wheels to bundle, and those nothing is locked for.

    Raises:
        WheelError: a locked wheel is missing or not the locked one.
    """
    wheels = wheels_for(platform, edition.python, read_lock())
    locked = [wheel for wheel in wheels if wheel.sha256]
    wrong = [wheel.title for wheel in locked if not is_right(wheel)]
    if wrong:
        missing = f"not in {WHEELS}, or not the locked files: {', '.join(wrong)}"
        raise WheelError(f"{missing}; run python -m scripts.fetch_wheels --platform {platform}")
    return locked, [wheel for wheel in wheels if not wheel.sha256]


def complete_platforms(edition: Edition) -> list[str]:
    """The platforms whose locked wheels for one edition are all in wheels/."""
    lock = read_lock()
    return [
        platform
        for platform in PLATFORM_TAGS
        if all(is_right(wheel) for wheel in wheels_for(platform, edition.python, lock) if wheel.sha256)
    ]


def stage(directory: Path, platforms: list[str], edition: Edition, files: list[str]) -> None:
    """Lay the add-on, the manifest with its wheels, and the licences out as Blender wants them."""
    shutil.copytree(
        PACKAGE, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.tmp")
    )
    (directory / "wheels").mkdir()
    for file in files:
        link_or_copy(WHEELS / file, directory / "wheels" / file)
    for name in LEGAL:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, directory / name)
        elif source.is_file():
            shutil.copy(source, directory / name)
        else:
            raise BuildError(f"{source} is missing")
    (directory / MANIFEST.name).write_text(complete_manifest(platforms, edition, files), "utf-8")


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system can, since wheels are large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


def complete_manifest(platforms: list[str], edition: Edition, files: list[str]) -> str:
    """The manifest's text with its Blender versions, platforms and wheels, placed before the first table."""
    text = MANIFEST.read_text(encoding="utf-8")
    text = re.sub(r"^blender_version_min = .*$", f'blender_version_min = "{edition.first}"', text, flags=re.MULTILINE)
    head, table, rest = text.partition("[permissions]")
    added = [f'blender_version_max = "{edition.before}"'] if edition.before else []
    added.append("platforms = [" + ", ".join(f'"{platform}"' for platform in platforms) + "]")
    added += ["wheels = [", *(f'  "./wheels/{file}",' for file in files), "]"]
    return head + "\n".join(added) + "\n\n" + table + rest


def build(platforms: list[str], edition: Edition, output: Path) -> list[Built]:
    """Build the zips of one edition, one for each platform, and validate them.

    Raises:
        BuildError, WheelError: they cannot be built.
    """
    builder = blender_builder()
    output.mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    chosen = {platform: choose_wheels(platform, edition) for platform in platforms}
    files = sorted({wheel.file for wheels, _ in chosen.values() for wheel in wheels})
    # Beside the repository's files, so that hard links work and no other disk fills up.
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as temporary:
        staged, made = Path(temporary) / manifest["id"], Path(temporary) / "made"
        made.mkdir()
        stage(staged, platforms, edition, files)
        _run(builder, "validate", str(staged))
        _run(builder, "build", "--split-platforms", "--source-dir", str(staged), "--output-dir", str(made))
        built = []
        for platform, (wheels, left_out) in chosen.items():
            start = f"{manifest['id']}-{manifest['version']}"
            target = output / f"{start}-{platform}-{edition.label}.zip"
            shutil.move(made / f"{start}-{platform.replace('-', '_')}.zip", target)
            _run(builder, "validate", str(target))
            check_zip(target, {wheel.file for wheel in wheels})
            built.append(Built(target, platform, edition, tuple(left_out)))
    return built


def check_zip(path: Path, wheels: set[str]) -> None:
    """Exactly the platform's wheels, and nothing compiled.

    Raises:
        BuildError: otherwise.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any("__pycache__" in name for name in names):
        raise BuildError(f"{path} holds compiled files")
    found = {name.rpartition("/")[2] for name in names if name.endswith(".whl")}
    if found != wheels:
        raise BuildError(f"{path} holds other wheels than the platform's: {', '.join(sorted(found ^ wheels))}")


def _run(builder: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, str(builder), *arguments], text=True, capture_output=True)
    if done.returncode:
        raise BuildError(f"{builder.name} {arguments[0]} failed:\n{done.stdout}{done.stderr}")


def write_sums(directory: Path) -> Path:
    """List the SHA-256 of all zips in the folder as sha256sum does; the path of the list."""
    path = directory / SUMS
    lines = [f"{file_sha256(archive)}  {archive.name}\n" for archive in sorted(directory.glob("*.zip"))]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def report(built: list[Built]) -> str:
    """A Markdown table: what each zip weighs, and what of it is torch, other wheels and our own files, in MB."""
    rows = ["| zip | MB | torch | other wheels | FaceDetail | unpacked | without |", "|---|---|---|---|---|---|---|"]
    for one in built:
        with zipfile.ZipFile(one.path) as archive:
            entries = archive.infolist()
            wheels = {info.filename.rpartition("/")[2]: info for info in entries if info.filename.endswith(".whl")}
            unpacked = sum(info.file_size for info in entries) - sum(info.file_size for info in wheels.values())
            for info in wheels.values():
                with archive.open(info) as stream, zipfile.ZipFile(stream) as wheel:
                    unpacked += sum(inner.file_size for inner in wheel.infolist())
        torch = sum(info.compress_size for file, info in wheels.items() if file.startswith("torch-"))
        bundled = sum(info.compress_size for info in wheels.values())
        size = one.path.stat().st_size
        figures = " | ".join(f"{value / 1e6:.0f}" for value in (size, torch, bundled - torch, size - bundled, unpacked))
        rows.append(f"| {one.path.name} | {figures} | {', '.join(wheel.name for wheel in one.left_out) or '-'} |")
    return "\n".join(rows)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", action="append", choices=list(PLATFORM_TAGS), help="may be repeated")
    parser.add_argument("--python", action="append", choices=list(EDITIONS), help="may be repeated")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    built = []
    try:
        for edition in [EDITIONS[python] for python in arguments.python or EDITIONS]:
            platforms = arguments.platform or complete_platforms(edition)
            if missing := set(arguments.platform or PLATFORM_TAGS) - set(platforms):
                missing = ", ".join(sorted(missing))
                print(f"not built for {edition.label}: {missing}: wheels are missing in {WHEELS}", file=sys.stderr)
            if platforms:
                built += build(platforms, edition, arguments.output)
        if not built:
            raise BuildError("no wheels are there; run python -m scripts.fetch_wheels")
    except (BuildError, WheelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write_sums(arguments.output)
    print(report(built), end="\n\n")
    for one in built:
        print(one.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
