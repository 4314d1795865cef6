# SPDX-License-Identifier: GPL-3.0-or-later
"""The rims of the lids: a dark line where lashes grow, and the pink caruncle in the inner corner.

Photos show lashes as a dark line on the upper lid's rim, and less of one on the lower. Where they are blurred, in the
light, or hidden, skin would end bare at the eye. What the photo shows already is left as it is.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ..colour import LUMINANCE, to_linear, to_srgb8
from ..face_model.model import FaceModel
from ..image import TEXTURE_MM, blurred, smoothstep

_AROUND_MM = 9.0  # of the rim that is looked at
_SKIN_MM = (2.5, 7.0)  # from the rim: plain skin of the lids
_SMOOTH_MM = 4.0  # standard deviation of it
_BROW_MM = 4.0  # half of a brow's height
_BROW_LANDMARKS = {"right": slice(17, 22), "left": slice(22, 27)}  # of iBUG
_CORNERS = {"right": (39, 36), "left": (42, 45)}  # of iBUG, inner and outer
_HAIR = 10  # percentile of the brows' brightness that hairs have
_OF_BROWS, _LEAST, _MOST = 1.1, 0.8, 1.6  # lashes are as dark beside skin as brows' hairs, and stand closer: -log
_UPPER, _LOWER = (0.42, 1.0, 1.0), (0.26, 0.25, 0.4)  # mm beyond the rim, mm behind it, share of the strength
_INNER_END, _OUTER_END = (0.03, 0.35), (0.98, 1.06)  # of a lid's length from the inner corner: where lashes begin, end
_LOWER_END = 0.45  # on the lower lid they begin farther out
_CARUNCLE_MM = (1.6, 1.1)  # standard deviations along the lids and across
_CARUNCLE = np.array([0.22, -0.17, -0.14])  # log factors of skin that make it wet tissue's pink
_MOST_PINK = 0.35  # log red over green of the lids' skin that fair skin at least has there
_FLOOR = 0.004  # linear, so that logarithms stay finite


@dataclass(frozen=True)
class _Rim:
    """The texels around one eye.

    Attributes:
        part: their rows and columns. beyond: (h, w) mm from the rim, negative behind it. along: (h, w) from the inner
            corner, 0, to the outer, 1. upper: (h, w) bool. inner: (h, w, 2) mm from the inner corner, outwards and up.
        texel_mm: a texel's side.
    """

    part: tuple[slice, slice]
    beyond: np.ndarray
    along: np.ndarray
    upper: np.ndarray
    inner: np.ndarray
    texel_mm: float


def paint_lid_rims(albedo: np.ndarray, model: FaceModel, grey: bool) -> None:
    """Lash lines and caruncles where the photo has not brought them, in place.

    Args:
        albedo: (R, R, 3) uint8 sRGB in canonical UV. grey: the photo has no colours.
    """
    for side in _CORNERS:
        rim = _rim(side, model, len(albedo))
        if rim is None:
            continue
        linear = np.maximum(to_linear(albedo[rim.part]), _FLOOR)
        skin = _skin_beside(linear, rim)
        log = np.log(linear)
        log += _missing_lashes(log, skin, rim, _strength(albedo, linear, side, rim, model))[..., None]
        if not grey:
            log += _missing_pink(log, skin, rim)
        albedo[rim.part] = to_srgb8(np.exp(log))


def _rim(side: str, model: FaceModel, resolution: int) -> _Rim | None:
    """None for models whose skin knows of no socket."""
    uv, socket = model.skin.vertex_uv(), model.in_region("socket")
    inner, outer = (model.landmarks68.points(uv)[index] for index in _CORNERS[side])
    triangles = model.skin.triangles()
    crossing = socket[triangles]
    edge = np.unique(triangles[crossing.any(axis=1) & ~crossing.all(axis=1)])
    middle, reach = (inner + outer) / 2, np.linalg.norm(outer - inner)
    edge = edge[~socket[edge] & (np.linalg.norm(uv[edge] - middle, axis=1) < 0.8 * reach)]
    if len(edge) < 8:
        return None
    places = uv[edge]
    around = np.argsort(np.arctan2(*(places - places.mean(axis=0)).T[::-1]))
    loop = places[np.append(around, around[0])]
    at = np.linspace(0, len(loop) - 1, 40 * len(loop))
    line = np.stack([np.interp(at, np.arange(len(loop)), loop[:, axis]) for axis in (0, 1)], axis=1)
    low, high = line.min(axis=0) - _AROUND_MM / TEXTURE_MM, line.max(axis=0) + _AROUND_MM / TEXTURE_MM
    columns = slice(int(low[0] * resolution), int(np.ceil(high[0] * resolution)))
    rows = slice(int((1 - high[1]) * resolution), int(np.ceil((1 - low[1]) * resolution)))
    x, y = np.meshgrid(np.arange(columns.start, columns.stop) + 0.5, np.arange(rows.start, rows.stop) + 0.5)
    texels = np.stack([x / resolution, 1 - y / resolution], axis=-1)
    away, nearest = cKDTree(line).query(texels.reshape(-1, 2))
    within = np.zeros(x.shape, np.uint8)
    outline = np.stack([loop[:, 0] * resolution - columns.start, (1 - loop[:, 1]) * resolution - rows.start], axis=1)
    cv2.fillPoly(within, [np.round((outline - 0.5) * 16).astype(np.int32)], 1, shift=4)
    beyond = away.reshape(x.shape) * TEXTURE_MM * np.where(within, -1, 1)
    outwards = (outer - inner) / reach
    upwards = np.array([-outwards[1], outwards[0]])
    upwards *= np.sign(upwards[1])
    near = line[nearest].reshape(*x.shape, 2) - inner
    from_inner = np.stack([(texels - inner) @ outwards, (texels - inner) @ upwards], axis=-1) * TEXTURE_MM
    along = near @ outwards / reach
    return _Rim((rows, columns), beyond, along, near @ upwards > 0, from_inner, TEXTURE_MM / resolution)


def _skin_beside(linear: np.ndarray, rim: _Rim) -> np.ndarray:
    """(h, w, 3) log of the lids' plain skin, smooth."""
    plain = ((rim.beyond > _SKIN_MM[0]) & (rim.beyond < _SKIN_MM[1])).astype(np.float32)
    sigma = _SMOOTH_MM / rim.texel_mm
    total = blurred(np.float32(np.log(linear)) * plain[..., None], sigma)
    return total / np.maximum(blurred(plain, sigma), 1e-4)[..., None]


def _strength(albedo: np.ndarray, linear: np.ndarray, side: str, rim: _Rim, model: FaceModel) -> float:
    """How much darker than skin lashes are, as a logarithm: by the person's brows."""
    size = len(albedo)
    at = model.landmarks68.points(model.skin.vertex_uv())[_BROW_LANDMARKS[side]] * [1, -1] + [0, 1]
    band = np.zeros(albedo.shape[:2], np.uint8)
    width = max(1, round(2 * _BROW_MM / TEXTURE_MM * size))
    cv2.polylines(band, [np.round(at * size).astype(np.int32)], False, 1, width)
    hairs = to_linear(albedo[band > 0]) @ LUMINANCE
    skin = linear[(rim.beyond > _SKIN_MM[0]) & (rim.beyond < _SKIN_MM[1])] @ LUMINANCE
    darker = np.log(np.median(skin) + _FLOOR) - np.log(np.percentile(hairs, _HAIR) + _FLOOR)
    return float(np.clip(_OF_BROWS * darker, _LEAST, _MOST))


def _missing_lashes(log: np.ndarray, skin: np.ndarray, rim: _Rim, strength: float) -> np.ndarray:
    """(h, w) log factor that darkens the rims as far as they are not dark already."""
    wanted = np.zeros(log.shape[:2])
    for which, (width, behind, share), start in (
        (rim.upper, _UPPER, _INNER_END), (~rim.upper, _LOWER, (_INNER_END[0], _LOWER_END))
    ):  # fmt: skip
        across = np.exp(-((np.maximum(rim.beyond, 0) / width) ** 2)) * smoothstep(-rim.beyond, 2 * behind, behind)
        ends = smoothstep(rim.along, *start) * smoothstep(rim.along, *_OUTER_END[::-1])
        wanted = np.where(which, share * across * ends, wanted)
    darker = (skin - log) @ LUMINANCE
    return -np.maximum(strength * wanted - np.maximum(darker, 0), 0) * (wanted > 0)


def _missing_pink(log: np.ndarray, skin: np.ndarray, rim: _Rim) -> np.ndarray:
    """(h, w, 3) log factors that make the inner corner the pink of wet tissue as far as it is not."""
    along, across = rim.inner[..., 0] - _CARUNCLE_MM[0], rim.inner[..., 1]
    share = np.exp(-0.5 * ((along / _CARUNCLE_MM[0]) ** 2 + (across / _CARUNCLE_MM[1]) ** 2))
    red = log[..., 0] - log[..., 1]
    missing = (skin[..., 0] - skin[..., 1] + _MOST_PINK - red).clip(0, _MOST_PINK) / _MOST_PINK
    return (share * missing)[..., None] * _CARUNCLE
