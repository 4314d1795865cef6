# SPDX-License-Identifier: GPL-3.0-or-later
"""Views, lights, looks and picture quality of the fast heads: all that a draw varies besides the face."""

from dataclasses import dataclass

import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_srgb
from facedetail_addon.core.face_model.calibration import LandmarkCalibration, pose_terms
from facedetail_addon.core.face_model.model import FaceModel
from scripts.training.heads.painter import make_painter, random_albedo

SKIN, EYE, SOCKET = 0, 1, 4
MAX_YAW_DEG, MAX_PITCH_DEG, MAX_ROLL_DEG = 30.0, 15.0, 10.0


@dataclass(frozen=True)
class Scenes:
    """B views and lights.

    Attributes:
        yaw_deg, pitch_deg, roll_deg: (B,) pose; yaw positive to the subject's left, pitch positive downwards.
        distance_mm: (B,) from the camera to the head's origin.
        light: (B, 9) irradiance in :func:`sh_basis` of the normal; axes of the picture: x right, y up, z to the viewer.
        look: (B,) int, row of the renderer's looks.
        tone: (B,) linear grey that the face has on average (the exposure follows from it).
        contrast: (B,) factor of the encoded values' distances from the tone.
        resolution_px: (B,) side in px at which the crop was seen before it was scaled up.
        noise: (B,) standard deviation, 1 = white.
        jpeg_quality: (B,) int 1–100, 0 for none.
        background: (B, 3, 3) encoded grey 0–1, smooth between.
        noise_seed: (B,) int64, so that a scene always gives the same bytes.
    """

    yaw_deg: np.ndarray
    pitch_deg: np.ndarray
    roll_deg: np.ndarray
    distance_mm: np.ndarray
    light: np.ndarray
    look: np.ndarray
    tone: np.ndarray
    contrast: np.ndarray
    resolution_px: np.ndarray
    noise: np.ndarray
    jpeg_quality: np.ndarray
    background: np.ndarray
    noise_seed: np.ndarray


def sample_scenes(rng: np.random.Generator, count: int, looks: int) -> Scenes:
    """Random scenes: mostly near frontal, a sky and one to three soft lights, pictures from sharp to poor.

    Args:
        looks: how many looks the renderer has.
    """
    coarse = rng.uniform(0.05, 0.95, (count, 1, 1)) + 0.12 * rng.standard_normal((count, 3, 3))
    poor = rng.random(count) < 0.4
    return Scenes(
        yaw_deg=(MAX_YAW_DEG * 0.4 * rng.standard_normal(count)).clip(-MAX_YAW_DEG, MAX_YAW_DEG),
        pitch_deg=(MAX_PITCH_DEG * 0.45 * rng.standard_normal(count)).clip(-MAX_PITCH_DEG, MAX_PITCH_DEG),
        roll_deg=(MAX_ROLL_DEG * 0.45 * rng.standard_normal(count)).clip(-MAX_ROLL_DEG, MAX_ROLL_DEG),
        distance_mm=np.exp(rng.uniform(np.log(450), np.log(2500), count)),
        light=_random_light(rng, count),
        look=rng.integers(0, looks, count),
        tone=0.24 * np.exp(0.35 * rng.standard_normal(count)),
        contrast=1.15 * np.exp(0.18 * rng.standard_normal(count)),
        resolution_px=np.where(poor, rng.uniform(40, 96, count), 1e4),
        noise=rng.uniform(0, 0.02, count) ** 2 / 0.02 + 0.002,
        jpeg_quality=np.where(rng.random(count) < 0.5, rng.integers(40, 96, count), 0),
        background=coarse.clip(0, 1),
        noise_seed=rng.integers(0, 2**62, count),
    )


def plain_scenes(count: int) -> Scenes:
    """Frontal from one metre in soft light from slightly above, without noise: for comparing faces with each other."""
    zero, one = np.zeros(count), np.ones(count)
    light = 0.55 * lobe(np.array([0.0, 1.0, 0.3]), 0.5) + 0.6 * lobe(np.array([0.0, 0.55, 0.85]), 1.0)
    return Scenes(
        yaw_deg=zero, pitch_deg=zero, roll_deg=zero, distance_mm=1000 * one, light=np.tile(light, (count, 1)),
        look=np.zeros(count, int), tone=0.24 * one, contrast=1.15 * one, resolution_px=1e4 * one, noise=zero,
        jpeg_quality=np.zeros(count, int), background=np.full((count, 3, 3), 0.6), noise_seed=np.zeros(count, np.int64),
    )  # fmt: skip


def sh_basis(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, ...]:
    """The nine real spherical harmonics of order 0 to 2 at unit vectors, orthonormal on the sphere."""
    return (
        np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
        0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y),
    )  # fmt: skip


def lobe(towards: np.ndarray, focus: float | np.ndarray) -> np.ndarray:
    """(..., 9) irradiance of lights from (..., 3) directions; about 1 where the surface faces the light.

    Args:
        focus: (...,) 0 = from everywhere alike, 1 = from one direction (Ramamoorthi and Hanrahan's cosine lobe).
    """
    x, y, z = np.moveaxis(towards / np.linalg.norm(towards, axis=-1, keepdims=True), -1, 0)
    focus = np.asarray(focus)[..., None]
    band = np.concatenate([np.pi * np.ones_like(focus), *[2.0944 * focus] * 3, *[0.7854 * focus**3] * 5], axis=-1)
    return np.stack(sh_basis(x, y, z), axis=-1) * band


def _random_light(rng: np.random.Generator, count: int) -> np.ndarray:
    sky = lobe(rng.normal(size=(count, 3)) * 0.3 + [0, 1, 0.2], rng.uniform(0.1, 0.7, count))
    total = sky * rng.uniform(0.25, 0.8, (count, 1))
    strong_side = rng.random(count) < 0.15
    for number in range(3):
        towards = rng.normal(size=(count, 3)) * [0.7, 0.4, 0.15] + [0, 0.45, 0.9]
        if number == 0:
            side = rng.choice([-1, 1], count)
            sideways = np.stack([side, rng.uniform(0, 0.6, count), rng.uniform(0.1, 0.6, count)], axis=1)
            towards = np.where(strong_side[:, None], sideways, towards)
        present = (number == 0) | (rng.random(count) < 0.4)
        power = rng.uniform(0.2, 1.0, count) * present
        total = total + lobe(towards, rng.uniform(0.6, 1.0, count)) * power[:, None]
    return total


def painted_looks(model: FaceModel, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, V) float32 linear grey albedo of all vertices: random skins, brows, lips, beards, hair and eyes."""
    painter = make_painter(model)
    part = np.zeros(len(model.mean), np.uint8)
    part[painter.triangles.ravel()] = np.repeat(painter.part, 3)
    skin = model.skin.rows
    on_skin = np.where(part[skin] == EYE, EYE, SKIN)  # painted on skin that covers the eyes
    part[skin] = np.where(model.in_region("socket"), SOCKET, on_skin)
    looks = [random_albedo(painter, model.mean, part, rng) @ LUMINANCE for _ in range(count)]
    return np.array(looks, np.float32)


def simulate_landmarks(
    calibration: LandmarkCalibration, alpha: np.ndarray, beta: np.ndarray,
    yaw_deg: np.ndarray, pitch_deg: np.ndarray, rng: np.random.Generator | None,
) -> np.ndarray:  # fmt: skip
    """Landmarks as the landmarker would give them, normalised to the head frame, drawn from the calibration's model.

    Args:
        alpha: (B, K). beta: (B, E). yaw_deg, pitch_deg: (B,). rng: of the landmarker's errors; None for none.

    Returns:
        (B, 478, 3) float64 mm.
    """
    poses = [pose_terms(yaw, pitch) for yaw, pitch in zip(np.radians(yaw_deg), np.radians(pitch_deg), strict=True)]
    coordinates = alpha @ calibration.alpha_response.T.astype(np.float64)
    coordinates += beta @ calibration.beta_response.T.astype(np.float64)
    coordinates += np.array(poses) @ calibration.pose_response.T
    if rng is not None:
        errors = rng.standard_normal(coordinates.shape)
        coordinates += np.linalg.solve(calibration.whitener.astype(np.float64), errors.T).T
    offsets = coordinates @ calibration.directions.T.astype(np.float64)
    return calibration.mean + offsets.reshape(len(offsets), -1, 3)


def develop(linear: np.ndarray, coverage: np.ndarray, scenes: Scenes) -> np.ndarray:
    """Expose, encode and degrade drawn faces.

    Args:
        linear: (B, S, S) float32 linear grey. coverage: (B, S, S) float32, 1 = all head, 0 = all background.

    Returns:
        (B, S, S) uint8, sRGB-encoded.
    """
    mean = (linear * coverage).sum((1, 2)) / np.maximum(coverage.sum((1, 2)), 1e-6)
    face = to_srgb(linear * (scenes.tone / np.maximum(mean, 1e-6))[:, None, None].astype(np.float32))
    middle = to_srgb(scenes.tone.astype(np.float32))[:, None, None]
    face = middle + (face - middle) * scenes.contrast[:, None, None].astype(np.float32)
    pictures = [_degrade(*pair, scenes, index) for index, pair in enumerate(zip(face, coverage, strict=True))]
    return np.array(pictures)


def _degrade(face: np.ndarray, coverage: np.ndarray, scenes: Scenes, index: int) -> np.ndarray:
    size = len(face)
    background = cv2.resize(scenes.background[index].astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    picture = background + (face - background) * coverage
    resolution = int(scenes.resolution_px[index])
    if resolution < size:
        small = cv2.resize(picture, (resolution, resolution), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    if scenes.noise[index] > 0:
        rng = np.random.default_rng(scenes.noise_seed[index])
        picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(scenes.noise[index])
    pixels = (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    quality = int(scenes.jpeg_quality[index])
    if quality:
        _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    return pixels
