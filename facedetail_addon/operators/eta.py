# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a job will still take, as far as one can tell from how long it has taken."""

import math

_FIRST_S = 3.0
"""Earlier than this a guess would be worthless."""
_MINUTES_FROM_S = 90
_ROUGH_FROM_S, _ROUGH_STEP_S = 20, 5
"""Long times are shown in steps, so that the text stays calm."""


class Eta:
    """Of a job that began at ``begin_s``, in seconds of any clock.

    While one stage takes its time, a guess by its beginning counts down too fast, and one by what is done so far grows;
    their mean is calm. It may grow all the same, when a stage takes long; what is told stays as it is then.
    """

    def __init__(self, begin_s: float):
        self._begin = begin_s
        self._fraction = 0.0
        self._whole = 0.0
        self._told = math.inf

    def remaining(self, fraction: float, now_s: float) -> str:
        """The time left, as ``about 12 s left``; empty while nobody can tell, and when it has proved wrong.

        Args:
            fraction: done, 0 to 1. now_s: on the clock of ``begin_s``.
        """
        elapsed = now_s - self._begin
        if fraction > self._fraction:
            self._fraction, self._whole = fraction, elapsed / fraction
        if elapsed < _FIRST_S or not 0 < self._fraction < 1:
            return ""
        left = (self._whole + elapsed / self._fraction) / 2 - elapsed
        if left <= 0:
            return ""
        left = self._told = min(left, self._told)
        if left >= _MINUTES_FROM_S:
            return f"about {math.ceil(left / 60)} min left"
        step = _ROUGH_STEP_S if left > _ROUGH_FROM_S else 1
        return f"about {step * math.ceil(left / step)} s left"
