# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an environment with nothing but Blender for each supported version, then test the built zips in them.

    python -m scripts.test_installed [4.2 5.0 5.2] [-- pytest arguments]

Blender 4.5 is the bpy of this environment and is always tested. The others are installed below build/blenders (about
1.5 GB each); the tests find them there, and skip those that are missing. The last lines are a table of what came out.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
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


def outcome_table(report: Path, not_made: dict[str, str]) -> str:
    """A Markdown table of passed, failed and skipped tests by Blender, and below it the reasons of what was not tested.

    Args:
        report: what pytest wrote by --junit-xml.
        not_made: why there is no environment, by Blender's version.
    """
    versions = {"4.5": (importlib.metadata.version("bpy"), "3.11")}
    versions |= {version: (blender.bpy, blender.python) for version, blender in BLENDERS.items()}
    counts: dict[str, Counter] = {version: Counter() for version in versions}
    reasons = {version: {reason: None} for version, reason in not_made.items()}
    for case in ElementTree.parse(report).iter("testcase"):
        found = re.search(r"\[(\d\.\d)[-\]]", case.get("name"))
        if found is None or found[1] not in versions:
            continue
        outcome, message = outcome_of(case)
        counts[found[1]][outcome] += 1
        if message and found[1] not in not_made:
            reasons.setdefault(found[1], {})[f"{case.get('name')}: {outcome}: {message}"] = None
    rows = ["| Blender | bpy | Python | passed | failed | skipped |", "|---|---|---|---|---|---|"]
    for version, about in sorted(versions.items()):
        cells = (version, *about, *(str(counts[version][outcome]) for outcome in ("passed", "failed", "skipped")))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, "", *(f"{version}: {line}" for version in sorted(reasons) for line in reasons[version])])


def outcome_of(case: ElementTree.Element) -> tuple[str, str]:
    """How one test of the report ended, and the first line of why, where it did not pass."""
    for tag, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        if (found := case.find(tag)) is not None:
            return outcome, (found.get("message") or "").partition("\n")[0]
    return "passed", ""


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
    not_made = {}
    for version in arguments.versions or BLENDERS:
        try:
            print(f"Blender {version}: {make_environment(version)}", flush=True)
        except BlenderError as error:
            not_made[version] = f"not tested: {error}"
            print(f"Blender {version}: {not_made[version]}", file=sys.stderr)
    tests = str(ROOT / "blender_tests" / "installed")
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [sys.executable, "-m", "pytest", tests, f"--junit-xml={report}", *for_pytest]
        status = subprocess.run(command, cwd=ROOT).returncode
        if report.exists():
            print("\n" + outcome_table(report, not_made))
    return status


if __name__ == "__main__":
    sys.exit(main())
