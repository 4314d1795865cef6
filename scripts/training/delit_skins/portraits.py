# SPDX-License-Identifier: GPL-3.0-or-later
"""Skins of portraits in any light, as the pipeline frees them of it.

A photo does not tell a dark skin in bright light from a light skin in dim light: how bright these skins are is what the
statistical albedo of the day made of them, and only their pattern is their own.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.errors import FaceDetailError
from facedetail_addon.core.fit.types import PoseFit
from facedetail_addon.core.image import smoothstep
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.on_skin import bare_of
from facedetail_addon.core.pipeline import Illumination, fit, light_of, observe, paint, refine, transfer_of
from facedetail_addon.core.skin.doubt import shown
from facedetail_addon.core.skin.texture import bare_skin
from facedetail_addon.core.uv.atlas import coarser
from facedetail_addon.core.uv.frames import frames_on_skin
from facedetail_addon.core.uv.unwrap import unwrap
from facedetail_addon.settings import NO_DETAIL, STANDARD, Settings
from scripts.harness import progress
from scripts.training.delit_skins.store import LARGE, SIDE, is_stored, name_of, save_skin, shrunk
from scripts.training.delit_skins.studio_portraits import BANDS, DIRECTIONS, plain_skin
from scripts.training.delit_skins.studio_skins import is_skin

PATTERNS = ("canada/*.jpg", "synthetic_portraits/*.jpg", "official_portraits/*.jpg")
SETTINGS = Settings(resolution=LARGE, detail=NO_DETAIL, quality=STANDARD)
_SEEN = (0.05, 0.35)  # confidence at which a texel begins to count, and counts fully
_LIT = (0.25, 0.6)  # shading over its median: in deeper shade colours are those of the sky
_REPAINTED = (0.15, 0.5)  # log difference between what was seen and what was painted: a highlight, or deep shade
_LESS = 0.75  # by which such places count less: their smooth part comes from beside
_TOLERANCE = 2.0  # of what is taken for skin: light leaves more in these than in a studio's
_CLIPPED = (246, 254)  # 8-bit values


def make_portraits(data: Path, folder: Path) -> None:
    """Free what is missing of its light, some seven seconds each; what shows no face is told and left out."""
    models = None
    for photo in _spread(data):
        name = name_of(photo)
        if is_stored(folder, name):
            continue
        models = models or _models()
        try:
            _make(photo, folder, name, models)
        except FaceDetailError as error:
            progress(f"{name}: {error.message}")


def _spread(data: Path) -> list[Path]:
    """All portraits, every data set spread over the whole, so that a run that is stopped has some of each."""
    sets = [sorted(data.glob(pattern)) for pattern in PATTERNS]
    return [
        path for _, path in sorted((place / len(paths), path) for paths in sets for place, path in enumerate(paths))
    ]


def _models() -> Models:
    """The product's; the coarse atlas is as large as the studio portraits' skins."""
    models = Models.load(SETTINGS)
    return replace(models, coarse_atlas=coarser(models.atlas, models.model, SIDE))


def _make(photo: Path, folder: Path, name: str, models: Models) -> None:
    observation = observe(read_photo(photo), models, SETTINGS)
    pose = refine((observation,), fit((observation,), models, SETTINGS), models, SETTINGS).pose
    light = _light(observation, pose, models)
    painted = paint(observation, pose, light, models).skin.albedo
    albedo = to_linear(painted[..., :3])
    points = pose.perspective.project(models.model.skin.of(pose.vertices))
    weight = _weight(albedo, observation, points, light, models)
    estimate = light.estimate
    save_skin(
        folder, name, albedo, weight, plain_skin(models.atlas, models.model),
        radiance=estimate.radiance, gamma=estimate.gamma, residual=np.float32(estimate.residual),
        yaw=np.float32(observation.landmarks.yaw_deg), **_surroundings(observation),
    )  # fmt: skip
    progress(f"{name}: {weight[models.atlas.covered].mean():.2f} seen, residual {estimate.residual:.2f}")


def _light(observation: Observation, pose: PoseFit, models: Models) -> Illumination:
    """As the pipeline finds it, without lamps and with fewer rays: a third of the time."""
    unwrapped = unwrap(observation.pixels, pose, models.model, models.atlas)
    transfer = transfer_of(pose, models, BANDS, directions=DIRECTIONS)
    bare = bare_of(observation, pose, models, models.atlas)
    return Illumination(unwrapped, transfer, light_of(unwrapped, transfer, pose, models, models.atlas, bare), None)


def _weight(
    albedo: np.ndarray, observation: Observation, points: np.ndarray, light: Illumination, models: Models
) -> np.ndarray:
    """(R, R) float32: how well the photo shows the skin itself, nothing over it, no highlight and no deep shade."""
    model, atlas, seen, estimate = models.model, models.atlas, light.unwrapped, light.estimate
    masks = observation.masks.sample(points)
    brightness = estimate.shading @ LUMINANCE
    free = shown(masks, model, atlas) * bare_skin(masks, models.basis, model)
    free *= smoothstep(brightness / float(np.median(brightness)), *_LIT)
    fields = atlas.texels(np.column_stack([estimate.shading, estimate.gloss, free]).astype(np.float32))
    colour = seen.color[atlas.covered]
    raw = (to_linear(colour) - fields[:, 3:6]) / np.maximum(fields[:, :3], 1e-3)
    off = np.zeros(albedo.shape, np.float32)
    off[atlas.covered] = np.log(raw.clip(0.004, 0.95)) - np.log(albedo[atlas.covered].clip(0.004, 0.95))
    changed = np.abs(cv2.GaussianBlur(off, (0, 0), 1.0)).max(axis=2)
    weight = np.zeros(seen.confidence.shape, np.float32)
    weight[atlas.covered] = fields[:, 6] * (1 - smoothstep(colour.max(axis=1), *_CLIPPED))
    weight *= smoothstep(seen.confidence, *_SEEN) * (1 - _LESS * smoothstep(changed, *_REPAINTED))
    if observation.glasses is not None and observation.glasses.frames.any():
        weight *= 1 - frames_on_skin(observation.glasses.frames, observation.glasses.on_photo(points), atlas)
    return weight * _not_strange(albedo, weight, models)


def _not_strange(albedo: np.ndarray, weight: np.ndarray, models: Models) -> np.ndarray:
    """(R, R) float32: without what has no skin's colour, as studio portraits are judged."""
    atlas = models.coarse_atlas
    small, seen = shrunk(albedo, weight, SIDE)
    plain = plain_skin(atlas, models.model) & (seen > 0.5)
    if not plain.any():
        return np.zeros_like(weight)
    skin = is_skin(small, seen, np.median(small[plain], axis=0), models.model, atlas, _TOLERANCE)
    return cv2.resize(skin, weight.shape, interpolation=cv2.INTER_LINEAR)


def _surroundings(observation: Observation) -> dict[str, np.ndarray]:
    """(3,) medians of the photo's linear colours: behind the person, of all pixels, and of the skin."""
    height, width = observation.pixels.shape[:2]
    step = max(1, max(height, width) // 256)
    colours = to_linear(observation.pixels[::step, ::step].reshape(-1, 3))
    y, x = np.mgrid[0:height:step, 0:width:step].reshape(2, -1) + 0.5
    person, hair, skin = observation.masks.sample(np.column_stack([x, y])).T
    out = {"all_pixels": np.median(colours, axis=0)}
    for key, where in {"behind": person < 0.1, "on_skin": (skin > 0.8) & (hair < 0.2)}.items():
        out[key] = np.median(colours[where], axis=0) if where.sum() > 50 else np.full(3, np.nan, np.float32)
    return out
