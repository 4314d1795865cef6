# SPDX-License-Identifier: GPL-3.0-or-later
"""The points of the canonical, built-in head that the correspondence network looks for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..assets.shipped import WEIGHTS_DIR, find_weights
from ..errors import AssetError
from ..io.archive import read_arrays, require_format
from .model import FaceModel, PointEmbedding

FORMAT_VERSION = 1
FILE_NAME = "canonical_points.npz"
_REMEDY = "Install the FaceDetail extension again; its zip carries this file."
_LANDMARKS = 478


@dataclass(frozen=True)
class CanonicalPoints:
    """P points of the built-in head.

    Attributes:
        model_fingerprint: of that head.
        embedding: where they lie on it, skin and eyes.
        points_mm: (P, 3) float32, those of the mean head.
        landmarks_mm: (478, 3) float32, where the face mesh's landmarks lie on the mean head; frames a face.
    """

    model_fingerprint: str
    embedding: PointEmbedding
    points_mm: np.ndarray
    landmarks_mm: np.ndarray

    def on(self, model: FaceModel) -> PointEmbedding | None:
        """Where they lie on a model; None where that is not the head that they are of, but an imported or a new one."""
        return self.embedding if model.fingerprint() == self.model_fingerprint else None


def save_canonical_points(path: Path, points: CanonicalPoints) -> None:
    """Write an npz file; the same points give the same bytes."""
    with open(path, "wb") as stream:
        np.savez(
            stream,
            format_version=np.int32(FORMAT_VERSION),
            model_fingerprint=np.array(points.model_fingerprint),
            vertices=points.embedding.vertices.astype(np.int32),
            weights=points.embedding.weights.astype(np.float32),
            points_mm=points.points_mm.astype(np.float32),
            landmarks_mm=points.landmarks_mm.astype(np.float32),
        )


def load_canonical_points(directory: Path = WEIGHTS_DIR) -> CanonicalPoints:
    """The shipped points.

    Raises:
        AssetError: the file is missing, damaged, of another format, or holds wrong shapes or values.
    """
    path = find_weights(FILE_NAME, directory)
    try:
        arrays = read_arrays(path)
        require_format(arrays, FORMAT_VERSION)
        vertices, weights, points, landmarks = (
            arrays[name] for name in ("vertices", "weights", "points_mm", "landmarks_mm")
        )
        fingerprint = str(arrays["model_fingerprint"])
    except (ValueError, KeyError) as error:
        raise AssetError(f"The canonical points {path} cannot be read: {error}.", _REMEDY) from error
    shapes = vertices.shape == weights.shape == points.shape == (len(points), 3) and landmarks.shape == (_LANDMARKS, 3)
    if not (shapes and vertices.dtype.kind == "i" and all(np.isfinite(a).all() for a in (weights, points, landmarks))):
        raise AssetError(f"The canonical points {path} hold wrong shapes or values.", _REMEDY)
    return CanonicalPoints(fingerprint, PointEmbedding(vertices, weights), points, landmarks)
