# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the model comes to people: those who were not learned, and what is left over of all."""

from pathlib import Path

import cv2
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from facedetail_addon.core.colour import LUMINANCE, to_srgb, to_srgb8
from scripts.training.albedo_basis.learning import CONFIDENT, Learned, as_map, precision_of, rows_of, tint
from scripts.training.delit_skins.studio_skins import PortraitSkin


def evaluate_on(skins: list[PortraitSkin], learned: Learned, stored: np.ndarray) -> dict[str, float]:
    """ΔE (CIEDE2000) of people who were not learned, where they were seen, against simpler models."""
    mean = learned.mean
    scores: dict[str, list[float]] = {"mean": [], "own tone": [], "10 modes": [], "all modes": []}
    for value, weight in list(zip(*rows_of(skins, stored), strict=True))[: len(skins)]:
        precision = precision_of(weight)
        few = Learned(mean, learned.modes[:10])
        guesses = {
            "mean": mean,
            "own tone": (mean.reshape(-1, 3) + tint(value, mean, weight)).ravel(),
            "10 modes": few.colours(few.gamma(value, precision)),
            "all modes": learned.colours(learned.gamma(value, precision)),
        }
        for name, guess in guesses.items():
            scores[name].append(_difference(guess, value, weight))
    return {name: float(np.mean(found)) for name, found in scores.items()} | {"held_out": len(skins)}


def _difference(guess: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    sure = weight.reshape(-1, 3)[:, 0] > CONFIDENT
    lab = [rgb2lab(to_srgb(np.exp(values.reshape(-1, 3)[sure]))) for values in (guess, truth)]
    return float(deltaE_ciede2000(*lab).mean())


def left_over(skins: list[PortraitSkin], learned: Learned, stored: np.ndarray) -> np.ndarray:
    """(S, S) relative standard deviation of people around their own model, smooth and symmetric."""
    values, weights = rows_of(skins, stored)
    squares, total = 0.0, 1e-6
    for value, weight in zip(values, weights, strict=True):
        precision = precision_of(weight)
        model = learned.colours(learned.gamma(value, precision))
        off = ((value - model).reshape(-1, 3) @ LUMINANCE) ** 2
        sure = weight.reshape(-1, 3)[:, 0]
        squares, total = squares + sure * off.clip(0, 1), total + sure
    image = np.zeros(stored.shape, np.float32)
    image[stored] = np.sqrt(squares / total)
    soft = cv2.GaussianBlur(image, (0, 0), 1.5) / np.maximum(
        cv2.GaussianBlur(stored.astype(np.float32), (0, 0), 1.5), 1e-3
    )
    return np.where(stored, soft, 0).astype(np.float32)


def reach(skins: list[PortraitSkin], learned: Learned, stored: np.ndarray) -> np.ndarray:
    """(2, G) lowest and highest γ of these people."""
    gammas = []
    for value, weight in zip(*rows_of(skins, stored), strict=True):
        gammas.append(learned.gamma(value, precision_of(weight)))
    return np.array([np.min(gammas, axis=0), np.max(gammas, axis=0)])


def write_pictures(folder: Path, skins: list[PortraitSkin], learned: Learned, stored: np.ndarray) -> None:
    """The mean, the first modes at ±2 σ, and people beside their models."""
    folder.mkdir(parents=True, exist_ok=True)
    mean = as_map(np.exp(learned.mean), stored)
    modes = [
        np.concatenate([as_map(np.exp(learned.mean + s * mode), stored) for s in (-2, 2)]) for mode in learned.modes[:7]
    ]
    sheet = np.concatenate([np.concatenate([mean, mean]), *modes], axis=1)
    cv2.imwrite(str(folder / "modes.png"), to_srgb8(sheet)[..., ::-1])
    columns = []
    for skin in skins[::10]:
        value, weight = (rows[0] for rows in rows_of([skin], stored))
        precision = precision_of(weight)
        fitted = as_map(np.exp(learned.colours(learned.gamma(value, precision))), stored)
        columns.append(np.concatenate([skin.albedo * (skin.weight[..., None] > 0.1), fitted]))
    cv2.imwrite(str(folder / "people.png"), to_srgb8(np.concatenate(columns, axis=1))[..., ::-1])
