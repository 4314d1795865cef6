# SPDX-License-Identifier: GPL-3.0-or-later
"""The reconstruction of one face, and the result folder it is saved to and read back from."""

from dataclasses import dataclass

import numpy as np

from .camera import AffineCamera, PerspectiveCamera


@dataclass(frozen=True)
class Notice:
    """A warning an artist should see. ``code`` is stable, e.g. ``yaw``, ``face_at_border``, ``small_face``."""

    code: str
    message: str


@dataclass(frozen=True)
class Reconstruction:
    """Everything known about one face of one photo.

    Attributes:
        photo_name: file name of the photo.
        photo: (H, W, 3) uint8 sRGB, upright as an artist sees it.
        face_model: name of the face model, ``builtin``.
        expression_names: E names in the order of ``beta``.
        alpha: (K,) float32 identity in σ units.
        beta: (E,) float32 expression weights in [0, 1].
        affine, perspective: cameras, head frame mm to photo px.
        landmarks68_px: (68, 2) float32 found in the photo.
        landmarks68_mm: (68, 3) float32 the same points on the reconstructed posed mesh, head frame.
        vertices, vertices_neutral: (V, 3) float32 mm of all the model's parts, with and without expression.
        texture: (R, R, 3) uint8 sRGB photo colour in canonical UV, complete.
        confidence: (R, R) float32, 1 seen straight on … 0 filled in.
        stage_seconds: seconds per stage, by stage name.
        notices: warnings.
    """

    photo_name: str
    photo: np.ndarray
    face_model: str
    expression_names: tuple[str, ...]
    alpha: np.ndarray
    beta: np.ndarray
    affine: AffineCamera
    perspective: PerspectiveCamera
    landmarks68_px: np.ndarray
    landmarks68_mm: np.ndarray
    vertices: np.ndarray
    vertices_neutral: np.ndarray
    texture: np.ndarray
    confidence: np.ndarray
    stage_seconds: dict[str, float]
    notices: tuple[Notice, ...]
