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
class HeadFit:
    """A face model fitted to photos of one person.

    Attributes:
        alpha: (K,) float32, identity in σ units.
        vertices_neutral: (V, 3) float32 mm, the head at rest, head frame, all parts of the model.
        poses: one for each observation, in their order.
        size: how large the head was taken for, and how sure that is; None where the model is not of a
            person's size, and in results from before it was estimated.
    """

    alpha: np.ndarray
    vertices_neutral: np.ndarray
    poses: tuple[PoseFit, ...]
    size: HeadSize | None = None

    @property
    def pose(self) -> PoseFit:
        """The first photo's: camera and expression of the scene come from it."""
        return self.poses[0]
