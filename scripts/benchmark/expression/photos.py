# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the fitted head show the photo's emotion? Emotion-Net looks at the photo and at a plain render of the head."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from facedetail_addon.core.errors import PhotoError
from facedetail_addon.core.face_model.normalise import normalise_landmarks
from facedetail_addon.core.observe.expression.appearance import CROP
from facedetail_addon.core.observe.expression.emotion_net import EmotionNet, load_emotion_net
from facedetail_addon.core.observe.expression.face_crop import crop_face
from facedetail_addon.core.observe.expression.features import describe_faces
from facedetail_addon.core.observe.expression.types import EMOTIONS
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.settings import LANDMARKS
from scripts.benchmark.expression.measure import Look, Tools, fit_sources, load_tools, see
from scripts.training.fast_heads.renderer import FaceRenderer, make_renderer, render_faces
from scripts.training.fast_heads.scenes import painted_looks, plain_scenes, simulate_landmarks

LOOK_SEED, LOOKS = 73, 4
WILD, ODD, EVEN = "wild", "london smiling, odd", "london smiling, even"


@dataclass(frozen=True)
class PhotoEmotions:
    """Emotions of one photo and of the heads fitted to it.

    Attributes:
        group: :data:`WILD`, :data:`ODD` or :data:`EVEN` (the dictionary's looks come from odd numbers).
        photo: (7,) probabilities. heads: (settings, 7), each the mean over some painted skins.
        look: None without a reader.
    """

    group: str
    photo: np.ndarray
    heads: np.ndarray
    look: Look | None


@dataclass(frozen=True)
class EmotionTools:
    """The fit's tools, and what names the emotion of photos and of heads."""

    tools: Tools
    network: EmotionNet
    renderer: FaceRenderer


@cache
def load_emotion_tools(sources: tuple[str, ...]) -> EmotionTools:
    """With :func:`load_tools` of the same sources."""
    tools = load_tools(sources)
    looks = painted_looks(tools.model, LOOKS, np.random.default_rng(LOOK_SEED))
    return EmotionTools(tools, load_emotion_net(), make_renderer(tools.model, tools.calibration, looks))


def list_photos(data: Path) -> list[tuple[str, Path]]:
    """(group, file) of all photos to measure."""
    wild = [(WILD, path) for path in sorted((data / "wild").glob("*.jpg"))]
    smiling = sorted((data / "london" / "smiling").glob("*.jpg"))
    return wild + [(ODD if int(path.stem) % 2 else EVEN, path) for path in smiling]


def measure_photo(photo: tuple[str, Path], sources: tuple[str, ...]) -> PhotoEmotions | None:
    """Emotions of one photo; None where it cannot be read or shows no face."""
    (group, path), emotions = photo, load_emotion_tools(sources)
    tools = emotions.tools
    try:
        picture = read_photo(path)
    except PhotoError:
        return None
    faces = tools.landmarker.find(picture.pixels)
    if not faces:
        return None
    mesh_px = faces[0].mesh_px
    read = see(tools, picture.pixels, faces[0])
    fits = fit_sources(tools, read, focal_px=picture.focal_px)
    points = normalise_landmarks(mesh_px, tools.calibration.mean, tools.calibration.mean_sigma).points
    (seen,) = describe_faces(emotions.network, crop_face(picture.pixels, mesh_px, CROP)[None], points[None]).emotions
    alpha = np.array([fit.alpha for fit in (*fits.values(), fits[LANDMARKS])])
    beta = np.array([*(fit.pose.beta for fit in fits.values()), np.zeros_like(fits[LANDMARKS].pose.beta)])
    return PhotoEmotions(group, seen, plain_emotions(emotions, alpha, beta), read.look)


def plain_emotions(emotions: EmotionTools, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """(B, 7) emotions of plain renders of B heads, mean over the painted skins.

    Args:
        alpha: (B, K). beta: (B, E).
    """
    alpha, beta = np.repeat(alpha, LOOKS, axis=0), np.repeat(beta, LOOKS, axis=0)
    scenes = replace(plain_scenes(len(alpha)), look=np.arange(len(alpha)) % LOOKS)
    calibration = emotions.tools.calibration
    points = simulate_landmarks(calibration, alpha, beta, scenes.yaw_deg, scenes.pitch_deg, None)
    crops = render_faces(emotions.renderer, alpha, beta, scenes, points, CROP)
    return describe_faces(emotions.network, crops, points).emotions.reshape(-1, LOOKS, len(EMOTIONS)).mean(1)


def agreement(photos: np.ndarray, heads: np.ndarray) -> dict[str, float]:
    """How well (N, 7) probabilities of photos and of heads agree.

    Returns:
        ``top1``, the share with the same likeliest emotion; ``probability``, the mean that a head gives its photo's
        emotion; ``divergence``, the mean Jensen–Shannon divergence in bits.
    """
    likeliest = photos.argmax(1)
    middle = (photos + heads) / 2
    divergence = sum((p * np.log2(np.maximum(p, 1e-12) / np.maximum(middle, 1e-12))).sum(1) for p in (photos, heads))
    return {
        "top1": round(float((heads.argmax(1) == likeliest).mean()), 3),
        "probability": round(float(heads[np.arange(len(heads)), likeliest].mean()), 3),
        "divergence": round(abs(float(divergence.mean())) / 2, 3),
    }
