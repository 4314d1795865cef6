# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process holds of the machine's memory."""

import ctypes
import sys


def give_back() -> None:
    """Memory that is free again goes back to the system, where it is Linux's C library that would keep it.

    Textures leave holes of hundreds of megabytes that nothing smaller fills; giving them back takes milliseconds.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in every C library
        if trim is not None:
            trim(0)
