# SPDX-License-Identifier: GPL-3.0-or-later
"""How near a model comes to people who were not learned: what it fits, and what it predicts of skin it has not seen."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from facedetail_addon.core.colour import LUMINANCE, to_srgb, to_srgb8
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.uv.types import Atlas
from scripts.training.albedo_basis.learning import CONFIDENT, Learned, Rows, as_map, precision_of, rows_of, tint
from scripts.training.albedo_basis.people import CLASSES, TONE_IS_KNOWN, Person

_EYES, _BROWS = slice(36, 48), slice(17, 27)
_BAND_MM = 8.0  # above the brows and below the lids
_LEAST_TEXELS = 100  # that are seen and asked for


@dataclass(frozen=True)
class Hidden:
    """What is hidden in a trial, (N,) bool of the stored texels; ``everything`` asks for all that was seen."""

    name: str
    texels: np.ndarray


def hidden_parts(model: FaceModel, atlas: Atlas, stored: np.ndarray) -> list[Hidden]:
    """Nothing, the left half, and the band of eyes and brows."""
    rest = model.skin.of(model.mean)
    at = atlas.texels(rest.astype(np.float32))[stored[atlas.covered]]
    marks = model.landmarks68.points(model.mean)
    top, low = marks[_BROWS, 1].max() + _BAND_MM, marks[_EYES, 1].min() - _BAND_MM
    nothing = np.zeros(len(at), bool)
    return [
        Hidden("fit", nothing),
        Hidden("left half", at[:, 0] > 0),
        Hidden("eyes", (at[:, 1] < top) & (at[:, 1] > low)),
    ]


def evaluate_on(
    people: list[Person], learned: Learned, stored: np.ndarray, parts: list[Hidden]
) -> dict[str, dict[str, float]]:
    """ΔE (CIEDE2000) by part and tone class, means over people; and of simpler models where nothing is hidden.

    Returns:
        By part: by tone class, ``all`` (their mean) and ``gap`` (largest over smallest, less 1).
    """
    rows = rows_of(people, stored)
    trials = {part.name: _by_class(people, rows, learned, part) for part in parts}
    few = Learned(learned.mean, learned.modes[:10])
    trials["fit, 10 modes"] = _by_class(people, rows, few, parts[0])
    trials["own tone"] = _by_class(people, rows, None, parts[0], learned.mean)
    return trials


def _by_class(
    people: list[Person], rows: Rows, learned: Learned | None, part: Hidden, mean: np.ndarray | None = None
) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in CLASSES}
    for index, person in enumerate(people):
        value, weight = rows.values[index], rows.weights[index]
        shown = weight * np.repeat(~part.texels, 3)
        asked = weight[::3] > CONFIDENT
        asked &= part.texels | (not part.texels.any())
        if asked.sum() < _LEAST_TEXELS or (shown[::3] > CONFIDENT).sum() < _LEAST_TEXELS:
            continue
        if learned is None:
            guess = (mean.reshape(-1, 3) + tint(value, mean, shown)).ravel()
        else:
            guess = learned.colours(learned.gamma(value, precision_of(shown)))
        found[person.tone_class].append(_difference(guess, value, asked))
    out = {name: float(np.mean(values)) for name, values in found.items() if values}
    errors = list(out.values())
    return out | {"all": float(np.mean(errors)), "gap": max(errors) / min(errors) - 1}


def _difference(guess: np.ndarray, truth: np.ndarray, asked: np.ndarray) -> float:
    lab = [rgb2lab(to_srgb(np.exp(values.reshape(-1, 3)[asked]))) for values in (guess, truth)]
    return float(deltaE_ciede2000(*lab).mean())


def left_over(people: list[Person], learned: Learned, stored: np.ndarray) -> np.ndarray:
    """(S, S) relative standard deviation of people around their own model, smooth and symmetric."""
    rows = rows_of(people, stored)
    squares, total = 0.0, 1e-6
    for value, weight, trust in zip(rows.values, rows.weights, rows.trust, strict=True):
        model = learned.colours(learned.gamma(value, precision_of(weight)))
        off = ((value - model).reshape(-1, 3) @ LUMINANCE) ** 2
        sure = trust * weight[::3]
        squares, total = squares + sure * off.clip(0, 1), total + sure
    image = np.zeros(stored.shape, np.float32)
    image[stored] = np.sqrt(squares / total)
    soft = cv2.GaussianBlur(image, (0, 0), 1.5) / np.maximum(
        cv2.GaussianBlur(stored.astype(np.float32), (0, 0), 1.5), 1e-3
    )
    return np.where(stored, soft, 0).astype(np.float32)


def reach(people: list[Person], learned: Learned, stored: np.ndarray) -> np.ndarray:
    """(2, G) lowest and highest γ of those of these people whose tone is known."""
    rows = rows_of([person for person in people if person.source in TONE_IS_KNOWN], stored)
    gammas = [learned.gamma(v, precision_of(w)) for v, w in zip(rows.values, rows.weights, strict=True)]
    return np.array([np.min(gammas, axis=0), np.max(gammas, axis=0)])


def write_pictures(folder: Path, people: list[Person], learned: Learned, stored: np.ndarray) -> None:
    """The mean, the first modes at ±2 σ, and people beside their models."""
    folder.mkdir(parents=True, exist_ok=True)
    mean = as_map(np.exp(learned.mean), stored)
    modes = [
        np.concatenate([as_map(np.exp(learned.mean + s * mode), stored) for s in (-2, 2)]) for mode in learned.modes[:9]
    ]
    sheet = np.concatenate([np.concatenate([mean, mean]), *modes], axis=1)
    cv2.imwrite(str(folder / "modes.png"), to_srgb8(sheet)[..., ::-1])
    columns = []
    for person in people[:: max(1, len(people) // 10)]:
        rows = rows_of([person], stored)
        fitted = learned.colours(learned.gamma(rows.values[0], precision_of(rows.weights[0])))
        seen = np.exp(person.log_albedo) * (person.weight[..., None] > 0.1)
        columns.append(np.concatenate([seen, as_map(np.exp(fitted), stored)]))
    cv2.imwrite(str(folder / "people.png"), to_srgb8(np.concatenate(columns, axis=1))[..., ::-1])
