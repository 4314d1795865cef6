# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin of one portrait without the studio's light, in canonical UV."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.rendering.harmonics import rotation
from facedetail_addon.core.rendering.shade import shade
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import Atlas
from scripts.training.delit_skins.store import LARGE, is_stored, save_skin
from scripts.training.delit_skins.studio_portraits import (
    BANDS,
    PLAIN,
    Portrait,
    load_models,
    plain_skin,
    read_portraits,
    studio_light,
)

LEAST_KNOWN = 0.12  # texels that a smaller share of all people shows are not learned
_FULL = 0.3  # confidence from which on the portrait's own texel counts alone
_HAIRY = ("forehead", "cheeks", "ears", "neck", "scalp")  # where hair or clothes may lie over the skin
_BROW_MM, _LID_MM = 9.0, 10.0  # so near to brows and eyes what is dark is no hair that hangs over the face
_DARKER, _LIGHTER, _TINTED = 0.55, 0.65, 0.30  # log differences from the person's own skin that no skin there has
_SIDE, _MARGIN_TEXELS = 256, 5  # of a map of such a side, around what is not skin
_BROWS, _EYES = slice(17, 27), slice(36, 48)
_ALBEDO_RANGE = (0.004, 0.95)


@dataclass(frozen=True)
class PortraitSkin:
    """Albedo in canonical UV.

    Attributes:
        person, group: of the portrait.
        albedo: (S, S, 3) float32 linear. weight: (S, S) float32 in [0, 1], 0 = not seen, or not skin.
    """

    person: str
    group: str
    albedo: np.ndarray
    weight: np.ndarray


def skin_of(portrait: Portrait, light: np.ndarray, model: FaceModel, atlas: Atlas) -> PortraitSkin:
    """Take the room's light off one portrait.

    Args:
        light: (9,) white, in the camera's axes, of :func:`studio_light`.
    """
    in_head = np.repeat((rotation(portrait.to_room.T, BANDS) @ light)[:, None], 3, axis=1)
    flat = np.tile(_tone(portrait, model), (model.skin.stop, 1)).astype(np.float32)
    for _ in range(2):
        shading, gloss = shade(portrait.transfer, in_head, flat)
        flat[:] = _tone(portrait, model, shading, gloss)
    seen = portrait.unwrapped
    own = _delit(seen.color, shading, gloss, atlas)
    other = _delit(seen.mirrored_color, atlas.mirror.points(shading), atlas.mirror.points(gloss), atlas)
    own_weight = np.minimum(seen.confidence / _FULL, 1) * is_skin(own, seen.confidence, flat[0], model, atlas)
    other_weight = np.minimum(seen.mirrored_confidence / _FULL, 1) * (1 - own_weight)
    other_weight *= is_skin(other, seen.mirrored_confidence, flat[0], model, atlas)
    weight = own_weight + other_weight
    albedo = (own * own_weight[..., None] + other * other_weight[..., None]) / np.maximum(weight, 1e-6)[..., None]
    return PortraitSkin(portrait.person, portrait.group, albedo.clip(*_ALBEDO_RANGE), weight.astype(np.float32))


def people_of(portraits: list[Portrait], light: np.ndarray, model: FaceModel, atlas: Atlas) -> list[PortraitSkin]:
    """One albedo per person: the weighted mean of their portraits."""
    by_person: dict[str, list[PortraitSkin]] = {}
    for portrait in portraits:
        by_person.setdefault(portrait.person, []).append(skin_of(portrait, light, model, atlas))
    out = []
    for person, skins in sorted(by_person.items()):
        weight = sum(skin.weight for skin in skins)
        albedo = sum(skin.albedo * skin.weight[..., None] for skin in skins) / np.maximum(weight, 1e-6)[..., None]
        out.append(PortraitSkin(person, skins[0].group, albedo, np.minimum(weight, 1)))
    return out


def make_studio_skins(folder: Path, to: Path) -> None:
    """Free the London set of its studio's light, all of it at once, for the light is known from all (ten minutes).

    Args:
        folder: of :func:`read_portraits`.
    """
    people = sorted({path.stem[:3] for path in (folder / "neutral").glob("*.jpg")})
    if all(is_stored(to, f"london_{person}") for person in people):
        return
    model = load_named_model(BUILTIN)
    atlas = make_atlas(model, LARGE)
    portraits = read_portraits(folder, load_models(model, atlas))
    light = studio_light(portraits, model)
    for skin in people_of(portraits, light, model, atlas):
        name = f"london_{skin.person}"
        save_skin(to, name, skin.albedo, skin.weight, plain_skin(atlas, model), group=skin.group, light=light)


def known_share(skins: list[PortraitSkin], covered: np.ndarray) -> np.ndarray:
    """(S, S) float32: how well people show a texel or its mirror image; 0 where they hardly do."""
    share = np.mean([skin.weight for skin in skins], axis=0)
    share = np.maximum(share, share[:, ::-1]) * covered * covered[:, ::-1]
    soft = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 1.5)
    known = np.clip((soft - LEAST_KNOWN) / 0.2, 0, 1) * (share > LEAST_KNOWN / 2)
    return np.minimum(known, known[:, ::-1]).astype(np.float32)


def _tone(
    portrait: Portrait, model: FaceModel, shading: np.ndarray | float = 1.0, gloss: np.ndarray | float = 0.0
) -> np.ndarray:
    """(3,) the usual colour of the plain skin."""
    plain = model.in_region(*PLAIN)
    sure = plain & (portrait.unwrapped.vertex_confidence > 0.5)
    return np.median(((portrait.unwrapped.vertex_color - gloss) / shading)[sure], axis=0).clip(*_ALBEDO_RANGE)


def _delit(color: np.ndarray, shading: np.ndarray, gloss: np.ndarray, atlas: Atlas) -> np.ndarray:
    out = np.zeros(color.shape, np.float32)
    values = atlas.texels(np.concatenate([shading, gloss], axis=1))
    out[atlas.covered] = ((to_linear(color)[atlas.covered] - values[:, 3:]) / values[:, :3]).clip(*_ALBEDO_RANGE)
    return out


def is_skin(
    albedo: np.ndarray,
    confidence: np.ndarray,
    tone: np.ndarray,
    model: FaceModel,
    atlas: Atlas,
    tolerance: float = 1.0,
) -> np.ndarray:
    """(S, S) float32: 0 where hair, clothes or jewellery lie over the skin, and around them; 0 on the scalp.

    Args:
        albedo: (S, S, 3) linear. confidence: (S, S), 0 where nothing was seen. tone: (3,) of the person's plain skin.
        tolerance: how far skin may differ from it, 1 = as in one studio's even light.
    """
    rest = model.skin.of(model.mean)
    marks = model.landmarks68.points(model.mean)
    near = np.min([
        np.linalg.norm(rest[:, None, :2] - marks[None, part, :2], axis=2).min(axis=1) - limit
        for part, limit in ((_BROWS, _BROW_MM), (_EYES, _LID_MM))
    ], axis=0)  # fmt: skip
    region = model.in_region(*_HAIRY)
    scalp = model.in_region("scalp")
    fields = np.column_stack([region & (near > 0), scalp]).astype(np.float32)
    hairy, bare = np.zeros((2, *confidence.shape), np.float32)
    hairy[atlas.covered], bare[atlas.covered] = (atlas.texels(fields) > 0.5).astype(np.float32).T
    scale = len(albedo) / _SIDE
    soft = cv2.GaussianBlur(albedo, (0, 0), scale)
    light = np.log(np.maximum(soft @ LUMINANCE, 1e-3) / (tone @ LUMINANCE)) / tolerance
    tint = np.log(np.maximum(soft, 1e-3)) - np.log(np.maximum(soft[..., 1:2], 1e-3)) - np.log(tone / tone[1])
    tint /= tolerance
    foreign = (light < -_DARKER) | (light > _LIGHTER)
    foreign |= (np.abs(tint[..., 0]) > _TINTED) | (np.abs(tint[..., 2]) > 2 * _TINTED)
    foreign &= (hairy > 0) & (confidence > 0)
    foreign = cv2.morphologyEx(foreign.astype(np.uint8), cv2.MORPH_OPEN, np.ones((round(2 * scale),) * 2, np.uint8))
    spread = cv2.dilate(
        foreign, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (round(2 * _MARGIN_TEXELS * scale) + 1,) * 2)
    )
    hidden = cv2.GaussianBlur(np.maximum(foreign, spread * (hairy > 0)).astype(np.float32), (0, 0), 1.5 * scale)
    return np.clip(1 - 1.5 * hidden, 0, 1) * (1 - bare)
