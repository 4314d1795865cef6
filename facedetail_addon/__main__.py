# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m facedetail_addon``."""

import os
import sys

from .cli import main

if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os.dup2(2, 1)  # what Blender's libraries say while the process ends is no result either
    sys.exit(status)
