# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of bundled wheels: complete for every platform and Python, and for those Blenders only."""

import importlib.metadata
import re
import zipfile
from email import message_from_bytes

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from scripts.fetch_wheels import ANY, PLATFORM_TAGS, PYTHONS, WHEELS, is_right, read_lock, wheels_for

# The numpy of Blender's official builds, which bundled packages have to accept.
BLENDERS_NUMPY = {"3.11": ("1.24.3", "1.26.4"), "3.13": ("2.3.4",)}
# Asked for, and not needed: OpenCV is bundled without windows, numba and the compiler's packages are never used.
NOT_BUNDLED = {"opencv-python", "numba", "setuptools", "colorama"}
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
        assert all(fits(tag, platform, python) for tag in tags), wheel.file
        if wheel.platform == ANY:
            assert {tag.platform for tag in tags} == {ANY}


def fits(tag: Tag, platform: str, python: str) -> bool:
    """A Blender of that platform and Python can use the tag."""
    start, ends = {
        "linux-x64": ("manylinux", ("_x86_64",)),
        "windows-x64": ("win", ("_amd64",)),
        "macos-arm64": ("macosx", ("_arm64", "_universal2")),
    }[platform]
    here = tag.platform == ANY or (tag.platform.startswith(start) and tag.platform.endswith(ends))
    stable = tag.abi in ("abi3", "none")
    return here and (stable or tag.abi == tag.interpreter == f"cp{python.replace('.', '')}")


@editions
def test_bundle_is_closed(platform, python):
    """Whatever a bundled package asks for is bundled, is numpy, or is known not to be needed."""
    wheels = wheels_for(platform, python, read_lock())
    versions = {canonicalize_name(wheel.name): Version(wheel.version) for wheel in wheels}
    here = [wheel for wheel in wheels if is_right(wheel)]
    if not here:
        pytest.skip(f"no wheels in {WHEELS}: python scripts/fetch_wheels.py fetches them")
    for wheel in here:
        for requirement in needed_by(WHEELS / wheel.file, platform, python):
            name = canonicalize_name(requirement.name)
            if name == "numpy":
                accepted = [requirement.specifier.contains(version) for version in BLENDERS_NUMPY[python]]
                assert all(accepted), f"{wheel.file} asks for {requirement}"
            elif name not in NOT_BUNDLED:
                assert name in versions, f"{wheel.file} asks for {requirement}"
                assert requirement.specifier.contains(versions[name]), f"{wheel.file} asks for {requirement}"


def needed_by(path, platform: str, python: str) -> list[Requirement]:
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
    with zipfile.ZipFile(path) as archive:
        (file,) = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        lines = message_from_bytes(archive.read(file)).get_all("Requires-Dist") or []
    found = [Requirement(line) for line in lines]
    return [one for one in found if one.marker is None or one.marker.evaluate(environment)]


def test_tests_run_on_the_bundled_versions():
    """What is installed here is what is bundled, but for scipy, whose 1.15 Blender 4.2's numpy needs."""
    for wheel in wheels_for("linux-x64", "3.11", read_lock()):
        if wheel.name != "scipy":
            assert importlib.metadata.version(wheel.name).partition("+")[0] == wheel.version.partition("+")[0]
