# SPDX-License-Identifier: GPL-3.0-or-later
"""ICC profiles: whether one is sRGB by what it does, and curves and matrix of simple ones (ICC.1:2022)."""

import struct
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from .encoding import Encoding, srgb_in_d50

_STEPS = 9
_SAME = 2
"""Levels of 255: profiles that differ less from sRGB are sRGB."""


def is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether an RGB profile leaves sRGB colours as they are; names say little.

    Raises:
        ImageCms.PyCMSError: the profile cannot be used.
    """
    steps = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(_STEPS, -1, 3)
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    shown = ImageCms.profileToProfile(
        Image.fromarray(cube), profile, ImageCms.createProfile("sRGB"), intent, outputMode="RGB"
    )
    return int(np.abs(np.asarray(shown).astype(int) - cube).max()) <= _SAME


def simple_profile(data: bytes) -> Encoding | None:
    """Curves and matrix of an ICC profile of RGB or grey; None where it has tables of colours instead.

    Raises:
        ValueError, struct.error, LookupError, ArithmeticError: it is damaged.
    """
    (count,) = struct.unpack_from(">I", data, 128)
    tags = {}
    for index in range(min(count, 100)):
        name, start, size = struct.unpack_from(">4sII", data, 132 + 12 * index)
        tags[name] = data[start : start + size]
    space = data[16:20]
    if space == b"GRAY" and b"kTRC" in tags:
        curve = _curve(tags[b"kTRC"])
        return Encoding(lambda values: curve(values), np.eye(3))
    if space != b"RGB " or b"A2B0" in tags or not {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"} <= set(tags):
        return None
    curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
    columns = [struct.unpack_from(">3i", tags[name], 8) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    matrix = np.linalg.solve(srgb_in_d50(), np.array(columns).T / 65536)

    def linear(values: np.ndarray) -> np.ndarray:
        return np.stack([curve(values[..., channel]) for channel, curve in enumerate(curves)], -1)

    return Encoding(linear, matrix)


def _curve(data: bytes) -> Callable[[np.ndarray], np.ndarray]:
    if data[:4] == b"para":
        (kind,) = struct.unpack_from(">H", data, 8)
        numbers = (1, 3, 4, 5, 7)[kind]
        return _parametric(kind, [n / 65536 for n in struct.unpack_from(f">{numbers}i", data, 12)])
    if data[:4] != b"curv":
        raise ValueError("an unknown kind of curve")
    (count,) = struct.unpack_from(">I", data, 8)
    if count == 0:
        return _parametric(0, [1.0])
    if count == 1:
        return _parametric(0, [struct.unpack_from(">H", data, 12)[0] / 256])
    table = np.frombuffer(data, ">u2", count, 12).astype(np.float32) / 65535
    places = np.linspace(0, 1, count)
    return lambda values: np.interp(values, places, table).astype(np.float32)


def _parametric(kind: int, numbers: list[float]) -> Callable[[np.ndarray], np.ndarray]:
    """Table 68 of ICC.1:2022."""
    g, a, b, c, d, e, f = numbers + [0.0] * (7 - len(numbers))
    if kind == 0:
        a = 1.0
    if kind in (1, 2):  # both are split where a x + b is 0, and are constant below
        c, d, e, f = 0.0, -b / a, c, c
    if kind == 0:
        d = -1.0

    def curve(values: np.ndarray) -> np.ndarray:
        power = np.maximum(a * np.asarray(values, np.float64) + b, 0) ** g + e
        return np.where(values >= d, power, c * values + f).astype(np.float32)

    return curve
