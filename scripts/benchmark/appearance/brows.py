# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows of portraits: whether the painted head in the photo's light has those of the photo, and no grooves."""

from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.errors import NoFaceError, PhotoError
from facedetail_addon.core.face_model.brows import FAR_MM
from facedetail_addon.core.image import TEXTURE_MM, blurred
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.on_skin import brows_of
from facedetail_addon.core.pipeline import detail, fit, illuminate, observe, paint, refine
from scripts.benchmark.appearance.measure import delta_e
from scripts.benchmark.appearance.settings import SETTINGS, load_models
from scripts.benchmark.errors import rounded
from scripts.harness import table

_SEEN = 0.4  # confidence of what is compared
_INSIDE_MM, _BESIDE_MM = -1.0, (-8.0, -4.0)  # of brows' border: hairs, and the skin that they are compared with
_SOFT_MM, _FINE_MM = 0.3, 0.8  # colours are compared as smooth as this; contrast is that of what is finer
_FLOOR = 0.004  # linear, so that logarithms stay finite
_LEAST = 200  # texels


@dataclass(frozen=True)
class BrowErrors:
    """One photo's brows, the head with its relief in the estimated light beside the photo.

    Attributes:
        name: of the photo. delta_e: mean CIEDE2000. paler, redder: logs by which they differ less, and in hue, from the
            skin beside them than in the photo. contrast: of single hairs over the photo's. alike: correlation of both.
        relief_um: root mean square height of relief in them.
    """

    name: str
    delta_e: float
    paler: float
    redder: float
    contrast: float
    alike: float
    relief_um: float


def measure_brows(photo: Path) -> BrowErrors | None:
    """Reconstruct a photo with relief; None where no face, or hardly any of its brows, is found."""
    models = load_models()
    try:
        observation = observe(read_photo(photo), models, SETTINGS)
    except (NoFaceError, PhotoError):
        return None
    head = refine((observation,), fit((observation,), models, SETTINGS), models, SETTINGS)
    light = illuminate(observation, head.pose, models, SETTINGS)
    relief = detail(observation, head, light, models)
    albedo = to_linear(paint(observation, head.pose, light, models, relief=relief).skin.albedo)
    seen, picture = light.unwrapped.confidence > _SEEN, models.atlas.picture
    shading = picture(light.estimate.shading.astype(np.float32)) * relief.maps.shading[..., None]
    drawn = albedo * shading + picture(light.estimate.gloss.astype(np.float32))
    brows = picture(brows_of(observation, head.pose, models) + np.float32(FAR_MM)) - FAR_MM
    height = relief.maps.medium + relief.maps.fine
    return brow_errors(photo.stem, drawn, to_linear(light.unwrapped.color), height, brows, seen)


def brow_errors(
    name: str, drawn: np.ndarray, photo: np.ndarray, height: np.ndarray, brows: np.ndarray, seen: np.ndarray
) -> BrowErrors | None:
    """Of (R, R, 3) linear pictures in canonical UV; None where too little is seen.

    Args:
        height: (R, R) mm. brows: (R, R) mm inside of their border. seen: (R, R) bool.
    """
    hair, skin = seen & (brows > _INSIDE_MM), seen & (brows > _BESIDE_MM[0]) & (brows < _BESIDE_MM[1])
    if min(hair.sum(), skin.sum()) < _LEAST:
        return None
    size = len(brows) / TEXTURE_MM
    light, hue, fine = [], [], []
    for picture in (drawn, photo):
        log = np.log(picture + np.float32(_FLOOR)).astype(np.float32)
        luminance = np.log(picture @ LUMINANCE + _FLOOR).astype(np.float32)
        light.append(luminance[hair].mean() - luminance[skin].mean())
        red = log[..., 0] - log[..., 1]
        hue.append(red[hair].mean() - red[skin].mean())
        fine.append((luminance - blurred(luminance, _FINE_MM * size))[hair])
    soft = [cv2.GaussianBlur(one, (0, 0), _SOFT_MM * size)[hair].clip(0, 1) for one in (drawn, photo)]
    return BrowErrors(
        name=name,
        delta_e=float(delta_e(*soft).mean()),
        paler=float(light[0] - light[1]),
        redder=float(hue[0] - hue[1]),
        contrast=float(fine[0].std() / max(fine[1].std(), 1e-9)),
        alike=float(np.corrcoef(*fine)[0, 1]),
        relief_um=float(np.sqrt((height[hair] ** 2).mean()) * 1000),
    )


def report_brows(found: list[BrowErrors], asked: int, lines: list[str]) -> dict[str, object]:
    """Each photo's figures, and medians of their sizes."""
    columns = "photo", "ΔE2000", "paler", "redder", "contrast", "alike", "relief µm"
    rows = [(one.name, *(rounded(value, 2) for value in astuple(one)[1:])) for one in found]
    sizes = np.abs([astuple(one)[1:] for one in found])
    medians = [rounded(value, 3) for value in np.median(sizes, axis=0)] if found else []
    title = f"**Brows of {len(found)} photos ({asked - len(found)} left out); medians of sizes in the last row**"
    lines += ["", title, "", *table(columns, [*rows, ("median", *medians)] if found else rows)]
    names = ("delta_e", "paler", "redder", "contrast", "alike", "relief_um")
    return {"count": len(found), "missed": asked - len(found), **dict(zip(names, medians, strict=False))}
