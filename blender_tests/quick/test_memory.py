# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that is free goes back to the system."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import numpy as np
from pathlib import Path
from facedetail_addon.core.memory import give_back

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

parts, kept = [np.ones(30_000) for _ in range(1000)], []
for part in parts[::50]:
    kept.append(part.copy())
full = held()
del parts, part
give_back()
print(full - held())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's C library keeps so much, and tells how much")
def test_holes_in_memory_are_given_back():
    """240 MB in pieces that lie between what is still in use."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert float(done.stdout) > 150
