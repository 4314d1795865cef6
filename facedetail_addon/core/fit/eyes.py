# SPDX-License-Identifier: GPL-3.0-or-later
"""Aim the eyes: each pupil is turned to where the photo shows the iris.

The calibration's painted irises are seen too low under the upper lid; iris landmarks of photos are not. So the gaze is
taken from the picture itself: a ray through the iris meets the eyeball where the pupil belongs.
"""

import numpy as np

from ..face_model.eyeball import FULL_GAZE_DEG, eye_centre, pupil_vertex
from ..face_model.model import FaceModel, MeshPart
from ..geometry.camera import PerspectiveCamera

# Landmark in the middle of the iris, by the subject's side.
IRIS_LANDMARKS = {"Right": 468, "Left": 473}
# Above this weight of eyeBlink the iris is covered and its landmark a guess.
MOST_BLINK = 0.6


def aim_eyes(
    model: FaceModel, alpha: np.ndarray, beta: np.ndarray, camera: PerspectiveCamera, mesh_px: np.ndarray
) -> np.ndarray:
    """Expression weights with eyeLook weights that put the pupils on the irises; both eyes look equally high.

    Args:
        model: a model without eye parts or without one of the eyeLook expressions keeps its weights.
        alpha: (K,), beta: (E,) of the fit. camera: of the fit. mesh_px: (478, 3) landmarks.

    Returns:
        (E,) float32 in [0, 1].
    """
    if not can_aim(model, beta):
        return beta
    still = np.where(gaze_of(model), 0, beta).astype(np.float32)
    return aimed(model, model.vertices(alpha, still).astype(np.float64), beta, camera, mesh_px)


def gaze_of(model: FaceModel) -> np.ndarray:
    """(E,) bool: the eyeLook expressions."""
    return np.array([name.startswith("eyeLook") for name in model.expression_names])


def can_aim(model: FaceModel, beta: np.ndarray) -> bool:
    """Whether the model has eyes that can be aimed, and (E,) weights leave them open."""
    weight = dict(zip(model.expression_names, beta.tolist(), strict=True))
    sides = [side for side in IRIS_LANDMARKS if side.lower() in model.eyes]
    covered = any(weight.get(f"eyeBlink{side}", 0.0) > MOST_BLINK for side in sides)
    return gaze_of(model).sum() == 8 and len(sides) == 2 and not covered


def aimed(
    model: FaceModel, still: np.ndarray, beta: np.ndarray, camera: PerspectiveCamera, mesh_px: np.ndarray
) -> np.ndarray:
    """:func:`aim_eyes` for a model whose eyes :func:`can_aim`.

    Args:
        still: (V, 3) float64 mm with the eyes looking straight ahead; those of the eyes alone count.
    """
    weight = dict(zip(model.expression_names, beta.tolist(), strict=True))
    turns = {
        side: _turn_deg(model.eyes[side.lower()], still, camera, mesh_px[at, :2]) for side, at in IRIS_LANDMARKS.items()
    }
    up = np.mean([turn[1] for turn in turns.values()]) / FULL_GAZE_DEG
    for side in IRIS_LANDMARKS:
        outwards = turns[side][0] / FULL_GAZE_DEG * (1 if side == "Left" else -1)
        weight |= {
            f"eyeLookUp{side}": max(up, 0.0), f"eyeLookDown{side}": max(-up, 0.0),
            f"eyeLookOut{side}": max(outwards, 0.0), f"eyeLookIn{side}": max(-outwards, 0.0),
        }  # fmt: skip
    return np.clip([weight[name] for name in model.expression_names], 0, 1).astype(np.float32)


def _turn_deg(
    part: MeshPart, vertices: np.ndarray, camera: PerspectiveCamera, iris_px: np.ndarray
) -> tuple[float, float]:
    """Degrees to turn an eye towards the subject's left and upwards, so that its pupil is seen at ``iris_px``."""
    eye = part.of(vertices)
    center = eye_centre(eye)
    pupil = eye[pupil_vertex(part, eye)] - center
    ray = np.append((iris_px - camera.center_px) / camera.focal_px, 1.0) @ camera.rotation
    ray /= np.linalg.norm(ray)
    start = camera.position() - center
    along = -start @ ray
    inside = max(pupil @ pupil - (start @ start - along**2), 0.0)
    seen = start + (along - np.sqrt(inside)) * ray
    return (
        float(np.degrees(np.arctan2(seen[0], seen[2]) - np.arctan2(pupil[0], pupil[2]))),
        float(np.degrees(_elevation(seen) - _elevation(pupil))),
    )


def _elevation(direction: np.ndarray) -> float:
    return float(np.arctan2(direction[1], np.hypot(direction[0], direction[2])))
