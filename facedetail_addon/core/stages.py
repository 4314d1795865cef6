# SPDX-License-Identifier: GPL-3.0-or-later
"""What is being done, how far it has come, and how long it took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages:
    """Tells what begins, and notes how long it took.

    Args:
        progress: called with a short text and the fraction done (0 to 1, never falling) before each stage; an exception
            it raises stops the work, so it can cancel.

    Attributes:
        seconds: by the stages' names; of stages that come again their sum.
    """

    def __init__(self, progress: Callable[[str, float], None] = lambda text, done: None):
        self.progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, text: str, done: float) -> Iterator[None]:
        self.progress(text, done)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def part(self, start: float, stop: float, which: str, begins: float = 0.0, ends: float = 1.0) -> "Stages":
        """For a part of the work, such as one photo of several: its seconds are added to these.

        Args:
            start, stop: where that part lies in the whole. which: told behind each text. begins, ends: what the part
                itself calls its beginning and its end.
        """

        def progress(text: str, done: float) -> None:
            share = min(max((done - begins) / (ends - begins), 0.0), 1.0)
            self.progress(f"{text} ({which})", start + (stop - start) * share)

        inner = Stages(progress)
        inner.seconds = self.seconds
        return inner
