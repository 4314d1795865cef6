# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos by Cycles of heads whose light and skin are known, and the pipeline on them beside two simpler ways.

The photos share no code with the estimate's light transport.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_linear, to_srgb
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.image import sample
from facedetail_addon.core.models import Models
from facedetail_addon.core.pipeline import illuminate, reconstruct
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.core.skin.basis import at_vertices
from facedetail_addon.core.skin.texture import make_skin_maps
from facedetail_addon.scene.space import to_blender
from scripts.benchmark.appearance.cycles import (
    empty_scene,
    light_with,
    painted_material,
    painted_mesh,
    render_linear,
)
from scripts.benchmark.appearance.heads import (
    SEED,
    Head,
    load_painter,
    make_head,
    refined,
    seen_vertices,
)
from scripts.benchmark.appearance.lights import plain_light
from scripts.benchmark.appearance.measure import PortraitErrors, albedo_errors, delta_e, light_errors
from scripts.benchmark.appearance.settings import SETTINGS, load_models
from scripts.benchmark.appearance.stage import lit_by_stage, stage_harmonics
from scripts.benchmark.errors import best_factor
from scripts.training.heads.painter import Painter

SAMPLES = 48
_VERSION = 1  # of the pictures; part of their names in the cache
_NOISE = 0.006  # of the camera, sRGB
_IMAGE_ROWS = 128
_SUBSURFACE_MM = (3.67, 1.37, 0.68)  # Jensen et al. (2001), skin1
OURS, STAGE = "ours", "light stage"
PLAIN_HARMONICS, PHOTO = "harmonics without shadows, mean skin", "photo as albedo"


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


def measure_portrait(number: int, folder: Path, threads: int) -> PortraitErrors | None:
    """Photograph head ``number`` and reconstruct it; None where no face is found.

    Args:
        folder: where photographs are kept. threads: of Cycles.
    """
    portrait, models = photograph(number, folder, threads), load_models()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "head.png"
        cv2.imwrite(str(path), portrait.picture[..., ::-1])
        try:
            found = reconstruct(path, models, SETTINGS, lambda _text, _done: None)
        except NoFaceError:
            return None
    return portrait_errors(number, portrait, found, models)


def portrait_errors(number: int, portrait: Portrait, found: Reconstruction, models: Models) -> PortraitErrors:
    """Compare a reconstruction with what was photographed."""
    model, camera, pose = models.model, portrait.head.sample.camera, found.record.pose
    rows = seen_vertices(model, portrait.head.vertices, camera)
    places = camera.project(portrait.head.vertices[rows])
    truth = portrait.head.albedo[rows]
    shading = at_pixels(portrait.shading, places)
    found_at = pose.perspective.project(pose.vertices[rows])
    colour = at_pixels(to_linear(found.maps["photo"]), found_at)
    normals = vertex_normals(model.skin.of(pose.vertices), model.skin.triangles())[rows]
    mean = models.basis.albedo(np.zeros(len(models.basis.modes), np.float32))[rows]
    plain, plain_shading = plain_light(colour, normals, mean)
    albedo = {
        OURS: _painted(found.maps["albedo"], model)[rows],
        STAGE: _painted(stage_albedo(found, models), model)[rows],
        PLAIN_HARMONICS: (colour / plain_shading).clip(0, 1),
        PHOTO: colour,
    }
    towards = -camera.rotation[2]
    regions = model.region[rows]
    per_vertex = delta_e(_fitted(albedo[OURS], truth), truth)
    return PortraitErrors(
        number=number,
        subsurface=portrait.head.subsurface,
        light={
            OURS: light_errors(found.record.light.radiance, portrait.radiance, towards),
            STAGE: light_errors(stage_harmonics(found.record.light.stage, 3), portrait.radiance, towards),
            PLAIN_HARMONICS: light_errors(plain, portrait.radiance, towards),
        },
        albedo={method: albedo_errors(values, truth, shading) for method, values in albedo.items()},
        regions={
            name: float(per_vertex[regions == place].mean())
            for place, name in enumerate(model.region_names) if name in FACE_REGIONS and (regions == place).any()
        },
        mean_skin=float(delta_e(_fitted(mean, truth), truth).mean()),
        misplaced_px=float(np.median(np.linalg.norm(found_at - places, axis=1))),
        radiance=found.record.light.radiance,
    )  # fmt: skip


def stage_albedo(found: Reconstruction, models: Models) -> np.ndarray:
    """(R, R, 3) uint8 sRGB: the albedo map as it would be, were the photo's light that of the stage's lamps."""
    pose, model = found.record.pose, models.model
    light = illuminate(found.record.observation, pose, models, SETTINGS)
    lit = lit_by_stage(
        light.estimate, light.stage, light.transfer, models.basis, pose.vertices, model.solid_triangles()
    )
    return make_skin_maps(light.unwrapped, lit, models.basis, models.gloss, model, models.atlas).albedo


def _painted(albedo: np.ndarray, model: FaceModel) -> np.ndarray:
    """(V_skin, 3) linear, of the albedo map."""
    return to_linear(at_vertices(albedo.astype(np.float32) / 255, model))


def at_pixels(image: np.ndarray, places_px: np.ndarray) -> np.ndarray:
    """(H, W, C) float32 at (N, 2) px, the first pixel's centre at (0.5, 0.5)."""
    return sample(image, places_px.astype(np.float32) - np.float32(0.5), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def _fitted(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return found * np.array([best_factor(found[:, c], truth[:, c]) for c in range(3)])


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
