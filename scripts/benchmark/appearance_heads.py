# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads whose light and skin are known: painted by rules, lit by random lamps, photographed by Cycles.

Nothing here shares code with the estimate's light transport, and the painted skins come from no learned basis.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import bpy
import numpy as np

from facedetail_addon.core.camera import PerspectiveCamera
from facedetail_addon.core.colour import LUMINANCE, to_srgb
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.rays import RayScene
from facedetail_addon.core.render import vertex_normals
from facedetail_addon.scene.space import to_blender
from scripts.benchmark.appearance_cycles import (
    empty_scene,
    light_with,
    painted_material,
    painted_mesh,
    render_linear,
)
from scripts.benchmark.appearance_lights import Light, random_light
from scripts.training.synthetic_heads import (
    HeadSample,
    Painter,
    PoseRange,
    make_painter,
    random_albedo,
    sample_head,
)

SEED = 421
SIZE = 512
SAMPLES = 48
FACE = ("forehead", "cheeks", "nose", "mouth", "chin", "eyes")
_VERSION = 1  # of the pictures; part of their names in the cache
_POSE = PoseRange(yaw_deg=30.0, pitch_deg=12.0, roll_deg=8.0, near_mm=600.0, far_mm=2500.0)
_EXPRESSION = 0.5  # of what sample_head draws
_GOLDEN = 0.6180339887
_DIRECTED = (0.05, 0.9)  # share of lamps in the light, evenly spread over the heads
_LEVEL, _USUAL = 0.55, 0.3  # luminance of the brighter skin in a photo of skin of that luminance
_NOISE = 0.006  # of the camera, sRGB
_IMAGE_ROWS = 128
_SUBSURFACE_MM = (3.67, 1.37, 0.68)  # Jensen et al. (2001), skin1
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


@dataclass(frozen=True)
class Portrait:
    """The photo of a head, and what the estimate should find.

    Attributes:
        head: what was photographed. picture: (H, W, 3) uint8 sRGB.
        shading: (H, W, 3) float32: the light on the skin in the photo's units, without the skin's colour; from
            Cycles' diffuse passes.
        radiance: (9, 3) spherical harmonics of the light, head frame, the photo's units.
    """

    head: Head
    picture: np.ndarray
    shading: np.ndarray
    radiance: np.ndarray


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
    plain = np.isin(model.region, [model.region_names.index(name) for name in ("cheeks", "nose")])
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


def photograph(number: int, folder: Path, threads: int) -> Portrait:
    """The photo of head ``number``, from the folder where an earlier run left it, else by Cycles (half a minute).

    Args:
        folder: of the cache. threads: of Cycles.
    """
    model, painter = load_painter()
    head = make_head(number, model, painter)
    path = folder / f"head_{_VERSION}_{SEED}_{number:03d}.npz"
    if not path.is_file():
        picture, shading, factor = _render(head, painter, threads)
        np.savez_compressed(path, picture=picture, shading=shading.astype(np.float16), factor=factor)
    with np.load(path) as arrays:
        return Portrait(
            head=head,
            picture=arrays["picture"],
            shading=arrays["shading"].astype(np.float32),
            radiance=head.light.harmonics(3) * float(arrays["factor"]),
        )


def seen_vertices(model: FaceModel, vertices: np.ndarray, camera: PerspectiveCamera) -> np.ndarray:
    """(N,) int: the face's skin vertices that a camera sees, not too obliquely.

    Args:
        vertices: (V, 3) mm, posed.
    """
    skin = model.skin.stop
    triangles = np.concatenate([part.triangles() + part.start for part in model.parts])
    normals = vertex_normals(vertices[:skin], model.skin.triangles())
    towards = camera.position() - vertices[:skin]
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    face = np.isin(model.region, [model.region_names.index(name) for name in FACE])
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


def _render(head: Head, painter: Painter, threads: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Picture, shading in the picture's units, and the factor from the light to the picture's units."""
    scene = empty_scene(head.sample.camera, SAMPLES, threads)
    light_with(scene, head.light.image(_IMAGE_ROWS))
    normals = vertex_normals(head.vertices, painter.triangles)
    fields, triangles = refined(np.concatenate([head.vertices, normals], axis=1), painter.triangles)
    kind = np.repeat(painter.part, 4)
    painted_mesh(
        scene, to_blender(fields[:, :3]), to_blender(fields[:, 3:]), triangles, head.albedo,
        np.select([kind == 1, np.isin(kind, (2, 3))], [1, 2], 0), _materials(head),
    )  # fmt: skip
    rendered = render_linear(scene, diffuse_light=True)
    color, alpha = rendered["image"][..., :3], rendered["image"][..., 3:]
    solid = alpha[..., 0] > 0.99
    factor = head.level / float(np.percentile(color[solid] @ LUMINANCE, 90))
    picture = to_srgb((color + (1 - alpha) * _background(head)) * factor)
    picture = picture + np.random.default_rng(head.noise).normal(size=picture.shape) * _NOISE
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8), rendered["diffuse"] * factor, factor


def _materials(head: Head) -> list[bpy.types.Material]:
    """Skin, eyes, and what is in the mouth."""
    skin = painted_material(
        "skin", Roughness=head.roughness, IOR=1.4, Specular_IOR_Level=0.5, Subsurface_Weight=float(head.subsurface),
        Subsurface_Radius=_SUBSURFACE_MM, Subsurface_Scale=0.001,
    )  # fmt: skip
    return [skin, painted_material("eye", Roughness=0.08, IOR=1.376), painted_material("mouth", Roughness=0.25)]


def _background(head: Head) -> np.ndarray:
    """(H, W, 3) the light itself, as the camera sees it behind the head."""
    camera = head.sample.camera
    width, height = camera.image_size
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    plane = (np.stack([x, y], axis=-1) - camera.center_px) / camera.focal_px
    directions = np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1) @ camera.rotation
    return head.light.radiance(directions / np.linalg.norm(directions, axis=-1, keepdims=True))
