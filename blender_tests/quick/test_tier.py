# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick tests can be collected where there is neither Blender nor torch, whatever else has been imported here."""

import subprocess
import sys
from pathlib import Path

import facedetail_addon

HERE = Path(__file__).parent
PROGRAM = """
import importlib, sys
sys.modules["bpy"] = sys.modules["torch"] = None
wrong = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(f"blender_tests.quick.{name}")
    except ImportError as error:
        wrong.append(f"{name}.py: {error}")
sys.exit("\\n".join(wrong) or None)
"""


def test_no_file_imports_blender_or_torch():
    names = sorted(path.stem for path in HERE.glob("test_*.py"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        cwd=Path(facedetail_addon.__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
