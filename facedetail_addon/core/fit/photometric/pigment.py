# SPDX-License-Identifier: GPL-3.0-or-later
"""Pigment that no statistical albedo knows of, as a smooth random field: what it may explain, shape need not."""

import numpy as np

_WIDEST_MM = 90.0  # of the cylinder that the skin is unrolled to, and how far its axis lies behind the face
_AXIS_MM = -60.0
_ROOM = 1.2  # of the rectangle around the skin, so that the field is free at its borders
_FINEST_MM = 60.0  # wavelength
_SIGMA, _RANGE_MM = 0.1, 20.0  # of the logarithm; Matérn's field of order 1


def pigment_modes(vertices: np.ndarray) -> np.ndarray:
    """(V, P) float32: cosines over the unrolled skin, each times its standard deviation (Matérn's spectrum).

    Args:
        vertices: (V, 3) mm of a head at rest.
    """
    x, y, z = vertices.astype(np.float64).T
    places = np.stack([np.arctan2(x, z - _AXIS_MM) * _WIDEST_MM, y])
    span = np.ptp(places, axis=1) * _ROOM
    start = (places.min(1) + places.max(1) - span) / 2
    most = np.ceil(2 * span / _FINEST_MM).astype(int)
    waves = [np.arange(count + 1) * np.pi / length for count, length in zip(most, span, strict=True)]
    tables = [
        np.cos((place - low)[:, None] * wave) * np.where(wave > 0, np.sqrt(2), 1)
        for place, low, wave in zip(places, start, waves, strict=True)
    ]
    along, up = (index.ravel() for index in np.meshgrid(*(np.arange(len(wave)) for wave in waves), indexing="ij"))
    squared = waves[0][along] ** 2 + waves[1][up] ** 2
    kept = (squared > 0) & (squared <= (2 * np.pi / _FINEST_MM) ** 2)
    kappa_squared = 8 / _RANGE_MM**2
    variance = _SIGMA**2 * 4 * np.pi * kappa_squared / (kappa_squared + squared) ** 2 / span.prod()
    return (tables[0][:, along[kept]] * tables[1][:, up[kept]] * np.sqrt(variance[kept])).astype(np.float32)
