# SPDX-License-Identifier: GPL-3.0-or-later
"""How well each quality's head explains its photo in the light that it has found, by our own forward model.

Where a texel is painted from the photo its own colour comes back whatever the light is, so that a re-render of seen
skin says little. What counts is skin that nobody looked at: squares that are hidden before the skin is painted and its
reflection is solved for, and then compared.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear, to_srgb
from facedetail_addon.core.errors import NoFaceError, PhotoError
from facedetail_addon.core.fit.types import HeadFit, PoseFit
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.pipeline import (
    Appearance,
    Illumination,
    Relief,
    Stages,
    detail,
    fit,
    illuminate,
    observe,
    paint,
    refine,
    reflect,
)
from facedetail_addon.core.rendering.harmonics import bands_of
from facedetail_addon.core.rendering.lobes import sky_visibility
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.specular import specular_transfer
from facedetail_addon.core.rendering.types import SkinGloss
from facedetail_addon.core.skin.basis import at_vertices
from facedetail_addon.core.skin.types import SkinMaps
from facedetail_addon.core.uv.types import UnwrappedPhoto
from facedetail_addon.settings import DRAFT, FINE, Settings
from scripts.benchmark.appearance.settings import SETTINGS, load_models
from scripts.benchmark.geometry.groups import skin_tone
from scripts.training.correspondence.skins import SIDE as TONE_SIDE

SQUARE, SHARE = 20, 0.15  # texels, 8 mm; of all that are hidden
_WHOLE = 1024  # texels of a side that SQUARE counts in
_SEEN = 0.5  # confidence from which on skin is compared
_REGIONS = ("forehead", "cheeks", "nose", "chin")


@dataclass(frozen=True)
class QualityErrors:
    """One photo at one quality.

    Attributes:
        group, name: of the photo. quality: of the settings. tone_deg: typology angle of the albedo at the last quality.
        seen_db: PSNR of the re-render where skin was painted from the photo. held_db: the same of hidden squares.
        stage_s: of what the quality adds to the one before. whole_s: of all stages, without relief.
    """

    group: str
    name: str
    quality: str
    tone_deg: float
    seen_db: float
    held_db: float
    stage_s: float
    whole_s: float


def measure_quality(photo: tuple[str, Path], qualities: tuple[str, ...]) -> list[QualityErrors] | None:
    """A photo at each quality; None where no face is found. Fine goes on from Standard, whose stages it shares."""
    group, path = photo
    models = replace(load_models(), detail_net=None)
    before = Stages()
    try:
        observation = observe(read_photo(path), models, SETTINGS, before)
    except (NoFaceError, PhotoError):
        return None
    looks: dict[bool, Look] = {}
    found = []
    for quality in qualities:
        settings, drafted = replace(SETTINGS, quality=quality), quality == DRAFT
        if drafted not in looks:
            looks[drafted] = look_at(observation, models, settings, Stages())
        errors = _errors(observation, looks[drafted], models, settings, sum(before.seconds.values()))
        found.append(QualityErrors(group, f"{path.parent.name}/{path.stem}", quality, *errors))
    return [replace(one, tone_deg=found[-1].tone_deg) for one in found]  # a photo stays in one group


@dataclass(frozen=True)
class Look:
    """A photo's head and light; its skin as painted, and with squares that nobody looked at.

    Attributes:
        head: in the photo. light: whole. hidden: the same without the squares. relief: flat. skin, held: painted of
            both.
        seconds: by stage.
    """

    head: HeadFit
    light: Illumination
    hidden: Illumination
    relief: Relief
    skin: Appearance
    held: Appearance
    seconds: dict[str, float]


def look_at(
    observation: Observation, models: Models, settings: Settings, stage: Stages, head: HeadFit | None = None
) -> Look:
    """Everything before the skin's reflection is solved for; ``head``: where it is known already."""
    if head is None:
        fitted = fit((observation,), models, settings, stage=stage)
        head = refine((observation,), fitted, models, settings, stage)
    light = illuminate(observation, head.pose, models, settings, stage)
    relief = detail(observation, head, light, models, stage)
    hidden = replace(light, unwrapped=without(light.unwrapped, squares(models.atlas.resolution), models))
    skin = paint(observation, head.pose, light, models, stage, relief)
    held = paint(observation, head.pose, hidden, models, None, relief)
    return Look(head, light, hidden, relief, skin, held, stage.seconds)


def _errors(
    observation: Observation, look: Look, models: Models, settings: Settings, before_s: float
) -> tuple[float, ...]:
    """From ``tone_deg`` on what :class:`QualityErrors` has."""
    stage, pose = Stages(), look.head.pose
    skin = reflect(observation, pose, look.light, look.relief, look.skin, models, settings, stage).skin
    held = reflect(observation, pose, look.hidden, look.relief, look.held, models, settings).skin
    where, seconds = squares(models.atlas.resolution), look.seconds | stage.seconds
    small = cv2.resize(look.skin.skin.albedo, (TONE_SIDE,) * 2, interpolation=cv2.INTER_AREA)
    added = ("refine", "form", "reflectance") if settings.quality != FINE else ("reflectance",)
    return (
        skin_tone(small, models.model),
        rerender_db(pose, look.light, skin, ~where, models),
        rerender_db(pose, look.light, held, where, models),
        sum(seconds.get(name, 0.0) for name in added),
        sum(seconds.values()) + before_s,
    )


def rerender_db(pose: PoseFit, light: Illumination, skin: SkinMaps, where: np.ndarray, models: Models) -> float:
    """PSNR in sRGB of albedo · shading + gloss against the photo, over bare skin of the face that it shows.

    Args:
        pose, light: of the photo. skin: to be judged. where: (R, R) bool.
    """
    model, atlas = models.model, models.atlas
    points = model.skin.of(pose.vertices)
    normals = vertex_normals(points, model.skin.triangles())
    roughness, level = (at_vertices(one.astype(np.float32) / 255, model) for one in (skin.roughness, skin.specular))
    visible, bands = sky_visibility(light.transfer.diffuse), bands_of(light.estimate.radiance)
    reflected, left = specular_transfer(
        points, normals, pose.perspective.position(), SkinGloss(roughness, level), visible, bands
    )
    gloss = np.maximum(reflected @ light.estimate.radiance, 0)
    shading = light.estimate.shading * (left / np.maximum(light.transfer.transmission, 1e-3))[:, None]
    face = model.in_region(*_REGIONS)[:, None]
    at = atlas.texels(np.hstack([shading, gloss, face]).astype(np.float32))
    here = (light.unwrapped.confidence > _SEEN)[atlas.covered] & where[atlas.covered] & (at[:, 6] > 0.99)
    colour = to_linear(skin.albedo[atlas.covered][here]) * at[here, :3]
    off = to_srgb((colour + at[here, 3:6]).clip(0, 1)) - light.unwrapped.color[atlas.covered][here] / 255
    return float(-10 * np.log10(np.mean(off**2)))


def squares(side: int) -> np.ndarray:
    """(R, R) bool: the same random squares of the texture each time."""
    texels = SQUARE * side // _WHOLE
    count = -(-side // texels)
    drawn = np.random.default_rng(0).random((count, count)) < SHARE
    return np.kron(drawn, np.ones((texels, texels), bool))[:side, :side]


def without(unwrapped: UnwrappedPhoto, hidden: np.ndarray, models: Models) -> UnwrappedPhoto:
    """The photo as if it did not show some texels, there and as the other side's mirror image."""
    at = at_vertices(hidden.astype(np.float32), models.model) > 0.01
    return replace(
        unwrapped,
        confidence=np.where(hidden, np.float32(0), unwrapped.confidence),
        mirrored_confidence=np.where(hidden[:, ::-1], np.float32(0), unwrapped.mirrored_confidence),
        vertex_confidence=np.where(at, np.float32(0), unwrapped.vertex_confidence),
    )
