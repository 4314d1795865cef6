# SPDX-License-Identifier: GPL-3.0-or-later
"""Random identities, expressions and views."""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.geometry.camera import PerspectiveCamera


@dataclass(frozen=True)
class PoseRange:
    """Limits of the random views: degrees, mm from the camera to the head, and the shares of special cases."""

    yaw_deg: float = 45.0
    pitch_deg: float = 20.0
    roll_deg: float = 15.0
    near_mm: float = 450.0
    far_mm: float = 2500.0
    neutral_share: float = 0.3


@dataclass(frozen=True)
class HeadSample:
    """One synthetic head: coefficients and camera.

    Attributes:
        alpha: (K,) float32 σ units. beta: (E,) float32 in [0, 1].
        yaw_deg, pitch_deg: pose; yaw positive to the subject's own left, pitch positive downwards.
        camera: what the picture is taken with.
    """

    alpha: np.ndarray
    beta: np.ndarray
    yaw_deg: float
    pitch_deg: float
    camera: PerspectiveCamera


def sample_head(
    rng: np.random.Generator,
    model: FaceModel,
    size: int = 256,
    pose: PoseRange = PoseRange(),
    yaw_deg: float | None = None,
) -> HeadSample:
    """A random identity, expression and view.

    Args:
        rng: all randomness comes from here. size: side of the square picture in px.
        pose: limits. yaw_deg: fixes the yaw (and keeps pitch and roll small), for the benchmark.
    """
    alpha = rng.standard_normal(len(model.identity_basis)).clip(-3, 3).astype(np.float32)
    neutral = rng.random() < pose.neutral_share
    beta = np.zeros(len(model.expression_names), np.float32) if neutral else random_expression(rng, model)
    if yaw_deg is None:
        yaw = pose.yaw_deg * (rng.beta(1.6, 1.6) * 2 - 1)
        pitch, roll = (limit * rng.normal() * 0.45 for limit in (pose.pitch_deg, pose.roll_deg))
    else:
        yaw, pitch, roll = yaw_deg, 3 * rng.normal(), 3 * rng.normal()
    distance = np.exp(rng.uniform(np.log(pose.near_mm), np.log(pose.far_mm)))
    rotation = np.diag([1.0, -1.0, -1.0]) @ head_rotation(yaw, pitch, roll)
    marks = model.landmarks68.points(model.mean)
    height = np.linalg.norm(marks[8] - marks[27]) * rng.uniform(1.9, 2.6)
    focal = size * distance / height
    center = (marks[8] + marks[27]) / 2 + rng.normal(size=3) * 6
    translation = np.array([0, 0, distance]) - rotation @ center
    camera = PerspectiveCamera(rotation, translation, float(focal), np.array([size / 2, size / 2]), (size, size))
    return HeadSample(alpha, beta, float(yaw), float(pitch), camera)


def head_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """(3, 3) turn of the head: roll after pitch after yaw, degrees."""
    y, p, r = np.radians([yaw_deg, pitch_deg, roll_deg])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def random_expression(rng: np.random.Generator, model: FaceModel) -> np.ndarray:
    """(E,) float32: a few muscles at once, left and right mostly together, gaze and blink."""
    names = model.expression_names
    beta = dict.fromkeys(names, 0.0)

    def pick(stems: tuple[str, ...], count: int, limit: float):
        for stem in rng.choice(stems, count, replace=False):
            value = limit * rng.beta(1.2, 1.8)
            for side in ("", "Left", "Right"):
                if stem + side in beta:
                    beta[stem + side] = max(beta[stem + side], value * rng.choice([1, 1, 1, rng.random()]))

    pick(("browDown", "browInnerUp", "browOuterUp"), rng.integers(0, 3), 1.0)
    pick(("cheekPuff", "cheekSquint", "noseSneer"), rng.integers(0, 2), 0.8)
    pick(("eyeBlink", "eyeSquint", "eyeWide"), rng.integers(0, 2), 0.8)
    pick(("jawOpen", "jawForward", "jawLeft", "jawRight"), rng.integers(0, 2), 0.8)
    if rng.random() < 0.3:
        pick(("jawOpen",), 1, 0.9)
    if rng.random() < 0.4:
        pick(("mouthSmile",), 1, 1.0)
    others = tuple(sorted({n.removesuffix("Left").removesuffix("Right") for n in names if n.startswith("mouth")}))
    pick(others, rng.integers(0, 4), 0.8)
    if rng.random() < 0.6:
        sideways, upwards = rng.uniform(-0.7, 0.7), rng.uniform(-0.5, 0.5)
        gaze = {
            **dict.fromkeys(("eyeLookOutLeft", "eyeLookInRight"), sideways),
            **dict.fromkeys(("eyeLookInLeft", "eyeLookOutRight"), -sideways),
            **dict.fromkeys(("eyeLookUpLeft", "eyeLookUpRight"), upwards),
            **dict.fromkeys(("eyeLookDownLeft", "eyeLookDownRight"), -upwards),
        }
        beta.update({name: max(value, 0.0) for name, value in gaze.items() if name in beta})
    return np.array([beta[name] for name in names], np.float32)
