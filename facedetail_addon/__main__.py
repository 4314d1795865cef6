# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m facedetail_addon``."""

import os
import shutil
import sys


def leave(status: int) -> None:
    """End the process. Blender's module would sometimes wait for itself for ever in C's exit handlers (after glTF)."""
    sys.stdout.flush()
    sys.stderr.flush()
    if "bpy" in sys.modules:
        shutil.rmtree(sys.modules["bpy"].app.tempdir, ignore_errors=True)
    os._exit(status)


if __name__ == "__main__":
    from .environment import ENVIRONMENT  # before numpy is loaded

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from .cli.main import main

    leave(main())
