# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what ``facedetail_addon/core/skin/basis.py`` reads."""

from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.skin.basis import FORMAT_VERSION

_LEVELS = 127  # of a mode's coefficients on either side of zero


def save_basis(
    path: Path,
    model: FaceModel,
    known: np.ndarray,
    mean: np.ndarray,
    modes: np.ndarray,
    residual_sigma: np.ndarray,
    reach: np.ndarray,
) -> None:
    """Write a basis, its modes in 8 bits.

    Args:
        known: (S, S) float32 in [0, 1]; texels at 0 are not stored.
        mean: (S, S, 3) log albedo. modes: (G, S, S, 3) per σ.
        residual_sigma: (S, S) standard deviation of log luminance that the modes leave over.
        reach: (2, G) lowest and highest γ of people.
    """
    stored = known > 0
    values = modes[:, stored]
    steps = np.abs(values).reshape(len(values), -1).max(axis=1) / _LEVELS
    np.savez_compressed(
        path,
        format_version=np.int32(FORMAT_VERSION),
        fingerprint=np.array(model.fingerprint()),
        known=np.where(stored, np.round(known * 255).clip(1, 255), 0).astype(np.uint8),
        mean=mean[stored].astype(np.float16),
        steps=steps.astype(np.float32),
        modes=np.round(values / steps[:, None, None]).astype(np.int8),
        residual_sigma=np.round(residual_sigma[stored].clip(0, 1) * 255).astype(np.uint8),
        reach=reach.astype(np.float32),
    )


def read_learned(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, S) bool which texels a file holds, (3N,) float32 their mean, (G, 3N) float32 its modes."""
    with np.load(path) as stored:
        modes = stored["modes"].astype(np.float32) * stored["steps"][:, None, None]
        return stored["known"] > 0, stored["mean"].astype(np.float32).ravel(), modes.reshape(len(modes), -1)
