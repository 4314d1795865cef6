# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of bundled wheels: complete for every platform and Python, and for those Blenders only.

What can be known of the zips for Windows and macOS without running them.
"""

import ast
import importlib.metadata
import re
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from scripts.fetch_wheels import ANY, PLATFORM_TAGS, PYTHONS, WHEELS, is_right, read_lock, wheels_for

# The numpy of Blender's official builds, which bundled packages have to accept.
BLENDERS_NUMPY = {"3.11": ("1.24.3", "1.26.4"), "3.13": ("2.3.4",)}
# Asked for, and not needed: OpenCV is bundled without windows, numba and the compiler's packages are never used.
NOT_BUNDLED = {"opencv-python", "numba", "setuptools", "colorama"}
PACKAGE = Path(__file__).resolve().parent.parent.parent / "facedetail_addon"
# What Blender's Python has.
BLENDERS_MODULES = {"_cycles", "bpy", "bpy_extras", "gpu", "gpu_extras", "mathutils", "numpy"}
OPTIONAL = {"distributed"}  # for batches on a cluster, which no zip brings
# Known by name and version alone; the README says where they come from.
NOT_LOCKED = {("torch", "linux-x64", "3.13")}

editions = pytest.mark.parametrize(("platform", "python"), [(p, v) for p in PLATFORM_TAGS for v in PYTHONS])


def test_numpy_is_never_bundled():
    """Blender brings its own, and all extensions share one folder."""
    assert not [wheel for wheel in read_lock() if wheel.name.startswith("numpy")]


def test_everything_is_locked_but_what_the_readme_names():
    unlocked = {(wheel.name, wheel.platform, wheel.python) for wheel in read_lock() if not wheel.sha256}
    assert unlocked == NOT_LOCKED
    hashes = [wheel.sha256 for wheel in read_lock() if wheel.sha256]
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in hashes)
    assert len(set(hashes)) == len(hashes)


@editions
def test_every_edition_has_the_same_packages_once(platform, python):
    names = [wheel.name for wheel in wheels_for(platform, python, read_lock())]
    assert len(set(names)) == len(names)
    assert set(names) == {wheel.name for wheel in read_lock()}


@editions
def test_files_are_for_their_platform_and_python(platform, python):
    for wheel in wheels_for(platform, python, read_lock()):
        if not wheel.file:
            continue
        name, version, _, tags = parse_wheel_filename(wheel.file)
        assert (name, version) == (canonicalize_name(wheel.name), Version(wheel.version))
        assert tags & installable(platform, python), f"pip would not install {wheel.file} there"
        for other in editions_but(platform, python):
            assert tags.isdisjoint(installable(*other)) or ANY in (wheel.platform, wheel.python), wheel.file
        if wheel.platform == ANY:
            assert {tag.platform for tag in tags} == {ANY}


def installable(platform: str, python: str) -> set[Tag]:
    """The tags that pip accepts there: on Linux with glibc 2.28, on macOS 14."""
    version, systems = tuple(map(int, python.split("."))), PLATFORM_TAGS[platform]
    compatible = compatible_tags(version, f"cp{python.replace('.', '')}", systems)
    return {*cpython_tags(version, platforms=systems), *compatible}


def editions_but(platform: str, python: str) -> list[tuple[str, str]]:
    return [(p, v) for p in PLATFORM_TAGS for v in PYTHONS if (p, v) != (platform, python)]


@editions
def test_every_import_of_the_addon_is_bundled_or_blenders(platform, python):
    wheels = wheels_for(platform, python, read_lock())
    here = [wheel for wheel in wheels if is_right(wheel)]
    if len(here) < len([wheel for wheel in wheels if wheel.sha256]):
        pytest.skip(f"not all wheels in {WHEELS}: python -m scripts.fetch_wheels --platform {platform} fetches them")
    bundled = {name for wheel in here for name in modules_of(WHEELS / wheel.file)}
    missing = imports_of(PACKAGE) - bundled - sys.stdlib_module_names - BLENDERS_MODULES - NOT_BUNDLED - OPTIONAL
    assert missing == {wheel.name for wheel in wheels if not wheel.sha256}


def modules_of(wheel: Path) -> set[str]:
    """The names that can be imported from a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/") for name in archive.namelist()}
    return {top if slash else top.partition(".")[0] for top, slash, _ in tops if slash or top.endswith(".py")}


def imports_of(package: Path) -> set[str]:
    """The names of all packages that the modules of a package import from outside of it."""
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.partition(".")[0])
    return found


@editions
def test_no_wheel_overwrites_anothers_files(platform, python):
    """Blender unpacks them all into one folder."""
    owners: dict[str, str] = {}
    for wheel in wheels_for(platform, python, read_lock()):
        if not is_right(wheel):
            continue
        with zipfile.ZipFile(WHEELS / wheel.file) as archive:
            for name in archive.namelist():
                if not name.endswith("/"):
                    assert owners.setdefault(name.lower(), wheel.file) == wheel.file, name
    if not owners:
        pytest.skip(f"no wheels in {WHEELS}: python -m scripts.fetch_wheels fetches them")


@editions
def test_bundle_is_closed(platform, python):
    """Whatever a bundled package asks for is bundled, is numpy, or is known not to be needed."""
    wheels = wheels_for(platform, python, read_lock())
    versions = {canonicalize_name(wheel.name): Version(wheel.version) for wheel in wheels}
    here = [wheel for wheel in wheels if is_right(wheel)]
    if not here:
        pytest.skip(f"no wheels in {WHEELS}: python -m scripts.fetch_wheels fetches them")
    for wheel in here:
        metadata = read_metadata(WHEELS / wheel.file)
        assert SpecifierSet(metadata["Requires-Python"] or "").contains(f"{python}.7"), wheel.file
        for requirement in needed_by(metadata, platform, python):
            name = canonicalize_name(requirement.name)
            if name == "numpy":
                accepted = [requirement.specifier.contains(version) for version in BLENDERS_NUMPY[python]]
                assert all(accepted), f"{wheel.file} asks for {requirement}"
            elif name not in NOT_BUNDLED:
                assert name in versions, f"{wheel.file} asks for {requirement}"
                assert requirement.specifier.contains(versions[name]), f"{wheel.file} asks for {requirement}"


def read_metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (file,) = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        return message_from_bytes(archive.read(file))


def needed_by(metadata: Message, platform: str, python: str) -> list[Requirement]:
    """What a wheel asks for there."""
    system, os_name, machine = {
        "linux-x64": ("Linux", "posix", "x86_64"),
        "windows-x64": ("Windows", "nt", "AMD64"),
        "macos-arm64": ("Darwin", "posix", "arm64"),
    }[platform]
    sys_platform = {"Linux": "linux", "Windows": "win32", "Darwin": "darwin"}[system]
    environment = {
        "platform_system": system,
        "sys_platform": sys_platform,
        "os_name": os_name,
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.7",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    found = [Requirement(line) for line in metadata.get_all("Requires-Dist") or []]
    return [one for one in found if one.marker is None or one.marker.evaluate(environment)]


def test_tests_run_on_the_bundled_versions():
    """What is installed here is what is bundled, but for scipy, whose 1.15 Blender 4.2's numpy needs."""
    for wheel in wheels_for("linux-x64", "3.11", read_lock()):
        if wheel.name != "scipy":
            assert importlib.metadata.version(wheel.name).partition("+")[0] == wheel.version.partition("+")[0]
