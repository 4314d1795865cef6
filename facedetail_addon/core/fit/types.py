# SPDX-License-Identifier: GPL-3.0-or-later
"""What the proxy fit returns."""

from dataclasses import dataclass, field

import numpy as np

from ..geometry.camera import AffineCamera, PerspectiveCamera


@dataclass(frozen=True)
class ProxyFit:
    """A face model fitted to one face of one photo.

    Attributes:
        alpha: (K,) float32, identity in σ units.
        beta: (E,) float32, expression weights in [0, 1], in the model's order of names.
        affine: affine camera of the fit, head frame mm to photo px.
        perspective: perspective camera of the same correspondences.
        vertices: (V, 3) float32 mm, posed head (identity and expression), head frame, all parts of the model.
        vertices_neutral: (V, 3) float32 mm, the same at rest.
        residual_px: median landmark residual in px under the perspective camera.
        native_beta: (S,) float32, coefficients of the model's own expressions in σ units; empty where it has none
            or they were not fitted. Where they were, ``vertices`` have them and ``beta`` is the nearest that named
            expressions come to them.
    """

    alpha: np.ndarray
    beta: np.ndarray
    affine: AffineCamera
    perspective: PerspectiveCamera
    vertices: np.ndarray
    vertices_neutral: np.ndarray
    residual_px: float
    native_beta: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
