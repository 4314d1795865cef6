# SPDX-License-Identifier: GPL-3.0-or-later
"""The points that the network looks for, on the built-in head and on any other with the same canonical UV."""

from pathlib import Path

import numpy as np

from ...assets.shipped import find_weights
from ...errors import AssetError
from ...face_model.model import FaceModel, PointEmbedding
from ...io.archive import read_arrays, require_format
from .network import POINTS

FILE_NAME = "correspondence_points.npz"
IRISES = slice(68, 78)
"""Which of the points lie on the irises; the first 68 are iBUG's, those after these are spread over the skin."""
_FORMAT = 1


def save_points(path: Path, points: PointEmbedding) -> None:
    np.savez_compressed(path, format_version=np.int32(_FORMAT), vertices=points.vertices, weights=points.weights)


def load_points(model: FaceModel, path: Path | None = None) -> PointEmbedding:
    """The points on the built-in head.

    Raises:
        AssetError: missing, damaged, or of another head.
    """
    path = path or find_weights(FILE_NAME)
    try:
        arrays = read_arrays(path)
        require_format(arrays, _FORMAT)
        vertices, weights = arrays["vertices"], arrays["weights"]
        fits = (
            vertices.shape == weights.shape == (POINTS, 3) and vertices.dtype.kind == "i" and np.isfinite(weights).all()
        )
        if not fits or vertices.min() < 0 or vertices.max() >= len(model.mean):
            raise ValueError("wrong shapes or values")
    except (ValueError, KeyError) as error:
        raise AssetError(f"{path} cannot be read: {error}.", "Install the FaceDetail extension again.") from error
    return PointEmbedding(vertices, weights)
