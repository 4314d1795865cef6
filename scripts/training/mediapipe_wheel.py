# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's networks, out of its wheel on the Python package index."""

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

PACKAGE = "mediapipe==0.10.21"
SOURCE = {"source": f"{PACKAGE}, Apache-2.0"}


def unpack(names: Sequence[str], wheel: Path | None, folder: Path) -> list[Path]:
    """Take files out of the wheel.

    Args:
        names: paths inside it. wheel: where it is at hand; downloaded where None. folder: where the files go.
    """
    with zipfile.ZipFile(wheel or _download(folder)) as archive:
        return [Path(archive.extract(name, folder)) for name in names]


def _download(folder: Path) -> Path:
    """Any platform's wheel holds the same networks."""
    command = [sys.executable, "-m", "pip", "download", PACKAGE, "--no-deps", "--dest", str(folder)]
    subprocess.run(
        command + ["--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_28_x86_64"], check=True
    )
    return next(folder.glob("mediapipe-*.whl"))
