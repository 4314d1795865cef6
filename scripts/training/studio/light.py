# SPDX-License-Identifier: GPL-3.0-or-later
"""A random light on a posed head: lamps with cast shadows, sky and ground."""

from dataclasses import dataclass

import cv2
import numpy as np

from facedetail_addon.core.detail.space import texel_gradients
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.rays import RayScene
from scripts.training.skin.pigment import stain_shapes
from scripts.training.studio.studio import Studio

_SHADOW_STEP = 4  # texels between points whose shadows are traced
_SHADOW_RAYS = 4


@dataclass(frozen=True)
class LitHead:
    """A head in a light: everything per vertex of the skin, in columns, to be carried to texels.

    Attributes:
        fields: (V, C) float32. shadows: by lamp, (H, W) float32 share that arrives.
        colours: (K, 3) of the lamps, then of the sky, then of the ground.
    """

    fields: np.ndarray
    shadows: list[np.ndarray]
    colours: np.ndarray


def light_head(studio: Studio, vertices: np.ndarray, camera: PerspectiveCamera, rng: np.random.Generator) -> LitHead:
    """A random light on a posed head.

    Columns of the fields, for each lamp: cosine; its change by a slope to the right and down; the same three of the
    half vector between lamp and view. Then the sky's: share of it, its changes, and how open the place is.
    """
    skin = studio.model.skin.of(vertices).astype(np.float64)
    normals = vertex_normals(skin, studio.models.atlas.triangles)
    perturbed_normals = _perturbed_normals(skin, studio)
    view = camera.position() - skin
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    scene = RayScene(vertices, studio.painter.triangles)
    columns, shadows, colours = [], [], []
    directed = rng.uniform(0.0, 0.95) ** 0.7
    for number in range(rng.integers(1, 4)):
        azimuth, elevation = np.radians([rng.normal() * 48, rng.uniform(-25, 70)])
        towards = [np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), -np.cos(elevation) * np.cos(azimuth)]
        towards = camera.rotation.T @ np.array(towards)
        half = towards + view
        half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
        columns += [
            normals @ towards,
            *(perturbed_normals @ towards).T,
            (normals * half).sum(1),
            *np.einsum("vjk,vk->jv", perturbed_normals, half),
        ]
        shadows.append(_shadow(studio, scene, skin, normals, towards, rng))
        share = directed * (1.0 if number == 0 else rng.uniform(0, 0.6))
        colours.append(share * np.exp(rng.normal() * 0.2 * np.array([1, 0, -1])))
    up = camera.rotation.T @ np.array([rng.normal() * 0.3, -1.0, rng.normal() * 0.3 - 0.3])
    up /= np.linalg.norm(up)
    columns += [(1 + normals @ up) / 2, *((perturbed_normals @ up).T / 2), studio.painter.ambient[: len(skin), 0]]
    even = 1 - directed
    colours += [even * np.exp(rng.normal() * 0.15 * np.array([1, 0, -1])) * rng.uniform(0.8, 1.2)]
    colours += [even * np.exp(rng.normal() * 0.15 * np.array([1, 0, -1])) * rng.uniform(0.2, 0.9)]
    return LitHead(np.column_stack(columns).astype(np.float32), shadows, np.array(colours, np.float32))


def _perturbed_normals(skin: np.ndarray, studio: Studio) -> np.ndarray:
    """(V, 2, 3): how the normal tips for a relief that rises by 1 mm per texel to the right, and down."""
    return -np.stack(texel_gradients(skin, studio.models.detail_space), axis=1)


def _shadow(
    studio: Studio,
    scene: RayScene,
    skin: np.ndarray,
    normals: np.ndarray,
    towards: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(H, W) float32 share of a lamp's light that arrives: cast shadows of the head, and now and then of something."""
    height, width = studio.covered.shape
    rows, columns = np.nonzero(studio.covered[::_SHADOW_STEP, ::_SHADOW_STEP])
    flat = np.zeros(studio.covered.shape, np.int64)
    flat[studio.covered] = np.arange(studio.texels.shape[0])
    picked = studio.texels[flat[rows * _SHADOW_STEP, columns * _SHADOW_STEP]]
    points, facing = picked @ skin, picked @ normals
    spread = rng.choice([0.01, 0.05, 0.15])
    arrives = np.zeros(len(points), np.float32)
    for _ in range(_SHADOW_RAYS):
        direction = towards + rng.normal(size=3) * spread
        ahead = facing @ direction > 0
        arrives[ahead] += ~scene.occluded(
            points[ahead] + facing[ahead] * 0.4, np.broadcast_to(direction, (int(ahead.sum()), 3))
        )
    small = np.ones((-(-height // _SHADOW_STEP), -(-width // _SHADOW_STEP)), np.float32)
    small[rows, columns] = arrives / _SHADOW_RAYS
    out = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.2:
        out = out * (
            1 - rng.uniform(0.3, 1) * stain_shapes(out.shape, rng, rng.choice([3.0, 20.0, 60.0]), rng.uniform(60, 250))
        )
    return out
