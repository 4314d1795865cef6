# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins: places of the head that an artist has put where a photo shows them, and how willingly the head follows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import FaceDetailError

SKIN = "skin"
MOST_PINS = 500
RIGIDITY = (0.01, 100.0)
"""Lowest and highest; at 1 the head is as sure of itself as the automatic fit is."""
_FAR_SIDES = 1.0  # of the photo that a pin may lie beside it


class PinError(FaceDetailError):
    """Pins that no head can follow."""

    code = "pins"


@dataclass(frozen=True)
class Pin:
    """A place of the head and where one photo is to show it.

    The place is one of a part's UV, which is the same for all face models and all versions of the built-in head.

    Attributes:
        photo: which, from 0. uv: origin bottom left. px: where the artist has dropped it.
        part: of the face model, mostly ``skin``.
    """

    photo: int
    uv: tuple[float, float]
    px: tuple[float, float]
    part: str = SKIN

    def moved(self, px: tuple[float, float]) -> "Pin":
        """The same place dropped elsewhere."""
        return replace(self, px=(float(px[0]), float(px[1])))


@dataclass(frozen=True)
class PinSettings:
    """How the head follows pins.

    Attributes:
        shape_rigidity, expression_rigidity, pose_rigidity: how strongly shape, expression, and place of the head stay
            as the automatic fit has them, of ``RIGIDITY``.
        lock_expression: only shape and pose follow. lock_eyes: gaze and lids stay.
        mirror: what a pin does to one side of the head happens to the other, too.
        lock_focal: pins do not change the lens. focal_px: of each photo the chosen lens, None for the automatic one;
            photos beyond its end have that, too.
    """

    shape_rigidity: float = 1.0
    expression_rigidity: float = 1.0
    pose_rigidity: float = 1.0
    lock_expression: bool = False
    lock_eyes: bool = False
    mirror: bool = False
    lock_focal: bool = True
    focal_px: tuple[float | None, ...] = ()

    def focal_of(self, photo: int) -> float | None:
        """The chosen focal length of a photo, None for the automatic one."""
        return self.focal_px[photo] if photo < len(self.focal_px) else None

    def with_focal(self, photo: int, focal_px: float | None) -> "PinSettings":
        """Another lens for one photo."""
        chosen = [*self.focal_px, *[None] * (photo + 1 - len(self.focal_px))]
        chosen[photo] = focal_px
        while chosen and chosen[-1] is None:
            chosen.pop()
        return replace(self, focal_px=tuple(chosen))


@dataclass(frozen=True)
class PinnedEdit:
    """What an artist has done by hand: pins in their order, and how the head follows them."""

    pins: tuple[Pin, ...] = ()
    settings: PinSettings = PinSettings()

    @property
    def is_automatic(self) -> bool:
        """Whether it leaves the automatic fit as it is."""
        return not self.pins and not any(self.settings.focal_px)

    def with_pins(self, pins: Sequence[Pin]) -> "PinnedEdit":
        """Other pins."""
        return replace(self, pins=tuple(pins))


NO_PINS = PinnedEdit()


def require_photos(edit: PinnedEdit, sizes: Sequence[tuple[int, int]]) -> None:
    """Raises PinError where a pin is of no photo, or lies far beside its photo.

    Args:
        sizes: (width, height) of each photo.
    """
    for number, pin in enumerate(edit.pins, 1):
        if pin.photo >= len(sizes):
            text = f"Pin {number} is of photo {pin.photo + 1}, and there are {len(sizes)}."
            raise PinError(text, "Remove it, or add that photo.")
        size = np.array(sizes[pin.photo], np.float64)
        if (np.array(pin.px) < -_FAR_SIDES * size).any() or (np.array(pin.px) > (1 + _FAR_SIDES) * size).any():
            text = f"Pin {number} lies at ({pin.px[0]:.0f}, {pin.px[1]:.0f}), far beside its photo of"
            raise PinError(f"{text} {size[0]:.0f} × {size[1]:.0f} pixels.", "Put it on the photo, or remove it.")
