# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads whose light and skin are known: painted by rules, which no learned basis has seen, and lit by random lamps."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.rays import RayScene
from scripts.benchmark.appearance.lights import Light, random_light
from scripts.training.heads.painter import Painter, make_painter, random_albedo
from scripts.training.heads.samples import HeadSample, PoseRange, sample_head

SEED = 421
SIZE = 512
_POSE = PoseRange(yaw_deg=30.0, pitch_deg=12.0, roll_deg=8.0, near_mm=600.0, far_mm=2500.0)
_EXPRESSION = 0.5  # of what sample_head draws
_GOLDEN = 0.6180339887
_DIRECTED = (0.05, 0.9)  # share of lamps in the light, evenly spread over the heads
_LEVEL, _USUAL = 0.55, 0.3  # luminance of the brighter skin in a photo of skin of that luminance
_FACING = 0.35
_SURFACE_MM = 0.5


@dataclass(frozen=True)
class Head:
    """Everything about one head that is decided before it is photographed.

    Attributes:
        sample: identity, expression and camera. vertices: (V, 3) mm, posed. light: around it, of any brightness.
        albedo: (V', 3) linear, at the vertices of the finer mesh, the model's V first.
        roughness: of the skin. subsurface: whether light wanders through it.
        level: luminance that the brighter skin has in the photo. noise: seed of the camera's noise.
    """

    sample: HeadSample
    vertices: np.ndarray
    light: Light
    albedo: np.ndarray
    roughness: float
    subsurface: bool
    level: float
    noise: int


@cache
def load_painter() -> tuple[FaceModel, Painter]:
    model = load_named_model(BUILTIN)
    return model, make_painter(model)


def make_head(number: int, model: FaceModel, painter: Painter) -> Head:
    """Head ``number`` of the benchmark."""
    rng = np.random.default_rng((SEED, number))
    sample = sample_head(rng, model, size=SIZE, pose=_POSE)
    directed = _DIRECTED[0] + (_DIRECTED[1] - _DIRECTED[0]) * ((0.5 + number * _GOLDEN) % 1)
    light = random_light(rng, sample.camera.rotation, directed)
    rest, _ = refined(painter.rest, painter.triangles)
    part = np.full(len(painter.rest), 9, np.uint8)
    np.minimum.at(part, painter.triangles, painter.part[:, None])
    fine_part, _ = refined(part[:, None].astype(np.float32), painter.triangles)
    albedo = random_albedo(painter, rest, fine_part[:, 0].astype(np.uint8), rng)
    plain = model.in_region("cheeks", "nose")
    tone = float(np.median(albedo[: model.skin.stop][plain] @ LUMINANCE))
    return Head(
        sample=sample,
        vertices=model.vertices(sample.alpha, _EXPRESSION * sample.beta),
        light=light,
        albedo=albedo.astype(np.float32),
        roughness=float(rng.uniform(0.45, 0.6)),
        subsurface=number % 2 == 1,
        # Cameras make dark skin brighter than it is, but not as bright as fair skin.
        level=float(_LEVEL * np.sqrt(tone / _USUAL) * np.exp(rng.normal() * 0.12)),
        noise=int(rng.integers(2**31)),
    )


def seen_vertices(model: FaceModel, vertices: np.ndarray, camera: PerspectiveCamera) -> np.ndarray:
    """(N,) int: the face's skin vertices that a camera sees, not too obliquely.

    Args:
        vertices: (V, 3) mm, posed.
    """
    skin = model.skin.stop
    triangles = model.triangles()
    normals = vertex_normals(vertices[:skin], model.skin.triangles())
    towards = camera.position() - vertices[:skin]
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    face = model.in_region(*FACE_REGIONS)
    rows = np.flatnonzero(face & ((normals * towards).sum(1) > _FACING))
    hidden = RayScene(vertices, triangles).occluded(vertices[rows] + normals[rows] * _SURFACE_MM, towards[rows])
    return rows[~hidden]


def refined(values: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split every triangle into four.

    Args:
        values: (V, C) at the vertices. triangles: (T, 3).

    Returns:
        (V + E, C) with the means of the E edges after the old values, and (4 T, 3).
    """
    count = len(triangles)
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    unique, index = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = index.reshape(3, count) + len(values)
    a, b, c = triangles.T
    four = np.stack([np.stack(corners, 1) for corners in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))], 1)
    return np.concatenate([values, values[unique].mean(axis=1)]), four.reshape(-1, 3)
