# SPDX-License-Identifier: GPL-3.0-or-later
"""A white diffuse ball in Cycles under our picture of a light, against what the light's harmonics say of it."""

import numpy as np

from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.rendering.environment import environment_image, nonnegative
from facedetail_addon.core.rendering.harmonics import bands_of, evaluate, lambert
from facedetail_addon.core.rendering.primary_rays import camera_rays
from facedetail_addon.scene.space import to_blender
from scripts.benchmark.appearance.cycles import (
    empty_scene,
    light_with,
    painted_material,
    painted_mesh,
    render_linear,
)

_SIZE, _SAMPLES = 96, 128
_RADIUS_MM, _DISTANCE_MM = 50.0, 1000.0
_RINGS = 96
_RIM = 0.95  # of the radius; beyond, a pixel's normals differ too much


def ball_errors(radiance: np.ndarray, threads: int) -> tuple[float, float]:
    """How far the ball is from what harmonics say: root mean square over the mean.

    Args:
        radiance: (B², 3) head frame. threads: of Cycles.

    Returns:
        error against the light as our picture promises it (``nonnegative``), and against the light as given.
    """
    image = environment_image(radiance)
    promised = nonnegative(radiance)
    shown, normals = [], []
    for turn in (1.0, -1.0):  # from before and from behind
        seen = _photograph(image, turn, threads)
        shown.append(seen[0])
        normals.append(seen[1])
    shown, normals = np.concatenate(shown), np.concatenate(normals)
    return relative_rmse(shown, irradiance(promised, normals)), relative_rmse(shown, irradiance(radiance, normals))


def irradiance(radiance: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, 3) irradiance / π of (B², 3) harmonics at (N, 3) normals, nothing in the way."""
    bands = bands_of(radiance)
    return evaluate(normals, bands) @ (lambert(bands)[:, None] * radiance)


def relative_rmse(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square difference of (N, 3) over the truth's mean."""
    return float(np.sqrt(np.mean((found - truth) ** 2)) / truth.mean())


def _photograph(image: np.ndarray, turn: float, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) what the ball's pixels show and (N, 3) normals there, from +Z or from −Z."""
    rotation = np.diag([turn, -1.0, -turn])
    focal = 0.45 * _SIZE * _DISTANCE_MM / _RADIUS_MM
    camera = PerspectiveCamera(
        rotation, np.array([0, 0, _DISTANCE_MM]), focal, np.array([_SIZE / 2] * 2), (_SIZE, _SIZE)
    )
    scene = empty_scene(camera, _SAMPLES, threads)
    light_with(scene, image)
    normals, triangles = _sphere()
    white = painted_material("white", Roughness=1.0, Specular_IOR_Level=0.0)
    painted_mesh(
        scene, to_blender(normals * _RADIUS_MM), to_blender(normals), triangles, np.ones_like(normals),
        np.zeros(len(triangles)), [white],
    )  # fmt: skip
    shown = render_linear(scene)["image"][..., :3].reshape(-1, 3)
    origins, directions = (rays.astype(np.float64) for rays in camera_rays(camera))
    along = (origins * directions).sum(1)
    inside = along**2 - (origins**2).sum(1) + _RADIUS_MM**2
    pixels = inside > (1 - _RIM**2) * _RADIUS_MM**2
    points = origins[pixels] - directions[pixels] * (along[pixels] + np.sqrt(inside[pixels]))[:, None]
    return shown[pixels], points / _RADIUS_MM


def _sphere() -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) unit vectors and (T, 3) triangles, corners in order as seen from outside."""
    theta = np.pi * np.arange(_RINGS + 1) / _RINGS
    phi = np.pi * np.arange(2 * _RINGS) / _RINGS
    theta, phi = np.meshgrid(theta, phi, indexing="ij")
    points = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)
    row, column = np.meshgrid(np.arange(_RINGS), np.arange(2 * _RINGS), indexing="ij")
    a = row * 2 * _RINGS + column
    b = row * 2 * _RINGS + (column + 1) % (2 * _RINGS)
    c, d = a + 2 * _RINGS, b + 2 * _RINGS
    triangles = np.concatenate([np.stack([a, c, d], -1).reshape(-1, 3), np.stack([a, d, b], -1).reshape(-1, 3)])
    return points.reshape(-1, 3), triangles
