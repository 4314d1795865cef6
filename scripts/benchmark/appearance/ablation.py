# SPDX-License-Identifier: GPL-3.0-or-later
"""What each term of the refinement is worth: painted heads in known light, made anew with one of them left out."""

import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.fit.refine import refine_dense
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.pipeline import Stages, first_look, fit, observe, reflect
from facedetail_addon.core.refine.types import ALL_TERMS
from facedetail_addon.core.skin.basis import at_vertices
from facedetail_addon.settings import DRAFT, FINE, Settings
from scripts.benchmark.appearance.heads import seen_vertices
from scripts.benchmark.appearance.measure import AblationErrors, albedo_errors, light_errors
from scripts.benchmark.appearance.portraits import Portrait, at_pixels, photograph
from scripts.benchmark.appearance.quality import Look, look_at, rerender_db, squares
from scripts.benchmark.appearance.settings import SETTINGS, load_models

WHOLE = "all terms"
_STAGES = {"no photo in the fit (draft)": DRAFT, WHOLE: FINE}
_LEFT_OUT = {"no reflectance": None} | {
    f"{term} left out of reflectance": replace(ALL_TERMS, **{term: 0.0})
    for term in ("consistency", "smoothness", "symmetry")
}


def measure_ablation(number: int, folder: Path, threads: int) -> list[AblationErrors] | None:
    """Head ``number`` with everything and without each term; None where no face is found.

    Args:
        folder: where photographs are kept. threads: of Cycles.
    """
    portrait, models = photograph(number, folder, threads), replace(load_models(), detail_net=None)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "head.png"
        cv2.imwrite(str(path), portrait.picture[..., ::-1])
        try:
            observation = observe(read_photo(path), models, SETTINGS)
        except NoFaceError:
            return None
    looks = {
        name: look_at(observation, models, replace(SETTINGS, quality=of), Stages()) for name, of in _STAGES.items()
    }
    looks["no form"] = look_at(observation, models, SETTINGS, Stages(), head=_formless(observation, models))
    fine = replace(SETTINGS, quality=FINE)
    out = [(name, look, fine, ALL_TERMS) for name, look in looks.items()]
    out += [(name, looks[WHOLE], fine, terms) for name, terms in _LEFT_OUT.items()]
    return [_errors(number, name, portrait, observation, look, models, how, terms) for name, look, how, terms in out]


def _formless(observation: Observation, models: Models) -> object:
    fitted = fit((observation,), models, SETTINGS)
    look = first_look(observation, fitted.pose, models)
    return refine_dense((observation,), (look,), fitted, models.prepared, SETTINGS.expression)


def _errors(
    number: int, variant: str, portrait: Portrait, observation: Observation, look: Look, models: Models,
    settings: Settings, terms: object,
) -> AblationErrors:  # fmt: skip
    model, camera, pose = models.model, portrait.head.sample.camera, look.head.pose
    skin = look.held.skin
    if terms is not None:
        skin = reflect(observation, pose, look.hidden, look.relief, look.held, models, settings, terms=terms).skin
    rows = seen_vertices(model, portrait.head.vertices, camera)
    albedo = to_linear(at_vertices(skin.albedo.astype(np.float32) / 255, model))[rows]
    shading = at_pixels(portrait.shading, camera.project(portrait.head.vertices[rows]))
    errors = albedo_errors(albedo, portrait.head.albedo[rows], shading)
    level, rough = (at_vertices(one.astype(np.float32) / 255, model)[rows] for one in (skin.specular, skin.roughness))
    return AblationErrors(
        number=number,
        variant=variant,
        direction_deg=light_errors(look.light.estimate.radiance, portrait.radiance, -camera.rotation[2]).direction_deg,
        leak=abs(errors.leak),
        delta_e=errors.delta_e_scaled,
        mm=_distance_mm(pose.vertices[rows], portrait.head.vertices[rows]),
        level=float(np.sqrt(np.mean(np.log(np.maximum(level, 0.01) / 0.5) ** 2))),
        roughness=float(np.sqrt(np.mean((rough - portrait.head.roughness) ** 2))),
        held_db=rerender_db(pose, look.light, skin, squares(models.atlas.resolution), models),
    )


def _distance_mm(found: np.ndarray, truth: np.ndarray) -> float:
    """Median distance of (N, 3) points after the best rigid motion (Kabsch 1976)."""
    here, there = found - found.mean(axis=0), truth - truth.mean(axis=0)
    left, _, right = np.linalg.svd(here.T @ there)
    turn = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
    return float(np.median(np.linalg.norm(here @ turn - there, axis=1)))
