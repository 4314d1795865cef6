# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic photos of heads with known shape: primary rays, a sky, lamps, shine and noise."""

import cv2
import numpy as np

from facedetail_addon.core.colour import to_srgb
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.primary_rays import camera_rays, interpolate
from facedetail_addon.core.rendering.rays import Hits, RayScene
from scripts.training.heads.painter import Painter, random_albedo


def render_head(
    painter: Painter, vertices: np.ndarray, camera: PerspectiveCamera, rng: np.random.Generator
) -> tuple[np.ndarray, Hits]:
    """Draw a head in a random look and light.

    Args:
        vertices: (V, 3) mm posed head, in the painter's vertex order.
        camera: square or not, its image_size is the picture's.

    Returns:
        (H, W, 3) uint8 sRGB and the hits of the primary rays, row by row.
    """
    width, height = camera.image_size
    scene = RayScene(vertices, painter.triangles)
    origins, directions = camera_rays(camera)
    hits = scene.cast(origins, directions)
    seen = np.flatnonzero(hits.triangle >= 0)
    front = Hits(hits.triangle[seen], hits.barycentric[seen], hits.distance[seen])
    normals = vertex_normals(vertices, painter.triangles)
    values = interpolate(front, painter.triangles, np.concatenate([painter.rest, normals, painter.ambient], axis=1))
    rest, normal, ambient = values[:, :3], values[:, 3:6], values[:, 6:]
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    part = painter.part[front.triangle]
    albedo = random_albedo(painter, rest, part, rng)
    points = origins[seen] + directions[seen] * front.distance[:, None]
    light = _light(scene, points, normal, ambient, directions[seen], camera, part, rng)
    color = np.zeros((height * width, 3), np.float32)
    color[:] = _background(rng, width, height)
    color[seen] = albedo * light[0] + light[1]
    picture = to_srgb(color * rng.uniform(0.8, 1.3)).reshape(height, width, 3)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.7))
    picture = picture + rng.normal(size=picture.shape) * rng.uniform(0, 0.02)
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8), hits


def _light(
    scene: RayScene, points: np.ndarray, normal: np.ndarray, ambient: np.ndarray, view: np.ndarray,
    camera: PerspectiveCamera, part: np.ndarray, rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Diffuse factor (N, 3) and added shine (N, 1): sky, a key light with or without shadow, a weak second light."""
    sky_color = 1 + rng.normal(size=3) * 0.05
    up = normal @ camera.rotation.T
    sky = (0.75 - 0.25 * up[:, 1:2]) * ambient ** rng.uniform(0.5, 1.2) * sky_color
    strength = rng.uniform(0.25, 1.0)
    total, shine = sky * (1 - 0.6 * strength), np.zeros((len(points), 1))
    for power in (strength, strength * rng.uniform(0, 0.5)):
        towards = np.array([rng.normal() * 0.7, -rng.uniform(-0.1, 1.2), -1.0])
        towards = camera.rotation.T @ (towards / np.linalg.norm(towards))
        facing = np.maximum(normal @ towards, 0)[:, None]
        if rng.random() < 0.4:
            blocked = scene.occluded(points + normal * 0.5, np.broadcast_to(towards, points.shape))
            facing = facing * (1 - rng.uniform(0.4, 0.9) * blocked[:, None])
        total = total + facing * power * (1 + rng.normal(size=3) * 0.04)
        half = towards - view
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        gloss = np.where(part[:, None] == 1, 200.0, 18.0)
        weight = np.where(part[:, None] == 1, 0.8, 0.08 * rng.random())
        shine = shine + weight * power * np.maximum((normal * half).sum(1, keepdims=True), 0) ** gloss
    return total, shine


def _background(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    coarse = (rng.uniform(0, 1, (3, 3, 1)) ** 2 + rng.normal(size=(3, 3, 3)) * 0.08) * rng.uniform(0.1, 0.9)
    smooth = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return smooth.reshape(-1, 3).clip(0, 1)
