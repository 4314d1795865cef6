# SPDX-License-Identifier: GPL-3.0-or-later
"""Random expressions of any face model: plausible activations of blendshapes, or normal coefficients of a PCA basis."""

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from scripts.training.heads.samples import random_expression

PCA_LIMIT = 3.0
# Shares: near neutral, an emotion's muscles together, and any few muscles.
_CALM, _EMOTION = 0.1, 0.5

# The muscles of the basic emotions (Ekman and Friesen's EMFACS) as ARKit blendshapes: how strong each may get, and how
# often it takes part.
_PROTOTYPES = {
    "happy": {
        "mouthSmile": (1.0, 1.0), "cheekSquint": (0.9, 0.8), "eyeSquint": (0.6, 0.5), "mouthUpperUp": (0.5, 0.5),
        "mouthDimple": (0.6, 0.4), "jawOpen": (0.6, 0.5), "mouthLowerDown": (0.4, 0.3), "browOuterUp": (0.3, 0.2),
    },
    "sad": {
        "browInnerUp": (1.0, 0.8), "mouthFrown": (1.0, 0.9), "mouthShrugLower": (0.7, 0.5), "browDown": (0.4, 0.4),
        "eyeSquint": (0.5, 0.5), "mouthPucker": (0.3, 0.2), "eyeBlink": (0.3, 0.3), "mouthPress": (0.4, 0.3),
    },
    "surprise": {
        "browInnerUp": (1.0, 0.9), "browOuterUp": (1.0, 0.9), "eyeWide": (1.0, 0.8), "jawOpen": (1.0, 0.8),
        "mouthFunnel": (0.4, 0.3), "mouthPucker": (0.3, 0.2),
    },
    "fear": {
        "browInnerUp": (1.0, 0.8), "browOuterUp": (0.7, 0.6), "browDown": (0.5, 0.5), "eyeWide": (1.0, 0.8),
        "mouthStretch": (1.0, 0.7), "jawOpen": (0.7, 0.6), "mouthLowerDown": (0.6, 0.5), "mouthFrown": (0.4, 0.3),
    },
    "angry": {
        "browDown": (1.0, 1.0), "noseSneer": (0.8, 0.5), "eyeSquint": (0.7, 0.6), "mouthPress": (0.8, 0.5),
        "mouthFrown": (0.6, 0.5), "jawForward": (0.4, 0.3), "mouthUpperUp": (0.6, 0.3), "mouthLowerDown": (0.7, 0.3),
        "jawOpen": (0.7, 0.3), "mouthRollLower": (0.4, 0.2), "eyeWide": (0.5, 0.2),
    },
    "disgust": {
        "noseSneer": (1.0, 1.0), "mouthUpperUp": (1.0, 0.8), "browDown": (0.8, 0.7), "cheekSquint": (0.8, 0.6),
        "mouthFrown": (0.6, 0.4), "mouthLowerDown": (0.6, 0.3), "eyeSquint": (0.8, 0.6), "mouthShrugUpper": (0.5, 0.4),
        "jawOpen": (0.4, 0.2),
    },
}  # fmt: skip


def sample_expressions(rng: np.random.Generator, model: FaceModel, count: int) -> np.ndarray:
    """(count, E) float32 random expressions.

    Blendshapes with ARKit's names are sparse, in [0, 1] and alike left and right; other bases get independent normal
    coefficients within ±3.
    """
    if not any(name.startswith("mouthSmile") for name in model.expression_names):
        normal = rng.standard_normal((count, len(model.expression_names)))
        return normal.clip(-PCA_LIMIT, PCA_LIMIT).astype(np.float32)
    return np.stack([_blendshapes(rng, model) for _ in range(count)])


def _blendshapes(rng: np.random.Generator, model: FaceModel) -> np.ndarray:
    kind = rng.random()
    if kind < _CALM:
        return random_expression(rng, model) * np.float32(0.15 * rng.random())
    if kind >= _CALM + _EMOTION:
        return random_expression(rng, model)
    return _emotion(rng, model)


def _emotion(rng: np.random.Generator, model: FaceModel) -> np.ndarray:
    """One emotion's muscles, at a common strength with variation, over half of another random expression."""
    prototype = _PROTOTYPES[list(_PROTOTYPES)[rng.integers(len(_PROTOTYPES))]]
    strength = rng.beta(2.0, 1.5)
    beta = dict(zip(model.expression_names, random_expression(rng, model) * (rng.random() < 0.5) * 0.5, strict=True))
    for stem, (limit, share) in prototype.items():
        if rng.random() > share:
            continue
        value = limit * strength * rng.uniform(0.4, 1.0)
        lean = rng.normal() * 0.12 if rng.random() < 0.7 else rng.uniform(-0.6, 0.6)
        for side, factor in (("", 1.0), ("Left", 1 + lean), ("Right", 1 - lean)):
            if stem + side in beta:
                beta[stem + side] = float(np.clip(value * factor, 0, 1))
    return np.array([beta[name] for name in model.expression_names], np.float32)
