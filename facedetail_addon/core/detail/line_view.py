# SPDX-License-Identifier: GPL-3.0-or-later
"""What a photo shows of lines, on coarser texels: brightness without the head's own shading, light, and dark ridges."""

from dataclasses import dataclass

import cv2
import numpy as np

from .inputs import CHROMA_UNIT, DetailInputs
from .lines import LineField, find_lines, hairy, mean_nearby
from .relief_shading import ReliefLight
from .space import TEXEL_MM, VALUE_UNIT

STEP = 2
"""Texels of SIDE per texel of a view."""
STEP_MM = TEXEL_MM * STEP
LEAST_MASK = 0.05
"""Of skin, with less of which a texel shows nothing."""
_MEAN_MM = 4.0  # waves beyond about 20 mm are the proxy's
_RIDGE = 0.5  # of the ridge filter's likelihood and of the mask, from which on a ridge tells of the face


@dataclass(frozen=True)
class LineView:
    """Maps over BOX, (h, w) float32 each on texels of STEP_MM; logarithms are without their means nearby.

    Attributes:
        shape: (H, W) of BOX's maps on texels of SIDE.
        luminance: logarithm, less that of the smooth head. hue: logarithm of red over green.
        shading: logarithm of the luminance of the smooth head.
        mask: 1 where lines are looked for, without hair. skin: 1 where the photo shows skin.
        lined, beard: as in :class:`.inputs.DetailInputs`. hairy: 1 where a beard grows.
        resolvable_mm: size of the smallest thing that the photo shows.
        light: how it answers to slopes. lines: dark ridges of the luminance.
    """

    shape: tuple[int, int]
    luminance: np.ndarray
    hue: np.ndarray
    shading: np.ndarray
    mask: np.ndarray
    skin: np.ndarray
    lined: np.ndarray
    beard: np.ndarray
    hairy: np.ndarray
    resolvable_mm: np.ndarray
    light: ReliefLight
    lines: LineField

    def ridges(self) -> np.ndarray:
        """(h, w) bool: ridges of bare skin, which together tell whether the face is lined."""
        return (self.lines.likelihood > _RIDGE) & self.bare()

    def bare(self) -> np.ndarray:
        """(h, w) bool: skin on which such ridges count."""
        return self.mask > _RIDGE


def look_for_lines(inputs: DetailInputs) -> LineView:
    """What there is to see of lines."""
    return view_of(view_channels(inputs), inputs.mask.shape)


def view_channels(inputs: DetailInputs) -> np.ndarray:
    """(h, w, 14) float32 that a view is made of."""
    channels = [
        inputs.value * VALUE_UNIT - inputs.shading, inputs.chroma * CHROMA_UNIT, inputs.shading,
        inputs.mask * inputs.lined, inputs.mask, inputs.lined, inputs.beard, inputs.resolvable_mm,
        *light_fields(relief_light(inputs)),
    ]  # fmt: skip
    return shrunk(channels, STEP)


def view_of(channels: np.ndarray, shape: tuple[int, int]) -> LineView:
    """A view from :func:`view_channels`; ``shape``: (H, W) of BOX."""
    parts = [np.ascontiguousarray(part) for part in np.moveaxis(channels, -1, 0)]
    value, hue, shading, mask, skin, lined, beard, resolvable_mm = parts[:8]
    grown = hairy(value, mask, beard, STEP_MM)
    mask = mask * (1 - grown)
    luminance, hue, shading = (_without_mean(part, mask) for part in (value, hue, shading))
    return LineView(
        shape=shape,
        luminance=luminance,
        hue=hue,
        shading=shading,
        mask=mask,
        skin=skin,
        lined=lined,
        beard=beard,
        hairy=grown,
        resolvable_mm=resolvable_mm,
        light=ReliefLight(*parts[8:]),
        lines=find_lines(luminance, hue, mask, STEP_MM),
    )


def relief_light(inputs: DetailInputs) -> ReliefLight:
    """How the photo's light answers to slopes, (H, W) each."""
    return ReliefLight(inputs.light_x, inputs.light_y, inputs.direct_fraction, *np.moveaxis(inputs.metric, -1, 0))


def light_fields(light: ReliefLight) -> tuple[np.ndarray, ...]:
    """Its six maps in their order."""
    return light.by_x, light.by_y, light.direct, light.metric_xx, light.metric_xy, light.metric_yy


def shrunk(fields: list[np.ndarray], step: int) -> np.ndarray:
    """C (H, W) fields to (h, w, C), texels ``step`` times as wide."""
    size = fields[0].shape[1] // step, fields[0].shape[0] // step
    return np.dstack([cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in fields])


def _without_mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return (values - mean_nearby(values, mask, _MEAN_MM / STEP_MM)) * (mask > LEAST_MASK)
