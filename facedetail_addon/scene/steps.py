# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in steps, so that Blender's window lives between them."""

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


def run_through(steps: Generator[object, None, Result]) -> Result:
    """What a generator returns in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
