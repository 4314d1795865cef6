# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a mesh by primary rays: what each pixel of a photo's camera sees."""

import numpy as np

from .camera import PerspectiveCamera
from .rays import Hits, RayScene


def camera_rays(camera: PerspectiveCamera, size: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """One ray through the centre of every pixel, in the head frame.

    Args:
        camera: the photo's camera.
        size: (width, height) of the picture to make of the whole photo; the photo's own by default.

    Returns:
        origins and unit directions, each (H·W, 3) float32, row by row.
    """
    width, height = size or camera.image_size
    x = (np.arange(width) + 0.5) * (camera.image_size[0] / width)
    y = (np.arange(height) + 0.5) * (camera.image_size[1] / height)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    plane = (grid - camera.center_px) / camera.focal_px
    directions = np.concatenate([plane, np.ones_like(plane[:, :1])], axis=1) @ camera.rotation
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    origins = np.broadcast_to(camera.position(), directions.shape)
    return np.ascontiguousarray(origins, np.float32), directions.astype(np.float32)


def trace_image(
    vertices: np.ndarray, triangles: np.ndarray, camera: PerspectiveCamera, size: tuple[int, int] | None = None
) -> Hits:
    """The first triangle each pixel sees; arrays of H·W entries, row by row."""
    return RayScene(vertices, triangles).cast(*camera_rays(camera, size))


def interpolate(hits: Hits, triangles: np.ndarray, attribute: np.ndarray) -> np.ndarray:
    """(V, C) attribute of the vertices to (N, C) at the hits; zeros where nothing was hit."""
    corners = attribute[triangles[hits.triangle]]
    values = np.einsum("nkc,nk->nc", corners, hits.barycentric)
    return np.where(hits.triangle[:, None] >= 0, values, 0)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, triangles weighted by area; zero for vertices without a triangle."""
    corners = vertices[triangles].astype(np.float64)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(triangles[:, corner], face[:, axis], len(vertices))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-12)).astype(np.float32)
