# SPDX-License-Identifier: GPL-3.0-or-later
"""How a file's numbers stand for light: primaries and transfer functions, by name (ITU-T H.273) or by numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...colour import to_linear

WHITE_NITS = 203.0
"""What is white paper in HDR pictures (ITU-R BT.2408)."""

D65, D50 = (0.3127, 0.329), (0.3457, 0.3585)
_DCI, _C = (0.314, 0.351), (0.31, 0.316)
REC709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
ADOBE_RGB = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
ADOBE_GAMMA = 563 / 256
_P3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
_SMPTE_C = (0.63, 0.34, 0.31, 0.595, 0.155, 0.07)
_REC2020 = (0.708, 0.292, 0.17, 0.797, 0.131, 0.046)
ROMM = (0.734699, 0.265301, 0.159597, 0.840403, 0.036598, 0.000105)
_PRIMARIES = {
    1: (REC709, D65),
    4: ((0.67, 0.33, 0.21, 0.71, 0.14, 0.08), _C),
    5: ((0.64, 0.33, 0.29, 0.6, 0.15, 0.06), D65),
    6: (_SMPTE_C, D65),
    7: (_SMPTE_C, D65),
    8: ((0.681, 0.319, 0.243, 0.692, 0.145, 0.049), _C),
    9: (_REC2020, D65),
    10: ((1.0, 0.0, 0.0, 1.0, 0.0, 0.0), (1 / 3, 1 / 3)),
    11: (_P3, _DCI),
    12: (_P3, D65),
    22: ((0.63, 0.34, 0.295, 0.605, 0.155, 0.077), D65),
}
"""x and y of red, green and blue, and of white, by their number in H.273."""
_UNSPECIFIED = 2
_LIKE_SRGB = (1, 6, 7, 11, 12, 13, 14, 15)
"""Transfer functions that are sRGB's, or of video cameras, whose pictures are shown as sRGB is."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class Encoding:
    """What a file says about its colours.

    Attributes:
        linear: (…, 3) float32 numbers of the file, 0 to 1, to light of the same shape; 1 is white, HDR goes beyond.
        to_rec709: (3, 3) from that light's primaries to linear Rec. 709.
        hdr: white is not the brightest that it can tell.
    """

    linear: Callable[[np.ndarray], np.ndarray]
    to_rec709: np.ndarray
    hdr: bool = False

    @property
    def coarse(self) -> bool:
        """Whether 8 bits of it are too few: dark tones lie further apart than sRGB's."""
        return bool(self.linear(np.full((1, 3), 1 / 255, np.float32)).max() > 4 * to_linear(np.uint8([1]))[0])


def by_code(primaries: int, transfer: int, full_range: bool = True) -> Encoding | None:
    """The encoding of code points of H.273; None where it is sRGB or nothing is said.

    Raises:
        ValueError: a code point that is not known.
    """
    like_srgb = transfer in (*_LIKE_SRGB, _UNSPECIFIED)
    if like_srgb and primaries in (1, _UNSPECIFIED) and full_range:
        return None
    if primaries == _UNSPECIFIED:
        primaries = 1
    if primaries not in _PRIMARIES:
        raise ValueError(f"unknown primaries {primaries}")
    linear = _SRGB if like_srgb else _TRANSFERS.get(transfer)
    if linear is None:
        raise ValueError(f"unknown transfer function {transfer}")
    matrix = to_rec709(*_PRIMARIES[primaries])
    if full_range:
        return Encoding(linear, matrix, transfer in _HDR)
    return Encoding(lambda v: linear(np.clip((v * 255 - 16) / 219, 0, 1)), matrix, transfer in _HDR)


def by_numbers(gamma: float | None, primaries: tuple[float, ...] | None, white: tuple[float, ...]) -> Encoding | None:
    """The encoding of a power law and measured primaries; None where nobody sees a difference from sRGB.

    Args:
        gamma: exponent from the file's numbers to light; None: sRGB's curve.
        primaries: x and y of red, green and blue; None: Rec. 709. white: its x and y.

    Raises:
        ValueError: numbers that no picture has.
    """
    if gamma is not None and not 0.2 < gamma < 8:
        raise ValueError(f"an exponent of {gamma}")
    like_srgb = gamma is None or abs(gamma / 2.2 - 1) < 0.06
    if primaries is None or np.allclose((*primaries, *white), (*REC709, *D65), atol=0.006):
        primaries, white = REC709, D65
        if like_srgb:
            return None
    return Encoding(_SRGB if like_srgb and gamma is None else _power(gamma), to_rec709(primaries, white))


def to_rec709(primaries: tuple[float, ...], white: tuple[float, ...]) -> np.ndarray:
    """(3, 3) from light of given primaries to linear Rec. 709, white to white.

    Raises:
        ValueError: three primaries on a line, or no white.
    """
    return np.linalg.inv(_to_xyz(REC709, D65)) @ _adapted(_to_xyz(primaries, white), white, D65)


def srgb_in_d50() -> np.ndarray:
    """(3, 3) from linear Rec. 709 to XYZ as ICC profiles have it."""
    return _adapted(_to_xyz(REC709, D65), D65, D50)


def _to_xyz(primaries: tuple[float, ...], white: tuple[float, ...]) -> np.ndarray:
    xy = np.array(primaries, np.float64).reshape(3, 2)
    columns = np.stack([xy[:, 0], xy[:, 1], 1 - xy.sum(1)])
    if not np.isfinite(columns).all() or abs(np.linalg.det(columns)) < 1e-4 or not 0.05 < white[1] < 1:
        raise ValueError("primaries that span no colours")
    return columns * np.linalg.solve(columns, _white_xyz(white))


def _white_xyz(white: tuple[float, ...]) -> np.ndarray:
    x, y = white
    return np.array([x / y, 1, (1 - x - y) / y])


def _adapted(to_xyz: np.ndarray, white: tuple[float, ...], wanted: tuple[float, ...]) -> np.ndarray:
    """A matrix to XYZ for another white, after Bradford."""
    gain = (_BRADFORD @ _white_xyz(wanted)) / (_BRADFORD @ _white_xyz(white))
    return np.linalg.solve(_BRADFORD, gain[:, None] * (_BRADFORD @ to_xyz))


def _power(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: np.maximum(values, 0) ** np.float32(exponent)


def _perceptual_quantizer(values: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = np.clip(values, 0, 1) ** np.float32(1 / m2)
    nits = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return (nits / WHITE_NITS).astype(np.float32)


def _hybrid_log_gamma(values: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100 for a display of 1000 nits, on which its 75 % are white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((np.maximum(values, 0.5) - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.678, 0.0593])
    return (1000 / WHITE_NITS * scene * np.maximum(luminance, 1e-9)[..., None] ** 0.2).astype(np.float32)


_SRGB = to_linear
_TRANSFERS = {
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    16: _perceptual_quantizer,
    17: lambda values: np.float32(52.37 / 48) * np.maximum(values, 0) ** np.float32(2.6),
    18: _hybrid_log_gamma,
}
_HDR = (16, 18)
