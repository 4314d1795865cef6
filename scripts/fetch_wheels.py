# SPDX-License-Identifier: GPL-3.0-or-later
"""Download the wheels that the extension bundles, and check them against wheels/wheels.lock.

    python -m scripts.fetch_wheels [--platform linux-x64] [--python 3.11] [--find-links DIR] [--extra-index-url URL]
                                   [--write-lock]

Without --platform or --python: for this machine's platform, for all Pythons. An entry of the lock without a hash is one
that was nowhere to be had when the lock was written: it is named and left out, unless --write-lock finds it.
"""

import argparse
import hashlib
import platform as machine
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

WHEELS = Path(__file__).resolve().parent.parent / "wheels"
LOCK = WHEELS / "wheels.lock"
PYTHONS = ("3.11", "3.13")
# Tags that pip may choose from, by Blender's name of a platform, the best first.
PLATFORM_TAGS = {
    "linux-x64": [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 26, 24, 17, 12, 5)]
    + ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"],
    "windows-x64": ["win_amd64"],
    "macos-arm64": [f"macosx_{major}_0_{kind}" for major in (14, 13, 12, 11) for kind in ("arm64", "universal2")],
}
ANY = "any"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
LOCK_HEADER = """\
# SPDX-License-Identifier: GPL-3.0-or-later
# The wheels that the extension bundles. Names, versions, platforms and Pythons are kept by hand, the rest is written by
# scripts.fetch_wheels --write-lock. An entry without a hash could not be had when that ran: see README.md.
"""


@dataclass(frozen=True)
class Wheel:
    """One entry of the lock.

    Attributes:
        platform: Blender's name of it, or ``any``.
        python: one of ``PYTHONS``, or ``any`` where one file serves all.
        file, sha256: empty where the file could not be had.
    """

    name: str
    version: str
    platform: str
    python: str
    file: str = ""
    sha256: str = ""

    @property
    def title(self) -> str:
        """For people."""
        place = "any platform" if self.platform == ANY else self.platform
        return (
            f"{self.name} {self.version} ({place}, {'any Python' if self.python == ANY else 'Python ' + self.python})"
        )


@dataclass(frozen=True)
class Fetched:
    """Files in place, and the entries that nothing is locked for."""

    paths: tuple[Path, ...]
    left_out: tuple[Wheel, ...]


class WheelError(Exception):
    """A wheel cannot be had or is not the locked one."""


def read_lock(path: Path = LOCK) -> list[Wheel]:
    """All entries of the lock."""
    return [Wheel(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["wheel"]]


def write_lock(wheels: list[Wheel], path: Path = LOCK) -> None:
    """Write all entries, one table each."""
    order = sorted(wheels, key=lambda one: (one.platform != ANY, one.platform, one.python != ANY, one.python, one.name))
    tables = ["[[wheel]]\n" + "".join(f'{key} = "{value}"\n' for key, value in vars(wheel).items()) for wheel in order]
    path.write_text("\n".join([LOCK_HEADER, *tables]), encoding="utf-8")


def wheels_for(platform: str, python: str, wheels: list[Wheel]) -> list[Wheel]:
    """The entries that one platform needs for one Python."""
    return [wheel for wheel in wheels if wheel.platform in (ANY, platform) and wheel.python in (ANY, python)]


def is_right(wheel: Wheel, directory: Path = WHEELS) -> bool:
    """The locked file lies there."""
    path = directory / wheel.file
    if not wheel.file or not path.is_file():
        return False
    return file_sha256(path) == wheel.sha256


def file_sha256(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def this_platform() -> str:
    """Blender's name of this machine's platform.

    Raises:
        WheelError: no wheels are locked for it.
    """
    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}.get(machine.system(), machine.system())
    kind = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(machine.machine().lower(), machine.machine())
    if f"{system}-{kind}" not in PLATFORM_TAGS:
        raise WheelError(f"no wheels are locked for {system}-{kind}, only for {', '.join(PLATFORM_TAGS)}")
    return f"{system}-{kind}"


def download(wheel: Wheel, pip_options: list[str], directory: Path = WHEELS) -> Path:
    """Let pip fetch one wheel without its dependencies; the path of the file.

    Raises:
        WheelError: pip cannot have it.
    """
    platform = "linux-x64" if wheel.platform == ANY else wheel.platform
    python = PYTHONS[0] if wheel.python == ANY else wheel.python
    tags = [option for tag in PLATFORM_TAGS[platform] for option in ("--platform", tag)]
    abis = [option for abi in (f"cp{python.replace('.', '')}", "abi3", "none") for option in ("--abi", abi)]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(directory)]
    command += ["--implementation", "cp", "--python-version", python, *abis, *tags, *pip_options]
    before = {path.name for path in directory.glob("*.whl")}
    done = subprocess.run([*command, f"{wheel.name}=={wheel.version}"], text=True, capture_output=True)
    start = f"{wheel.name.replace('-', '_')}-{wheel.version}-".lower()
    # pip names a file that lay there already, and otherwise brings one.
    found = [
        path
        for path in directory.glob("*.whl")
        if path.name.lower().startswith(start) and (path.name not in before or path.name in done.stdout)
    ]
    if done.returncode or len(found) != 1:
        # A local version is one that the package index does not have.
        source = f"; give it another source: --extra-index-url {TORCH_INDEX}" if "+" in wheel.version else ""
        raise WheelError(f"pip cannot fetch {wheel.title}{source} (see wheels/README.md):\n{done.stderr}")
    return found[0]


def fetch(platforms: list[str], pythons: list[str], pip_options: list[str], relock: bool) -> Fetched:
    """Have all wheels of some platforms and Pythons in place.

    Args:
        relock: take what pip brings into the lock instead of comparing it. What it cannot have stays without a hash
            if it had none.

    Raises:
        WheelError: a locked wheel cannot be had, or differs from the lock.
    """
    wheels = read_lock()
    wanted = {wheel for platform in platforms for python in pythons for wheel in wheels_for(platform, python, wheels)}
    paths, left_out = [], []
    for index, wheel in enumerate(wheels):
        if wheel not in wanted:
            continue
        if not wheel.sha256 and not relock:
            left_out.append(wheel)
            continue
        if not is_right(wheel):
            try:
                wheels[index] = _fetch_one(wheel, pip_options, relock)
            except WheelError:
                if wheel.sha256:
                    raise
                left_out.append(wheel)
                continue
        paths.append(WHEELS / wheels[index].file)
    if relock:
        write_lock(wheels)
    return Fetched(tuple(paths), tuple(left_out))


def _fetch_one(wheel: Wheel, pip_options: list[str], relock: bool) -> Wheel:
    path = download(wheel, pip_options)
    found = replace(wheel, file=path.name, sha256=file_sha256(path))
    if not relock and found != wheel:
        raise WheelError(f"{path.name} is not the locked file of {wheel.title}: its SHA-256 is {found.sha256}.")
    return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", action="append", choices=[*PLATFORM_TAGS, "all"], help="may be repeated")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="may be repeated; default: all")
    parser.add_argument("--find-links", action="append", default=[], metavar="DIR", help="handed on to pip")
    parser.add_argument("--extra-index-url", action="append", default=[], metavar="URL", help="handed on to pip")
    parser.add_argument("--write-lock", action="store_true", help="write file names and hashes, do not check them")
    arguments = parser.parse_args()
    options = [option for value in arguments.find_links for option in ("--find-links", value)]
    options += [option for value in arguments.extra_index_url for option in ("--extra-index-url", value)]
    try:
        platforms = arguments.platform or [this_platform()]
        platforms = list(PLATFORM_TAGS) if "all" in platforms else platforms
        fetched = fetch(platforms, arguments.python or list(PYTHONS), options, arguments.write_lock)
    except WheelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for wheel in fetched.left_out:
        print(f"left out: {wheel.title} is not locked: see wheels/README.md", file=sys.stderr)
    megabytes = sum(path.stat().st_size for path in fetched.paths) / 1e6
    print(f"{len(fetched.paths)} wheels for {', '.join(platforms)}, {megabytes:.0f} MB, in {WHEELS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
