# SPDX-License-Identifier: GPL-3.0-or-later
"""Half a face hidden, or the band of the eyes: how near what is filled in comes to what the photo shows there.

Light and γ are found without the hidden texels; head, pose and masks are those of the whole photo.
"""

import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from torch import nn

from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.errors import NoFaceError, PhotoError
from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.image import TEXTURE_MM
from facedetail_addon.core.models import Models, texture_generator
from facedetail_addon.core.on_skin import bare_of
from facedetail_addon.core.pipeline import illuminate, light_of, paint, reconstruct
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.settings import NO_DETAIL
from scripts.benchmark.appearance.measure import delta_e
from scripts.benchmark.appearance.quality import without
from scripts.benchmark.appearance.settings import SETTINGS, list_by_tone, load_models
from scripts.benchmark.errors import TONES, rounded
from scripts.benchmark.geometry.groups import PORTRAITS, skin_tone
from scripts.benchmark.likeness.identity import ON_GREY, THREE_QUARTER, drawings
from scripts.benchmark.recognition import describe
from scripts.harness import table
from scripts.training.correspondence.skins import SIDE as TONE_SIDE

SHOWN, LEFT, RIGHT, EYES = "nothing", "left half", "right half", "eye band"
EVERY, MORE = 13, 12
"""Of the synthetic portraits, in the order of their names: one of so many, and how many of them."""
_SIDE = 512  # texels; one is 0.8 mm
_SEEN = 0.5  # confidence from which on the photo knows better
_FINE = 2.0  # texels: contrast is that of what is finer
_FLOOR = 0.004  # linear, so that logarithms stay finite
_LEAST = 500  # texels
_BROWS, _LIDS = slice(17, 27), slice(36, 48)  # of iBUG
_AROUND_MM = 8.0  # above the brows and below the lower lids


@dataclass(frozen=True)
class HiddenErrors:
    """One photo with a part hidden.

    Attributes:
        name: of the photo. tone_deg: typology angle of the skin that is found in the whole photo. hidden: what.
        delta_e: mean CIEDE2000 of hidden texels to those of the whole photo's albedo, texels of 0.8 mm.
        contrast: standard deviation of their fine log luminance over the whole photo's.
        identity, turned: distance of the face recognition descriptors of the re-render in the photo's view, and of the
            mean of three-quarter views, to the photo's.
        seconds: of painting.
    """

    name: str
    tone_deg: float
    hidden: str
    texture: str
    delta_e: float
    contrast: float
    identity: float
    turned: float
    seconds: float


def list_faces(data: Path) -> list[Path]:
    """Thirty people of all tones."""
    by_tone = [path for _, path in list_by_tone(data)]
    more = sorted((data / PORTRAITS).glob("*.jpg"))[::EVERY][:MORE]
    return list(dict.fromkeys(by_tone + more))


def measure_half_face(photo: Path, textures: tuple[str, ...]) -> list[HiddenErrors] | None:
    """Hide the parts of a photo in turn, and nothing at last; None where no face is found.

    Args:
        textures: ways of filling in, of the setting ``texture``.
    """
    models, settings = replace(load_models(), detail_net=None), replace(SETTINGS, detail=NO_DETAIL)
    try:
        found = reconstruct(photo, models, settings, lambda _text, _done: None)
    except (NoFaceError, PhotoError):
        return None
    pose, observation = found.record.pose, found.record.observation
    light = illuminate(observation, pose, models, settings)
    truth = found.maps["albedo"]
    tone = skin_tone(cv2.resize(truth, (TONE_SIDE,) * 2, interpolation=cv2.INTER_AREA), models.model)
    seen = light.unwrapped.confidence * _faces(models)
    bare, out = bare_of(observation, pose, models, models.atlas), []
    for name, where in hidden_parts(models.model, models.atlas.resolution).items():
        unwrapped = without(light.unwrapped, where, models)
        estimate = light_of(unwrapped, light.transfer, pose, models, models.atlas, bare)
        hidden = replace(light, unwrapped=unwrapped, estimate=estimate)
        for texture in textures:
            started = time.perf_counter()
            albedo = paint(observation, pose, hidden, _with(models, texture)).skin.albedo
            seconds = time.perf_counter() - started
            errors = (*_errors(albedo, truth, (seen > _SEEN) & where), *_identity(found, albedo, models))
            out.append(HiddenErrors(photo.stem, tone, name, texture, *errors, seconds))
    shown = _identity(found, truth, models)
    seconds = found.record.stage_seconds["albedo"]
    return [*out, HiddenErrors(photo.stem, tone, SHOWN, "", 0.0, 1.0, *shown, seconds)]


def _with(models: Models, texture: str) -> Models:
    return replace(models, texture_generator=_generator(texture))


@cache
def _generator(texture: str) -> nn.Module | None:
    return texture_generator(texture)


def hidden_parts(model: FaceModel, side: int) -> dict[str, np.ndarray]:
    """(side, side) bool by name."""
    uv = model.landmarks68.points(model.skin.vertex_uv())
    texel_mm = TEXTURE_MM / side
    rows = (1 - uv[:, 1]) * side
    across = np.broadcast_to(np.arange(side), (side, side))
    down = across.T
    band = (down > rows[_BROWS].min() - _AROUND_MM / texel_mm) & (down < rows[_LIDS].max() + _AROUND_MM / texel_mm)
    return {LEFT: across < side // 2, RIGHT: across >= side // 2, EYES: band}


def report_half_face(found: list[list[HiddenErrors]], asked: int, lines: list[str]) -> dict[str, object]:
    """Medians by what is hidden of all and of each tone, and the largest gap between tones."""
    flat = [one for photo in found for one in photo]
    keys = ("delta_e", "contrast", "identity", "turned", "seconds")
    figures: dict[str, object] = {"count": len(found), "missed": asked - len(found)}
    tones = {tone: [one for one in flat if low <= one.tone_deg < high] for tone, low, high in TONES}
    rows = []
    for name, texture in dict.fromkeys((one.hidden, one.texture) for one in flat):
        for group, own in ({"all": flat} | tones).items():
            mine = [one for one in own if (one.hidden, one.texture) == (name, texture) and np.isfinite(one.delta_e)]
            if mine:
                row = {key: rounded(np.median([getattr(one, key) for one in mine]), 3) for key in keys}
                figures.setdefault(f"{name} {texture}".strip(), {})[group] = row | {"count": len(mine)}
                rows.append((name, texture, group, len(mine), *row.values()))
    title = f"**{len(found)} photos with a part hidden ({asked - len(found)} left out): medians**"
    columns = (
        "hidden",
        "filled in by",
        "skin",
        "count",
        "ΔE2000",
        "local contrast",
        "identity",
        "three-quarter",
        "seconds",
    )
    lines += ["", title, "", *table(columns, rows)]
    return figures


def _errors(albedo: np.ndarray, truth: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """ΔE and contrast; NaN where too little of what is hidden had been seen."""
    size = (_SIDE, _SIDE)
    found, true = (cv2.resize(to_linear(one), size, interpolation=cv2.INTER_AREA) for one in (albedo, truth))
    here = cv2.resize(where.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1 - 1e-3
    if here.sum() < _LEAST:
        return float("nan"), float("nan")
    contrast = [_fine(one)[here].std() for one in (found, true)]
    return float(delta_e(found[here], true[here]).mean()), float(contrast[0] / max(contrast[1], 1e-9))


def _fine(albedo: np.ndarray) -> np.ndarray:
    log = np.log(albedo @ LUMINANCE + _FLOOR).astype(np.float32)
    return log - cv2.GaussianBlur(log, (0, 0), _FINE)


def _identity(found: Reconstruction, albedo: np.ndarray, models: Models) -> tuple[float, float]:
    pictures = drawings(replace(found, maps={**found.maps, "albedo": albedo}), models)
    photo = describe(found.maps["photo"], found.record.observation.landmarks.sparse_px)
    front, turned = (
        np.mean([np.linalg.norm(describe(*one) - photo) for one in pictures[kind]]) for kind in (ON_GREY, THREE_QUARTER)
    )
    return float(front), float(turned)


def _faces(models: Models) -> np.ndarray:
    """(R, R) float32: skin of the face, without lips' inner sides and sockets."""
    side = models.atlas.resolution
    inside = models.model.in_region(*FACE_REGIONS) & ~models.model.in_region("socket")
    out = np.zeros((side, side), np.float32)
    for rows in models.atlas.bands():
        here = models.atlas.covered[rows]
        out[rows][here] = models.atlas.texels((inside * models.basis.known)[:, None].astype(np.float32), rows)[:, 0]
    return out
