# SPDX-License-Identifier: GPL-3.0-or-later
"""Download the wheels that the extension bundles, and check them against wheels/wheels.lock.

python scripts/fetch_wheels.py [--platform linux-x64] [--find-links DIR] [--extra-index-url URL] [--write-lock]
"""

import argparse
import hashlib
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

WHEELS = Path(__file__).resolve().parent.parent / "wheels"
LOCK = WHEELS / "wheels.lock"
PYTHON, ABI = "3.11", "cp311"
# Tags that pip may choose from, by Blender's name of a platform.
PLATFORM_TAGS = {
    "linux-x64": [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 26, 24, 17, 12, 5)]
    + ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"],
}
LOCK_HEADER = """\
# SPDX-License-Identifier: GPL-3.0-or-later
# The wheels that the extension bundles. Names, versions and platforms are kept by hand, the rest is written by
# scripts/fetch_wheels.py --write-lock.
"""


@dataclass(frozen=True)
class Wheel:
    """One entry of the lock. ``platform`` is Blender's name of it, or ``any``; ``file`` and ``sha256`` may be empty."""

    name: str
    version: str
    platform: str
    file: str = ""
    sha256: str = ""


class WheelError(Exception):
    """A wheel cannot be had or is not the locked one."""


def read_lock(path: Path = LOCK) -> list[Wheel]:
    """All entries of the lock."""
    return [Wheel(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["wheel"]]


def write_lock(wheels: list[Wheel], path: Path = LOCK) -> None:
    """Write all entries, one table each."""
    tables = [
        "[[wheel]]\n" + "".join(f'{key} = "{value}"\n' for key, value in vars(wheel).items())
        for wheel in sorted(wheels, key=lambda wheel: (wheel.platform != "any", wheel.platform, wheel.name))
    ]
    path.write_text("\n".join([LOCK_HEADER, *tables]), encoding="utf-8")


def wheels_for(platform: str, wheels: list[Wheel]) -> list[Wheel]:
    """The entries that one platform needs."""
    return [wheel for wheel in wheels if wheel.platform in ("any", platform)]


def is_right(wheel: Wheel, directory: Path = WHEELS) -> bool:
    """The locked file lies there."""
    path = directory / wheel.file
    if not wheel.file or not path.is_file():
        return False
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == wheel.sha256


def download(wheel: Wheel, platform: str, pip_options: list[str], directory: Path = WHEELS) -> Path:
    """Let pip fetch one wheel without its dependencies; the path of the file."""
    tags = [option for tag in PLATFORM_TAGS[platform] for option in ("--platform", tag)]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(directory)]
    command += ["--implementation", "cp", "--python-version", PYTHON, "--abi", ABI, "--abi", "abi3", "--abi", "none"]
    done = subprocess.run(
        [*command, *tags, *pip_options, f"{wheel.name}=={wheel.version}"], text=True, capture_output=True
    )
    name = wheel.name.replace("-", "_")
    found = [
        path for path in directory.glob("*.whl") if path.name.lower().startswith(f"{name}-{wheel.version}-".lower())
    ]  # fmt: skip
    if done.returncode or len(found) != 1:
        raise WheelError(
            f"pip cannot fetch {wheel.name}=={wheel.version} for {platform} (see wheels/README.md):\n{done.stderr}"
        )
    return found[0]


def fetch(platform: str, pip_options: list[str], relock: bool) -> list[Path]:
    """Have all wheels of a platform in place.

    Args:
        relock: take what pip brings into the lock instead of comparing it.

    Raises:
        WheelError: a wheel cannot be had, or differs from the lock.
    """
    wheels = read_lock()
    paths = []
    for index, wheel in enumerate(wheels):
        if wheel not in wheels_for(platform, wheels):
            continue
        if not is_right(wheel):
            path = download(wheel, platform, pip_options)
            with open(path, "rb") as stream:
                found = replace(wheel, file=path.name, sha256=hashlib.file_digest(stream, "sha256").hexdigest())
            if not relock and found != wheel:
                raise WheelError(f"{path.name} is not the locked file of {wheel.name}: its SHA-256 is {found.sha256}.")
            wheels[index] = found
        paths.append(WHEELS / wheels[index].file)
    if relock:
        write_lock(wheels)
    return paths


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", choices=sorted(PLATFORM_TAGS), default="linux-x64")
    parser.add_argument("--find-links", action="append", default=[], metavar="DIR", help="handed on to pip")
    parser.add_argument("--extra-index-url", action="append", default=[], metavar="URL", help="handed on to pip")
    parser.add_argument(
        "--write-lock", action="store_true", help="write file names and hashes instead of checking them"
    )
    arguments = parser.parse_args()
    options = [option for value in arguments.find_links for option in ("--find-links", value)]
    options += [option for value in arguments.extra_index_url for option in ("--extra-index-url", value)]
    try:
        paths = fetch(arguments.platform, options, arguments.write_lock)
    except WheelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    print(f"{len(paths)} wheels for {arguments.platform}, {megabytes:.0f} MB, in {WHEELS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
