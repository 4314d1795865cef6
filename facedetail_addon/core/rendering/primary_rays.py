# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a mesh by primary rays: what each pixel of a camera shows, and how open to the sky that is."""

import numpy as np

from ..geometry.camera import PerspectiveCamera
from .normals import vertex_normals
from .rays import Hits, RayScene

_OFFSET_MM = 0.3  # rays start so far above the surface


def camera_rays(
    camera: PerspectiveCamera,
    size: tuple[int, int] | None = None,
    box_px: tuple[float, float, float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """One ray through the centre of every pixel, in the head frame.

    Args:
        camera: the photo's camera.
        size: (width, height) of the picture to make; the photo's own by default.
        box_px: the part of the photo it shows, x0, y0, x1, y1 in photo px; the whole photo by default.

    Returns:
        origins and unit directions, each (H·W, 3) float32, row by row.
    """
    width, height = size or camera.image_size
    x0, y0, x1, y1 = box_px or (0, 0, *camera.image_size)
    x = x0 + (np.arange(width) + 0.5) * ((x1 - x0) / width)
    y = y0 + (np.arange(height) + 0.5) * ((y1 - y0) / height)
    return rays_through(camera, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))


def rays_through(camera: PerspectiveCamera, points_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origins and unit directions, each (N, 3) float32 in the head frame, of rays through (N, 2) px of the photo."""
    plane = (points_px - camera.center_px) / camera.focal_px
    directions = plane @ camera.rotation[:2] + camera.rotation[2]
    directions /= np.sqrt(np.einsum("nk,nk->n", directions, directions))[:, None]
    origins = np.broadcast_to(camera.position(), directions.shape)
    return np.ascontiguousarray(origins, np.float32), directions.astype(np.float32)


def trace_image(
    vertices: np.ndarray,
    triangles: np.ndarray,
    camera: PerspectiveCamera,
    size: tuple[int, int] | None = None,
    box_px: tuple[float, float, float, float] | None = None,
) -> Hits:
    """The first triangle that each pixel shows; arrays of H·W entries, row by row.

    Args:
        vertices: (V, 3) mm. triangles: (T, 3) int. camera, size, box_px: as for :func:`camera_rays`.
    """
    return RayScene(vertices, triangles).cast(*camera_rays(camera, size, box_px))


def interpolate(hits: Hits, triangles: np.ndarray, attribute: np.ndarray) -> np.ndarray:
    """(V, C) attribute of the vertices to (N, C) at the hits; zeros where nothing was hit."""
    corners = attribute[triangles[hits.triangle]]
    values = np.einsum("nkc,nk->nc", corners, hits.barycentric)
    return np.where(hits.triangle[:, None] >= 0, values, 0)


def ambient_occlusion(
    vertices: np.ndarray,
    triangles: np.ndarray,
    which: np.ndarray,
    rays: int = 32,
    scene: RayScene | None = None,
) -> np.ndarray:
    """Visibility of the sky over some vertices, cosine-weighted.

    Args:
        vertices: (V, 3) mm. triangles: (T, 3) int of all that may block. which: (N,) int, the vertices to look from.
        rays: directions per vertex, the same spiral for each, turned about the normal by a golden-ratio sequence.
        scene: of the same mesh, where there is one already.

    Returns:
        (N,) float32, 1 = open, 0 = closed in.
    """
    normals = vertex_normals(vertices, triangles)[which]
    helper = np.where(np.abs(normals[:, :1]) < 0.7, np.float32([[1, 0, 0]]), np.float32([[0, 1, 0]]))
    tangent = np.cross(helper, normals)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    bitangent = np.cross(normals, tangent)
    golden = (np.sqrt(5) - 1) / 2
    turn = np.arange(len(which)) * golden % 1 * 2 * np.pi
    origins = vertices[which] + normals * np.float32(_OFFSET_MM)
    scene = scene or RayScene(vertices, triangles)
    blocked = np.zeros(len(which), np.float32)
    for ray in range(rays):
        radius = np.sqrt((ray + 0.5) / rays)
        angle = turn + 2 * np.pi * golden * ray
        directions = (
            tangent * (radius * np.cos(angle))[:, None]
            + bitangent * (radius * np.sin(angle))[:, None]
            + normals * np.sqrt(1 - radius**2)
        )
        blocked += scene.occluded(origins, directions)
    return 1 - blocked / rays
