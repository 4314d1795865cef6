# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fit returns: one head, and its pose in each photo."""

from dataclasses import dataclass, field

import numpy as np

from ..geometry.camera import AffineCamera, PerspectiveCamera


@dataclass(frozen=True)
class PoseFit:
    """The head as one photo shows it.

    Attributes:
        beta: (E,) float32, expression weights in [0, 1], in the model's order of names.
        affine: affine camera of the fit, head frame mm to photo px.
        perspective: perspective camera of the same correspondences.
        vertices: (V, 3) float32 mm, posed head (identity and expression), head frame, all parts of the model.
        landmarks68_mm: (68, 3) float32, iBUG's landmarks on ``vertices``, head frame.
        residual_px: median landmark residual in px under the perspective camera; NaN in results of format 5.
        native_beta: (S,) float32, coefficients of the model's native expressions in σ units; empty where it has none
            or they were not fitted. Where they were, ``vertices`` have them and ``beta`` is the nearest that named
            expressions come to them.
    """

    beta: np.ndarray
    affine: AffineCamera
    perspective: PerspectiveCamera
    vertices: np.ndarray
    landmarks68_mm: np.ndarray
    residual_px: float
    native_beta: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True)
class HeadSize:
    """The size of a head beside the model's mean.

    Attributes:
        factor: 1 is the mean head's. sigma: of its logarithm, what remains uncertain.
        irises: of how many photos the irises were read.
    """

    factor: float
    sigma: float
    irises: int


@dataclass(frozen=True)
class SkinMatches:
    """Places of the skin that two photos show.

    Attributes:
        views: the two photos, the more frontal one first.
        rows: (N,) int, vertices of the skin near them. first_px, second_px: (N, 2) float64, where the photos show them.
        weights: (N,) in (0, 1], how sure they are.
    """

    views: tuple[int, int]
    rows: np.ndarray
    first_px: np.ndarray
    second_px: np.ndarray
    weights: np.ndarray


SCALE_SIGMA = 0.045
"""What one unit of the fit's unknown scale is: how much sizes of heads differ, a share."""


@dataclass(frozen=True)
class HeadFit:
    """A face model fitted to photos of one person.

    Attributes:
        alpha: (K,) float32, identity in σ units.
        vertices_neutral: (V, 3) float32 mm, the head at rest, head frame, all parts of the model: ``scale`` times the
            mean head, the modes of α, and what refinement adds.
        poses: one for each observation, in their order.
        size: how large the head was taken for, and how sure that is; None where the model is not of a
            person's size, and in results from before it was estimated.
        scale: of the mean head, apart from α; 1 where the size lies in α alone.
        alpha_shown: (K,) float32, α of which ``poses`` are made: with what smiles look like; ``alpha`` where None.
    """

    alpha: np.ndarray
    vertices_neutral: np.ndarray
    poses: tuple[PoseFit, ...]
    size: HeadSize | None = None
    scale: float = 1.0
    alpha_shown: np.ndarray | None = None

    @property
    def identity(self) -> np.ndarray:
        """(K + 1,) float64, the dense fit's unknowns of which poses are made: α, and the scale in units of
        :data:`SCALE_SIGMA`."""
        shown = self.alpha if self.alpha_shown is None else self.alpha_shown
        return np.append(shown.astype(np.float64), (self.scale - 1) / SCALE_SIGMA)

    @property
    def pose(self) -> PoseFit:
        """The first photo's: camera and expression of the scene come from it."""
        return self.poses[0]
