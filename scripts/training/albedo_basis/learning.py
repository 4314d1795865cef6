# SPDX-License-Identifier: GPL-3.0-or-later
"""A linear model of log albedo: probabilistic PCA with missing values, and what of it could be light."""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.rendering.harmonics import evaluate
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.uv.types import Atlas
from scripts.training.delit_skins.studio_portraits import BANDS, PLAIN
from scripts.training.delit_skins.studio_skins import PortraitSkin

ROUNDS = 8
NOISE = 0.06  # standard deviation of a texel's logarithm of a portrait around the model, while it is being learned
CONFIDENT = 0.5
STUBBLE = 0.15  # log luminance by which skin may leave the pattern before it counts less
SHADING_RANGE = (-0.6, 0.4)  # log luminance, at most taken off the mean
LEAST = 0.004  # albedo; unseen texels hold nothing


@dataclass(frozen=True)
class Learned:
    """A linear model of the logarithms of N texels.

    Attributes:
        mean: (3N,). modes: (G, 3N) per σ.
    """

    mean: np.ndarray
    modes: np.ndarray

    def gamma(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(G,) maximum a posteriori of one person. values: (3N,). weights: (3N,) of squared differences."""
        weighted = self.modes * weights
        return np.linalg.solve(weighted @ self.modes.T + np.eye(len(self.modes)), weighted @ (values - self.mean))

    def colours(self, gamma: np.ndarray) -> np.ndarray:
        return self.mean + gamma @ self.modes


def learn(skins: list[PortraitSkin], stored: np.ndarray, modes: int) -> Learned:
    """Probabilistic PCA with missing values over people and their mirror images.

    Groups count by the square root of their size, so that the largest does not decide alone what skin looks like.
    """
    values, weights = rows_of(skins, stored)
    sizes = {group: sum(skin.group == group for skin in skins) for group in {skin.group for skin in skins}}
    person = np.array([1 / np.sqrt(sizes[skin.group]) for skin in skins] * 2)
    person /= person.mean()
    filled = _first_guess(values, weights)
    learned = None
    for _ in range(ROUNDS):
        mean = np.average(filled, axis=0, weights=person)
        centred = (filled - mean) * np.sqrt(person)[:, None]
        power, vectors = np.linalg.eigh(centred @ centred.T / len(centred))
        order = np.argsort(power)[::-1][:modes]
        # Left vectors to modes: each has the length of one standard deviation.
        basis = (vectors[:, order].T @ centred) / np.sqrt(len(centred))
        learned = Learned(mean, basis.astype(np.float32))
        precision = weights / NOISE**2 / _oversampling(weights)
        model = np.array([learned.colours(learned.gamma(v, p)) for v, p in zip(values, precision, strict=True)])
        filled = weights * values + (1 - weights) * model
    return learned


def without_shading(learned: Learned, patterns: np.ndarray, plain: np.ndarray) -> Learned:
    """The same model without what looks like light.

    Luminance that goes with the normals of plain skin could be skin or what is left of the studio's light; no portrait
    tells. A basis that could draw it would take light for skin in other photos, so it is given to the light: by least
    squares for the modes, robustly for the mean, where stubble is no light.

    Args:
        patterns: (N, 9) spherical harmonics of the texels' normals. plain: (N,) bool, where skin is of one colour.
    """

    def drawn(luminance: np.ndarray, rounds: int) -> np.ndarray:
        weight = np.ones(np.count_nonzero(plain))
        for _ in range(rounds):
            found = np.linalg.lstsq(patterns[plain] * weight[:, None], luminance[plain] * weight, rcond=None)[0]
            weight = 1 / (1 + ((luminance[plain] - patterns[plain] @ found) / STUBBLE) ** 2)
        return patterns[:, 1:] @ found[1:]

    mean = learned.mean.reshape(-1, 3)
    mean = mean - drawn(mean @ LUMINANCE, 10)[:, None].clip(*SHADING_RANGE)
    modes = [mode - drawn(mode @ LUMINANCE, 1)[:, None] for mode in learned.modes.reshape(len(learned.modes), -1, 3)]
    return Learned(mean.ravel().astype(np.float32), np.array(modes, np.float32).reshape(len(modes), -1))


def shading_patterns(model: FaceModel, atlas: Atlas, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 9) spherical harmonics of the mean head's normals, and (N,) plain skin, of the stored texels."""
    normals = vertex_normals(model.skin.of(model.mean), atlas.triangles)
    plain = model.in_region(*PLAIN)
    at = atlas.texels(np.column_stack([normals, plain]).astype(np.float32))[stored[atlas.covered]]
    directions = at[:, :3] / np.maximum(np.linalg.norm(at[:, :3], axis=1, keepdims=True), 1e-6)
    return evaluate(directions, BANDS).astype(np.float64), at[:, 3] > 0.99


def precision_of(weight: np.ndarray) -> np.ndarray:
    """(3N,) of squared differences of one person's texels, from how well they are known."""
    return weight / NOISE**2 / _oversampling(weight[None])


def as_map(row: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """(3N,) of the stored texels to (S, S, 3) float32."""
    image = np.zeros((*stored.shape, 3), np.float32)
    image[stored] = row.reshape(-1, 3)
    return image


def rows_of(skins: list[PortraitSkin], stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2P, 3N) log albedo and weights: people, then their mirror images (the canonical UV is symmetric)."""
    maps = [skin.albedo for skin in skins] + [skin.albedo[:, ::-1] for skin in skins]
    weights = [skin.weight for skin in skins] + [skin.weight[:, ::-1] for skin in skins]
    values = np.log(np.maximum(np.array([image[stored].ravel() for image in maps], np.float32), LEAST))
    return values, np.repeat(np.array([image[stored] for image in weights], np.float32), 3, axis=1)


def _first_guess(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Missing texels get the mean of those who show them, in the person's own tone."""
    mean = (values * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-3)
    out = np.empty_like(values)
    for row, (value, weight) in enumerate(zip(values, weights, strict=True)):
        tinted = (mean.reshape(-1, 3) + tint(value, mean, weight)).ravel()
        out[row] = weight * value + (1 - weight) * tinted
    return out


def tint(value: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(3,) logarithm of a person's colour relative to the mean."""
    sure = weight.reshape(-1, 3)[:, 0] > CONFIDENT
    return np.median((value - mean).reshape(-1, 3)[sure], axis=0)


def _oversampling(weights: np.ndarray) -> float:
    """How many texels make one independent measurement: neighbours tell nearly the same."""
    return max(1.0, weights.shape[1] / 3 / 1500)
