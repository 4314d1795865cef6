# SPDX-License-Identifier: GPL-3.0-or-later
"""Real skin for rendered heads: the grey albedo of flat-lit portraits, one value per vertex of a face model.

The light of the studio is taken out roughly: the skin's brightness is explained by spherical harmonics of the normals
up to order 2 (Ramamoorthi and Hanrahan 2001), and what is left over is the albedo. Skin that the portrait does not show
takes the other side's value, else a smooth continuation. What a portrait cannot show (whole eyeballs, teeth, the inside
of the mouth) is taken from painted looks.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.face_model.calibration import LandmarkCalibration
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.geometry.mesh_fields import smooth_field
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import Atlas, UnwrappedPhoto
from facedetail_addon.core.uv.unwrap import unwrap
from scripts.training.expression_dictionary.photos import fit_alone
from scripts.training.fast_heads.scenes import painted_looks

SEED = 23  # of the painted eyes, teeth and mouths

_DARKEST, _LIGHTEST = 0.01, 0.95
_FULL = 0.3  # confidence from which on the portrait's own value counts alone
_DETAIL_MM, _REACH_MM = 0.8, 60.0  # smoothness of what is seen, and how far it is continued before the median begins
_LID_MM = 2.0  # skin that a blink moves this far is taken more smoothly: lashes lie over it in the portrait
_LIGHT_PERCENTILES = (10, 90)  # of the light on the face; normals that the face lacks get no more and no less
_TOLERANCES = (0.3, 0.3, 0.3, 0.2, 0.15, 0.12, 0.1, 0.08)  # round by round: so far off the skin, hair hardly counts


@dataclass(frozen=True)
class _Skin:
    """What all portraits share.

    Attributes:
        atlas: of the model. face: (V_skin,) bool, where the light is measured.
        steady: (V_skin,) float32, 1 = no lid, near 0 = moves far in a blink.
    """

    atlas: Atlas
    face: np.ndarray
    steady: np.ndarray

    def per_vertex(self, seen: UnwrappedPhoto) -> tuple[np.ndarray, np.ndarray]:
        """(V_skin,) linear grey and confidence: means of the texels around each vertex, by how surely they are seen."""
        texels = self.atlas.raster.interpolation(self.atlas.triangles, len(self.face))
        confidence = seen.confidence[self.atlas.covered]
        grey = to_linear(seen.color[self.atlas.covered]) @ LUMINANCE
        weight = texels.T @ confidence
        around = np.asarray(texels.sum(axis=0)).ravel()
        return (texels.T @ (confidence * grey)) / np.maximum(weight, 1e-6), weight / np.maximum(around, 1e-6)


def portrait_looks(
    model: FaceModel, calibration: LandmarkCalibration, portraits: list[Path], resolution: int = 512
) -> np.ndarray:
    """Grey albedo of people.

    Args:
        model: the face model that ``calibration`` was measured for.
        portraits: flat-lit photos of neutral faces, seen from the front.
        resolution: texels per side of the texture in between.

    Returns:
        (L, V) float32 linear grey in (0, 1], one row per portrait, for all V vertices of the model.

    Raises:
        PhotoError: a portrait cannot be read. NoFaceError: a portrait shows no face.
    """
    landmarker, skin = MeshLandmarker.load(), _prepare(model, resolution)
    looks = painted_looks(model, len(portraits), np.random.default_rng(SEED))
    shown = np.flatnonzero(~model.in_region("socket"))
    for look, path in zip(looks, portraits, strict=True):
        look[shown] = _skin_albedo(path, landmarker, model, calibration, skin)[shown]
    return looks


def _prepare(model: FaceModel, resolution: int) -> _Skin:
    blinks = [index for index, name in enumerate(model.expression_names) if name.startswith("eyeBlink")]
    blink = np.linalg.norm(model.skin.of(model.expression_basis)[blinks].sum(0), axis=1)
    return _Skin(
        atlas=make_atlas(model, resolution),
        face=~model.in_region("scalp", "neck", "ears", "socket"),
        steady=1 / (1 + (blink / _LID_MM) ** 2),
    )


def _skin_albedo(
    path: Path,
    landmarker: MeshLandmarker,
    model: FaceModel,
    calibration: LandmarkCalibration,
    skin: _Skin,
) -> np.ndarray:
    """(V_skin,) float32 linear grey of one portrait."""
    photo = read_photo(path)
    faces = landmarker.find(photo.pixels)
    if not faces:
        raise NoFaceError(f"No face was found in {path}.", "Leave this portrait out.")
    pose = fit_alone(photo, faces[0], model, calibration).pose
    grey, confidence = skin.per_vertex(unwrap(photo.pixels, pose, model, skin.atlas))
    sure = np.minimum(confidence / _FULL, 1)
    normals = vertex_normals(model.skin.of(pose.vertices), model.skin.triangles())
    light, tone = relative_light(normals, grey, sure * skin.face)
    return _completed(grey / light, sure, tone, skin).clip(_DARKEST, _LIGHTEST)


def relative_light(normals: np.ndarray, grey: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """The light on a face of mostly one colour.

    Args:
        normals: (V, 3) unit normals of the posed head. grey: (V,) linear grey. weights: (V,) how much each counts.

    Returns:
        (V,) light relative to its median where weights are positive, and the skin's grey in that median light.
    """
    x, y, z = normals.astype(np.float64).T
    terms = np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z**2 - 1, x * z, x**2 - y**2], axis=1)
    seen = weights > 0
    light = np.full(len(grey), np.median(grey[weights >= weights.max() / 2]), np.float64)
    for tolerance in _TOLERANCES:
        off = (grey - light) / max(float(np.median(light[seen])), 1e-4)
        trust = weights / (1 + (off / tolerance) ** 2) ** 2
        left = terms[seen] * trust[seen, None]
        ridge = 1e-3 * trust.sum() * np.diag([0.0] + [1.0] * 8)
        light = terms @ np.linalg.solve(left.T @ terms[seen] + ridge, left.T @ grey[seen])
    tone = max(float(np.median(light[seen])), 1e-4)
    return light.clip(*np.percentile(light[seen], _LIGHT_PERCENTILES)).clip(0.1 * tone) / tone, tone


def _completed(albedo: np.ndarray, sure: np.ndarray, tone: float, skin: _Skin) -> np.ndarray:
    """(V,) the albedo where it was seen, its mirror image where only that was, and a smooth continuation elsewhere."""
    corners, weights = skin.atlas.mirror.vertices, skin.atlas.mirror.weights
    other, other_sure = ((values[corners] * weights).sum(1) for values in (albedo, sure))
    other_share = (1 - sure) * other_sure
    share = sure + other_share
    values = (sure * albedo + other_share * other) / np.maximum(share, 1e-6)
    laplacian, areas = skin.atlas.laplacian, skin.atlas.areas
    return smooth_field(laplacian, areas, values[:, None], share * skin.steady, _DETAIL_MM, tone, _REACH_MM)[:, 0]
