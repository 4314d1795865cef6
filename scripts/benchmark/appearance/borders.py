# SPDX-License-Identifier: GPL-3.0-or-later
"""Albedo of photos where what is seen ends: rims along lines of the face, colours that are filled in, and shine.

Nobody knows the true skin of a photo. What is known: skin has no rims where the statistical skin has none, unseen skin
has about the colour of the seen one, and skin under a highlight is neither white nor smooth.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree
from skimage.color import rgb2lab

from facedetail_addon.core.colour import LUMINANCE, to_linear, to_srgb
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.geometry.mesh_fields import smooth_field
from facedetail_addon.core.image import TEXTURE_MM
from facedetail_addon.core.lighting.types import LightEstimate
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.pipeline import fit, illuminate, observe, paint, refine
from facedetail_addon.core.skin.basis import at_vertices
from facedetail_addon.core.uv.types import UnwrappedPhoto
from scripts.benchmark.appearance.measure import delta_e
from scripts.benchmark.appearance.settings import SETTINGS, load_models

LINES = {
    "nostrils": (("nose",), ("socket",)),
    "lips": (("mouth",), ("cheeks", "chin", "nose")),
    "lids": (("eyes",), ("socket",)),
    "jaw": (("cheeks", "chin"), ("neck",)),
    "temples": (("forehead", "cheeks"), ("scalp",)),
}
"""By what regions they part."""
FILLED = ("neck", "ears", "cheeks")
"""Where colours of unseen skin are compared with those of the seen cheeks; of the scalp hair is not known."""
DARK = 0.12
"""Luminance of the albedo below which skin is called dark."""
_LINE_MM = 4.0  # on either side of a line
_SIDE = 512  # texels; one is 0.8 mm
_SEEN, _UNSEEN = 0.6, 0.02  # confidence of what is seen, and of what is not
_LEAST = 30  # vertices, or texels, that a figure is made from
_BRIGHTER, _PALER = 1.25, 0.85  # than the face's median: luminance and saturation where the photo shows a highlight
_SMOOTH_MM = 4.0
_RING, _BESIDE = 2, 12  # texels: half width of a highlight's border, and how far beside it goes
_FINE = 2.0  # texels: contrast is that of what is finer
_STRANGE, _STRANGE_MM = 8.0, 1.6  # units of CIELAB beside skin's hue, and smoothness of what is looked at
_FLOOR = 0.004  # linear, so that logarithms stay finite


@dataclass(frozen=True)
class BorderErrors:
    """One photo's albedo; a figure that nothing tells is missing.

    Attributes:
        name: of the photo. tone: luminance of the seen albedo.
        rims: mean |∇ log luminance| per mm along each of LINES, less that of the statistical skin; 0 = no rim.
        filled: CIEDE2000 of unseen skin to the seen cheeks, by region.
        uneven: of the seen face, how far its smooth colours lie from the statistical skin's in this person's tone:
            ``hue``, 90 % of the distances of logarithms; ``brightness``, from 5 to 95 % of their luminance.
        strange: percent of bare skin, seen or filled in, of another hue than the seen cheeks': ``purple`` or blue, and
            ``yellow`` or green.
        shine: under the photo's highlights: ``border``, median |∇ log luminance| along their border over that beside;
            ``contrast``, of fine things over that of skin without highlights; ``white``, log luminance above beside.
    """

    name: str
    tone: float
    rims: dict[str, float]
    filled: dict[str, float]
    uneven: dict[str, float]
    strange: dict[str, float]
    shine: dict[str, float]


def measure_borders(photo: Path) -> BorderErrors | None:
    """Reconstruct a photo without relief and measure its albedo; None where no face is found."""
    models = load_models()
    try:
        observation = observe(read_photo(photo), models, SETTINGS)
    except NoFaceError:
        return None
    head = refine((observation,), fit((observation,), models, SETTINGS), models, SETTINGS)
    light = illuminate(observation, head.pose, models, SETTINGS)
    albedo = paint(observation, head.pose, light, models).skin.albedo
    return border_errors(photo.stem, albedo, light.unwrapped, light.estimate, models)


def border_errors(
    name: str, albedo: np.ndarray, unwrapped: UnwrappedPhoto, light: LightEstimate, models: Models
) -> BorderErrors:
    """Of a painted albedo, (R, R, 3) uint8 sRGB in canonical UV, beside what the photo shows."""
    model = models.model
    small = cv2.resize(to_linear(albedo), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    colours = at_vertices(small, model)
    cheeks = colours[model.in_region("cheeks") & (unwrapped.vertex_confidence > _SEEN)]
    tone = np.median(cheeks, axis=0) if len(cheeks) else np.median(colours, axis=0)
    basis = models.basis.grey() if light.monochrome else models.basis
    return BorderErrors(
        name=name,
        tone=float(tone @ LUMINANCE),
        rims=_rims(colours, basis.albedo(light.gamma), model),
        filled=_filled(colours, tone, unwrapped.vertex_confidence, model),
        uneven=_uneven(colours, basis.albedo(light.gamma), unwrapped.vertex_confidence, models),
        strange=_strange(small, tone, models.model, models.atlas.areas),
        shine=_shine(small, unwrapped, light, models),
    )


def _rims(colours: np.ndarray, statistical: np.ndarray, model: FaceModel) -> dict[str, float]:
    rest, triangles = model.skin.of(model.mean), model.skin.triangles()
    edges = np.unique(np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]]]), axis=1), axis=0)
    length = np.linalg.norm(rest[edges[:, 0]] - rest[edges[:, 1]], axis=1).clip(0.1)
    inside_mouth = model.in_region("socket")

    def steps(values: np.ndarray) -> np.ndarray:
        light = np.log(values @ LUMINANCE + _FLOOR)
        return np.abs(light[edges[:, 0]] - light[edges[:, 1]]) / length

    apart = steps(colours) - steps(statistical)
    out = {}
    for name, (here, there) in LINES.items():
        near = np.ones(len(rest), bool)
        for side in (here, there):
            if model.in_region(*side).any():
                near &= cKDTree(rest[model.in_region(*side)]).query(rest)[0] < _LINE_MM
        chosen = (near & ~inside_mouth)[edges].all(axis=1)
        if chosen.sum() >= _LEAST:
            out[name] = float(np.average(apart[chosen], weights=length[chosen]))
    return out


def _filled(colours: np.ndarray, tone: np.ndarray, confidence: np.ndarray, model: FaceModel) -> dict[str, float]:
    out = {}
    for name in FILLED:
        unseen = model.in_region(name) & (confidence < _UNSEEN)
        if unseen.sum() >= _LEAST:
            some = colours[unseen]
            out[name] = float(delta_e(some, np.broadcast_to(tone, some.shape)).mean())
    return out


def _uneven(colours: np.ndarray, statistical: np.ndarray, confidence: np.ndarray, models: Models) -> dict[str, float]:
    model, atlas = models.model, models.atlas
    weight = confidence * models.basis.known * model.in_region(*FACE_REGIONS) * ~model.in_region("socket")
    seen = weight > _SEEN
    if seen.sum() < _LEAST:
        return {}
    apart = np.log(colours + _FLOOR) - np.log(statistical + _FLOOR)
    apart -= np.median(apart[seen], axis=0)
    smooth = smooth_field(atlas.laplacian, atlas.areas, apart, weight, _SMOOTH_MM)[seen]
    light = smooth @ LUMINANCE
    hue = np.linalg.norm(smooth - light[:, None], axis=1)
    return {"hue": float(np.quantile(hue, 0.9)), "brightness": float(np.ptp(np.quantile(light, (0.05, 0.95))))}


def _strange(albedo: np.ndarray, tone: np.ndarray, model: FaceModel, areas: np.ndarray) -> dict[str, float]:
    """Where CIELAB's chroma lies beside the line from grey through the tone's; hair, lips and lids do not count."""
    skin = ~model.in_region("scalp", "socket", "mouth", "eyes")
    smooth = at_vertices(cv2.GaussianBlur(albedo, (0, 0), _STRANGE_MM * _SIDE / TEXTURE_MM), model)[skin]
    usual = rgb2lab(to_srgb(tone)[None, None])[0, 0, 1:]
    chroma = rgb2lab(to_srgb(smooth)[None])[0, :, 1:]
    along = usual / max(float(np.linalg.norm(usual)), 1e-6)
    beside = chroma @ np.array([-along[1], along[0]])
    area = areas[skin] / areas[skin].sum()
    return {
        "purple": float(100 * area[beside < -_STRANGE].sum()),
        "yellow": float(100 * area[beside > _STRANGE].sum()),
    }


def _shine(albedo: np.ndarray, unwrapped: UnwrappedPhoto, light: LightEstimate, models: Models) -> dict[str, float]:
    mask, skin = _highlights(unwrapped, light, models)
    around = cv2.dilate(mask, np.ones((2 * _BESIDE + 1,) * 2, np.uint8))
    ring = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((2 * _RING + 1,) * 2, np.uint8)) > 0
    near = cv2.dilate(mask, np.ones((4 * _RING + 1,) * 2, np.uint8))
    beside = (around > 0) & (near == 0) & skin
    under = (mask > 0) & ~ring & skin
    if min(beside.sum(), under.sum()) < _LEAST:
        return {}
    log = np.log(albedo @ LUMINANCE + _FLOOR).astype(np.float32)
    fine = log - cv2.GaussianBlur(log, (0, 0), _FINE)
    down, across = np.gradient(cv2.GaussianBlur(log, (0, 0), 0.7))
    slope = np.hypot(down, across)
    return {
        "border": float(np.median(slope[ring & skin]) / np.median(slope[beside])),
        "contrast": float(np.median(np.abs(fine[under])) / np.median(np.abs(fine[(near == 0) & skin]))),
        "white": float(np.median(log[under]) - np.median(log[beside])),
    }


def _highlights(unwrapped: UnwrappedPhoto, light: LightEstimate, models: Models) -> tuple[np.ndarray, np.ndarray]:
    """(S, S) uint8 where the photo shows highlights, paler and brighter than the face is; bool, where plain skin."""
    model, atlas = models.model, models.atlas
    face = (model.in_region(*FACE_REGIONS) & ~model.in_region("mouth", "eyes")).astype(np.float32)
    side = atlas.resolution
    bare, weight = np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32)
    values = np.column_stack([light.shading, face * (models.basis.known > 0.5)]).astype(np.float32)
    for rows in atlas.bands():
        here = atlas.covered[rows]
        at = atlas.texels(values, rows)
        bare[rows][here] = to_linear(unwrapped.color[rows][here]) / np.maximum(at[:, :3], 1e-3)
        weight[rows][here] = unwrapped.confidence[rows][here] * at[:, 3]
    size = (_SIDE, _SIDE)
    bare = cv2.GaussianBlur(cv2.resize(bare, size, interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    skin = cv2.resize(weight, size, interpolation=cv2.INTER_AREA) > _SEEN
    if skin.sum() < _LEAST:
        return np.zeros(size, np.uint8), skin
    luminance = bare @ LUMINANCE
    saturation = 1 - bare.min(axis=2) / np.maximum(bare.max(axis=2), 1e-3)
    pale = (luminance > _BRIGHTER * np.median(luminance[skin])) & (saturation < _PALER * np.median(saturation[skin]))
    mask = (pale & skin).astype(np.uint8)
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), skin
