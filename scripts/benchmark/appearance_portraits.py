# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline on photos of heads whose light and skin are known, beside two simpler ways to the same."""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.albedo.basis import at_vertices
from facedetail_addon.core.colour import to_linear
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.image import sample
from facedetail_addon.core.lighting.harmonics import evaluate, lambert
from facedetail_addon.core.pipeline import Core, Settings, reconstruct
from facedetail_addon.core.render import vertex_normals
from facedetail_addon.core.results import Reconstruction
from scripts.benchmark.appearance_heads import FACE, Portrait, photograph, seen_vertices
from scripts.benchmark.appearance_measure import (
    AlbedoErrors,
    LightErrors,
    albedo_errors,
    best_factor,
    delta_e,
    light_errors,
)

SETTINGS = Settings(resolution=1024)
OURS, PLAIN_HARMONICS, PHOTO = "ours", "harmonics without shadows, mean skin", "photo as albedo"
METHODS = (OURS, PLAIN_HARMONICS, PHOTO)
_BANDS = 3
_ROUNDS = 10
_OUTLIER = 0.3  # relative difference at which a vertex counts half in the plain estimate
_LEAST_SHADING = 0.02


@dataclass(frozen=True)
class PortraitErrors:
    """What came back of one head.

    Attributes:
        number: of the head. subsurface: whether light wandered through its skin.
        light: by method; the photo as albedo has none. albedo: by method.
        regions: mean CIEDE2000 after the best factor per channel, ours, by region of the face.
        mean_skin: mean CIEDE2000 of the statistical albedo alone (mean of the basis, best factor per channel).
        misplaced_px: median distance between where seen vertices are and where they were found.
        radiance: (B², 3) of ours.
    """

    number: int
    subsurface: bool
    light: dict[str, LightErrors]
    albedo: dict[str, AlbedoErrors]
    regions: dict[str, float]
    mean_skin: float
    misplaced_px: float
    radiance: np.ndarray


@cache
def load_core() -> Core:
    return Core.load(SETTINGS)


def measure_portrait(number: int, folder: Path, threads: int) -> PortraitErrors | None:
    """Photograph head ``number`` and reconstruct it; None where no face is found.

    Args:
        folder: where photographs are kept. threads: of Cycles.
    """
    portrait, core = photograph(number, folder, threads), load_core()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "head.png"
        cv2.imwrite(str(path), portrait.picture[..., ::-1])
        try:
            found = reconstruct(path, core, SETTINGS, lambda _text, _done: None)
        except NoFaceError:
            return None
    return portrait_errors(number, portrait, found, core)


def portrait_errors(number: int, portrait: Portrait, found: Reconstruction, core: Core) -> PortraitErrors:
    """Compare a reconstruction with what was photographed."""
    model, camera = core.model, portrait.head.sample.camera
    rows = seen_vertices(model, portrait.head.vertices, camera)
    places = camera.project(portrait.head.vertices[rows])
    truth = portrait.head.albedo[rows]
    shading = at_pixels(portrait.shading, places)
    colour = at_pixels(to_linear(found.photo), found.perspective.project(found.vertices[rows]))
    normals = vertex_normals(found.vertices[: model.skin.stop], model.skin.triangles())[rows]
    plain, plain_shading = plain_light(colour, normals, core.basis.mean[rows])
    albedo = {
        OURS: to_linear(at_vertices(found.albedo.astype(np.float32) / 255, model)[rows]),
        PLAIN_HARMONICS: (colour / plain_shading).clip(0, 1),
        PHOTO: colour,
    }
    mean = core.basis.mean[rows]
    regions = model.region[rows]
    per_vertex = delta_e(_fitted(albedo[OURS], truth), truth)
    return PortraitErrors(
        number=number,
        subsurface=portrait.head.subsurface,
        light={
            OURS: light_errors(found.sh_radiance, portrait.radiance),
            PLAIN_HARMONICS: light_errors(plain, portrait.radiance),
        },
        albedo={method: albedo_errors(values, truth, shading) for method, values in albedo.items()},
        regions={
            name: float(per_vertex[regions == place].mean())
            for place, name in enumerate(model.region_names) if name in FACE and (regions == place).any()
        },
        mean_skin=float(delta_e(_fitted(mean, truth), truth).mean()),
        misplaced_px=float(np.median(np.linalg.norm(found.perspective.project(found.vertices[rows]) - places, axis=1))),
        radiance=found.sh_radiance,
    )  # fmt: skip


def plain_light(colour: np.ndarray, normals: np.ndarray, albedo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The simplest estimate: colour = albedo · irradiance(normal), no shadows, no gloss, everyone's skin the same.

    Args:
        colour, normals, albedo: (N, 3).

    Returns:
        (9, 3) radiance by least squares with weights that drop with the residual, and (N, 3) positive shading.
    """
    design = evaluate(normals, _BANDS) * lambert(_BANDS)
    weight, radiance = np.ones(len(colour)), np.zeros((_BANDS**2, 3))
    for _ in range(_ROUNDS):
        for channel in range(3):
            system = design * (albedo[:, channel] * weight)[:, None]
            radiance[:, channel] = np.linalg.lstsq(system, colour[:, channel] * weight, rcond=None)[0]
        model = albedo * (design @ radiance)
        off = (colour - model).mean(1) / np.maximum(model.mean(1), _LEAST_SHADING)
        weight = 1 / (1 + (off / _OUTLIER) ** 2)
    return radiance, np.maximum(design @ radiance, _LEAST_SHADING)


def at_pixels(image: np.ndarray, places_px: np.ndarray) -> np.ndarray:
    """(H, W, C) float32 at (N, 2) px, the first pixel's centre at (0.5, 0.5)."""
    return sample(image, places_px.astype(np.float32) - np.float32(0.5), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def _fitted(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return found * np.array([best_factor(found[:, c], truth[:, c]) for c in range(3)])
