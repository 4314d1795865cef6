# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist should know of their pins."""

from collections.abc import Iterable

import numpy as np

from ..notices import Notice
from .pinned import PinnedFit
from .pins import PinnedEdit

REACHED_PX = 1.0
"""Less than this between a pin and its place is nothing."""
_SAME_PLACE = 0.99  # of what two places share, 1.7 mm apart


def notices(fit: PinnedFit, edit: PinnedEdit) -> tuple[Notice, ...]:
    """Pins that do not count, pull against each other, or were not reached; photos and pins count from 1."""
    out = []
    if fit.hidden.any():
        which = _named(np.flatnonzero(fit.hidden))
        text = f"{which} on a side of the head that the photo does not show, and does not count"
        out.append(Notice("pin_hidden", f"{text}: move it to another photo, or remove it."))
    against = contradicting(fit, edit)
    if against:
        text = f"{_named(against)} on the same place of the head and pulled to different ones"
        out.append(Notice("pins_contradict", f"{text}: the head lies between. Remove one."))
    pulls = np.nan_to_num(np.linalg.norm(fit.pulls_px, axis=1))
    far = [number for number in np.flatnonzero(pulls > REACHED_PX).tolist() if number not in against]
    if far:
        text = f"{_named(far)} farther than heads go, and {pulls[far].max():.0f} px are left"
        out.append(Notice("pin_not_reached", f"{text}. Less rigidity, or a place nearer to the head, would help."))
    return tuple(out)


def contradicting(fit: PinnedFit, edit: PinnedEdit) -> list[int]:
    """Numbers, from 0, of pins of a photo that lie on one place of the skin and are dropped apart."""
    pins, together = edit.pins, fit.points.together
    out = set()
    for first, second in np.argwhere(np.triu(together > _SAME_PLACE, 1)).tolist():
        apart = np.linalg.norm(np.subtract(pins[first].px, pins[second].px))
        if pins[first].photo == pins[second].photo and apart > 2 * REACHED_PX:
            out |= {first, second}
    return sorted(out)


def _named(numbers: Iterable[int]) -> str:
    """``Pin 2 lies``, or ``Pins 2, 3 lie``."""
    text = ", ".join(str(number + 1) for number in numbers)
    return f"Pins {text} lie" if "," in text else f"Pin {text} lies"
