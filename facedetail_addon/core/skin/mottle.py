# SPDX-License-Identifier: GPL-3.0-or-later
"""Pigment and blood of skin that nobody has seen: as uneven over some millimetres as the person's seen skin is.

Coarser than grain, finer than what the completion carries on: without it ears, neck and scalp look like plastic beside
a face. Noise of the place in space, so that no seam of the texture shows it, with the covariance that log colours of
seen skin have in that band.
"""

import numpy as np

from ..face_model.model import FaceModel
from ..uv.types import Atlas

_PLAIN = ("cheeks", "forehead", "chin")  # without hair and lips; what is uneven there is skin
_FINE_STEPS, _COARSE_STEPS = 1, 12  # over the mesh, 2 mm and 1 to 2 cm: the band between
_SEEN = 0.95  # share of the surroundings that is seen, for a place to count
_LEAST_VERTICES = 200
_OUTLIERS = 2.0  # standard deviations beyond which it is a mark or a fold, and is not repeated
_MOST = 0.035  # standard deviation of logarithms; sixteen true skins have 0.01 to 0.05, 0.026 in the mean
_WAVES, _WAVELENGTHS_MM = 48, (8.0, 24.0)
_FLOOR = 0.004  # linear, so that logarithms stay finite


def mottle(albedo: np.ndarray, weight: np.ndarray, model: FaceModel, atlas: Atlas) -> np.ndarray:
    """(V_skin, 3) float32 log factors, zero in the mean; zeros where too little plain skin is seen.

    Args:
        albedo: (V_skin, 3) float32 linear, this person's seen skin. weight: (V_skin,) in [0, 1], how well it is seen.
    """
    plain = weight * model.in_region(*_PLAIN)
    edges = -atlas.laplacian.tocsr().astype(np.float32)
    edges.setdiag(0)
    edges = edges.multiply(1 / np.maximum(np.asarray(edges.sum(axis=1)), 1e-9)).tocsr()
    logs = np.log(albedo + _FLOOR)
    around = np.column_stack([logs * plain[:, None], plain]).astype(np.float32)
    means = []
    for step in range(1, _COARSE_STEPS + 1):
        around = edges @ around
        if step in (_FINE_STEPS, _COARSE_STEPS):
            means.append(around[:, :3] / np.maximum(around[:, 3:], 1e-6))
    counts = (plain > _SEEN) & (around[:, 3] > _SEEN)
    if counts.sum() < _LEAST_VERTICES:
        return np.zeros_like(logs)
    return _noise(model.skin.of(model.mean)) @ _root(_covariance((means[0] - means[1])[counts]))


def _covariance(band: np.ndarray) -> np.ndarray:
    """(3, 3) of (N, 3) without outliers."""
    band = band - np.median(band, axis=0)
    usual = np.quantile(np.abs(band), 0.68, axis=0)
    band = band.clip(-_OUTLIERS * usual, _OUTLIERS * usual)
    found = band.T @ band / len(band)
    return found * min(1.0, _MOST**2 / max(float(found.diagonal().max()), 1e-12))


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return ((vectors * np.sqrt(values.clip(0))) @ vectors.T).astype(np.float32)


def _noise(places: np.ndarray) -> np.ndarray:
    """(V, 3) float32 independent noises of unit variance at (V, 3) mm, always the same: sums of waves in space."""
    random = np.random.default_rng(0)
    lengths = np.exp(random.uniform(*np.log(_WAVELENGTHS_MM), (3, _WAVES)))
    ways = random.standard_normal((3, _WAVES, 3))
    ways *= (2 * np.pi / lengths / np.linalg.norm(ways, axis=2))[..., None]
    starts = random.uniform(0, 2 * np.pi, (3, _WAVES))
    waves = [
        np.cos(places.astype(np.float32) @ way.T.astype(np.float32) + start.astype(np.float32)).sum(axis=1)
        for way, start in zip(ways, starts, strict=True)
    ]
    return np.stack(waves, axis=1) * np.float32(np.sqrt(2 / _WAVES))
