# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked for."""

from dataclasses import dataclass

from .core.detail.types import COMPACT, DETAIL_MODES
from .core.face_model.library import BUILTIN
from .core.observe.expression.types import DEFAULT_EXPRESSION_SOURCE, EXPRESSION_SOURCES

RESOLUTIONS = (512, 1024, 2048, 4096)
MESH_LANDMARKER, FAN_LANDMARKER = LANDMARKERS = ("mesh", "fan")
AUTO_FIT, DENSE_FIT, SPARSE_FIT = FITS = ("auto", "dense", "sparse")
MOST_BANDS = 9


@dataclass(frozen=True)
class Settings:
    """What to do with a photo.

    Attributes:
        face_model: ``"builtin"``, or the id of an installed face model.
        landmarker: what finds the 68 landmarks of the sparse fit, ``"mesh"`` or ``"fan"``.
        fit: ``"dense"`` takes the face mesh's 478 points and what was measured of them; ``"sparse"`` the 68 points and
            the method of Chen et al. (section 3.1), with a model's own expression modes where it has some; ``"auto"``
            is sparse for FAN's points, else dense, which came nearer to the truth with every model.
        resolution: side of the texture in texels, one of 512, 1024, 2048, 4096.
        face: which face, counted from 0 by size; None: the largest.
        expression: what the expression is taken from, one of ``EXPRESSION_SOURCES``.
        light_bands: bands of spherical harmonics of the light, 3 (as in the paper) to 9.
        detail: what makes the relief of the skin, one of ``DETAIL_MODES``.
    """

    face_model: str = BUILTIN
    landmarker: str = MESH_LANDMARKER
    fit: str = AUTO_FIT
    resolution: int = 2048
    face: int | None = None
    expression: str = DEFAULT_EXPRESSION_SOURCE
    light_bands: int = 3
    detail: str = COMPACT

    def __post_init__(self):
        if self.landmarker not in LANDMARKERS:
            raise ValueError(f"landmarker must be one of {LANDMARKERS}, not {self.landmarker!r}")
        if self.fit not in FITS:
            raise ValueError(f"fit must be one of {FITS}, not {self.fit!r}")
        if self.resolution not in RESOLUTIONS:
            raise ValueError(f"resolution must be one of {RESOLUTIONS}, not {self.resolution!r}")
        if self.face is not None and self.face < 0:
            raise ValueError(f"face counts from 0, not {self.face!r}")
        if self.expression not in EXPRESSION_SOURCES:
            raise ValueError(f"expression must be one of {EXPRESSION_SOURCES}, not {self.expression!r}")
        if not 3 <= self.light_bands <= MOST_BANDS:
            raise ValueError(f"light_bands must be 3 to {MOST_BANDS}, not {self.light_bands!r}")
        if self.detail not in DETAIL_MODES:
            raise ValueError(f"detail must be one of {DETAIL_MODES}, not {self.detail!r}")
