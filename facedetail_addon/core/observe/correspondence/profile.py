# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in profile, whose faces the face mesh does not know: told by points of the whole head, proved by agreement.

From 70° of yaw on the mesh network mostly denies that there is a face, and below that it shows it turned too little.
The detector often sees one still, with a low score, but many other things as well. So each suspect is looked at by the
correspondence network from several frames: on a head all end in the same place, with small σ; elsewhere they do not.
"""

from dataclasses import dataclass

import numpy as np

from ...face_model.ibug import IBUG_FROM_MESH
from ...face_model.normalise import head_angles
from ..landmarks.detection import Detection, suspects
from ..landmarks.landmarker import MeshLandmarker
from ..landmarks.networks import FaceDetector
from ..landmarks.types import FaceLandmarks
from ..region import Region
from .finder import HEAD_MM, CorrespondenceFinder
from .types import Correspondences

LEAST_YAW_DEG = 45.0
"""Less turned faces are the face mesh's to find."""
_MOST_SUSPECTS = 8
_FRAME = 2.2  # side of the first frame over that of the detector's box
_STARTS = (1.0, 1.25, 1.5)  # sizes of frames that a suspect is looked at from; in smaller ones heads are lost
_LOOKS = 5
_SURE_MM = 8.0  # median σ of the points: heads in profile 4 to 7.5, other things from 11 on
_SURE_TURN = 0.073  # σ of the rotation's entries: heads 0.05 to 0.07, other things from 0.088 on
_NO_HEAD_TURN = 0.1  # the same, around what is no head: 554 faces of real photos have at most 0.07
_RESIZED, _MOVED, _TURNED_DEG = 1.5, 0.15, 15.0  # how far the ends of all starts may lie apart
_SAME = 0.7  # heads nearer together than this share of a frame are one, the surer


@dataclass(frozen=True)
class _Look:
    """Where one start ended: what the network says there, and the frame."""

    found: Correspondences
    region: Region

    @property
    def sigma_mm(self) -> float:
        return float(np.median(self.found.sigma_px)) / self.region.side * HEAD_MM


def find_faces(
    pixels: np.ndarray, landmarker: MeshLandmarker, finder: CorrespondenceFinder
) -> tuple[FaceLandmarks, ...]:
    """All faces that the landmarker finds in an (H, W, 3) uint8 sRGB photo, or else heads in profile, largest first.

    Heads in profile take the place of faces around all of which the network sees no head: beards and hair are such.
    """
    faces = landmarker.find(pixels)
    if any(finder.find(pixels, face).rotation_sigma < _NO_HEAD_TURN for face in faces):
        return faces
    return find_profiles(pixels, landmarker.detector, finder) or faces


def find_profiles(
    pixels: np.ndarray, detector: FaceDetector, finder: CorrespondenceFinder
) -> tuple[FaceLandmarks, ...]:
    """Heads in profile, for photos in which the landmarker finds no face.

    Args:
        pixels: (H, W, 3) uint8 sRGB of an upright photo.

    Returns:
        The mean head's landmarks in the pose of each head, largest first, marked as not seen.
    """
    pixels = np.ascontiguousarray(pixels)
    proved: list[tuple[Detection, _Look]] = []
    for suspect in suspects(detector, pixels)[:_MOST_SUSPECTS]:
        look = _proved(pixels, suspect, finder)
        if look is not None:
            proved.append((suspect, look))
    kept: list[tuple[Detection, _Look]] = []
    for suspect, look in sorted(proved, key=lambda pair: pair[1].sigma_mm):
        if all(_apart(look.region, other.region) for _, other in kept):
            kept.append((suspect, look))
    kept.sort(key=lambda pair: -pair[1].region.side)
    return tuple(_landmarks(suspect, look.found, finder) for suspect, look in kept)


def _proved(pixels: np.ndarray, suspect: Detection, finder: CorrespondenceFinder) -> _Look | None:
    """The head at a suspect's place; None where the looks are unsure, disagree, or tell of no profile."""
    center = (suspect.box[:2] + suspect.box[2:]) / 2
    ends: list[_Look] = []
    for size in _STARTS:
        region = Region(center, _FRAME * size * suspect.side)
        for _ in range(_LOOKS):
            found, following = finder.look_in(pixels, region)
            look, region = _Look(found, region), following
        if look.sigma_mm > _SURE_MM or found.rotation_sigma > _SURE_TURN:
            return None
        if ends and not _agree(ends[0], look):
            return None
        ends.append(look)
    best = min(ends, key=lambda look: look.sigma_mm)
    return best if abs(head_angles(best.found.rotation)[0]) >= np.radians(LEAST_YAW_DEG) else None


def _agree(one: _Look, other: _Look) -> bool:
    side = one.region.side
    resized = max(side / other.region.side, other.region.side / side)
    moved = np.linalg.norm(one.region.center - other.region.center) / side
    cosine = (np.trace(one.found.rotation.T @ other.found.rotation) - 1) / 2
    return bool(resized < _RESIZED and moved < _MOVED and cosine > np.cos(np.radians(_TURNED_DEG)))


def _apart(one: Region, other: Region) -> bool:
    return bool(np.linalg.norm(one.center - other.center) > _SAME * max(one.side, other.side))


def _landmarks(suspect: Detection, found: Correspondences, finder: CorrespondenceFinder) -> FaceLandmarks:
    """The mean head's landmarks where its points lie in the photo."""
    scale, mean, middle = found.placed(finder.points.points_mm)
    turned = finder.points.landmarks_mm @ found.rotation.T
    mesh = scale * (turned - np.append(mean, 0)) + np.append(middle, 0)
    mesh = mesh.astype(np.float32)
    return FaceLandmarks(
        mesh_px=mesh,
        sparse_px=mesh[list(IBUG_FROM_MESH), :2],
        box_px=np.concatenate([mesh[:, :2].min(0), mesh[:, :2].max(0)]),
        score=suspect.score,
        rotation=0,
        yaw_deg=float(np.degrees(head_angles(found.rotation)[0])),
        seen=False,
    )
