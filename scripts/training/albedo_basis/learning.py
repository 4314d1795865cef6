# SPDX-License-Identifier: GPL-3.0-or-later
"""A linear model of log albedo: tone, and patterns by probabilistic PCA with missing values.

log albedo of person i at texel n = m(n) + tᵢ − t̄ + Σ γₖ eₖ(n). The patterns e come from all people, relative to their
own tone tᵢ; mean and spread of t from those whose tone is known. That patterns go with tone, in their mean, was tried:
people who were not learned were predicted no better, and painted heads' light worse.
"""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.rendering.harmonics import evaluate
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.uv.types import Atlas
from scripts.training.albedo_basis.people import Person
from scripts.training.delit_skins.store import LEAST
from scripts.training.delit_skins.studio_portraits import BANDS, PLAIN

ROUNDS = 4
NOISE = 0.06  # standard deviation of a texel's logarithm of a portrait around the model, while it is being learned
CONFIDENT = 0.5
STUBBLE = 0.15  # log luminance by which skin may leave the pattern before it counts less
SHADING_RANGE = (-0.6, 0.4)  # log luminance, at most taken off the mean
TONES = 3  # modes of tone, the first of the basis
_INDEPENDENT = 1500  # texels; neighbours tell nearly the same


@dataclass(frozen=True)
class Learned:
    """A linear model of the logarithms of N texels.

    Attributes:
        mean: (3N,). modes: (G, 3N) per σ, those of tone first.
    """

    mean: np.ndarray
    modes: np.ndarray

    def gamma(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(G,) maximum a posteriori of one person. values: (3N,). weights: (3N,) of squared differences."""
        weighted = self.modes * weights
        return np.linalg.solve(weighted @ self.modes.T + np.eye(len(self.modes)), weighted @ (values - self.mean))

    def colours(self, gamma: np.ndarray) -> np.ndarray:
        return self.mean + gamma @ self.modes


@dataclass(frozen=True)
class Rows:
    """P people and their mirror images (the canonical UV is symmetric) at N texels.

    Attributes:
        values: (2P, 3N) float32 log albedo. weights: (2P, 3N) float32 in [0, 1]. tones: (2P, 3) as seen.
        trust, tone_trust: (2P,), mean 1; the latter 0 of those whose tone is not known.
    """

    values: np.ndarray
    weights: np.ndarray
    tones: np.ndarray
    trust: np.ndarray
    tone_trust: np.ndarray


def rows_of(people: list[Person], stored: np.ndarray) -> Rows:
    """People as rows.

    Args:
        stored: (S, S) bool, the N texels.
    """
    maps = [person.log_albedo for person in people] + [person.log_albedo[:, ::-1] for person in people]
    weights = [person.weight for person in people] + [person.weight[:, ::-1] for person in people]
    return Rows(
        np.maximum(np.array([image[stored].ravel() for image in maps], np.float32), np.log(LEAST)),
        np.repeat(np.array([image[stored] for image in weights], np.float32), 3, axis=1),
        np.array([person.tone for person in people] * 2, np.float64),
        np.array([person.trust for person in people] * 2),
        np.array([person.tone_trust for person in people] * 2),
    )


def learn(rows: Rows, modes: int) -> Learned:
    """Tone, and patterns by expectation maximisation."""
    relative = rows.values - np.tile(rows.tones, rows.values.shape[1] // 3).astype(np.float32)
    centre = np.average(rows.tones, axis=0, weights=rows.tone_trust)
    spread = np.cov(rows.tones.T, aweights=rows.tone_trust)
    power, axes = np.linalg.eigh(spread)
    steps = (axes * np.sqrt(power))[:, ::-1].T  # (3, 3), a tone's standard deviations
    steps *= np.where(steps @ LUMINANCE < 0, -1, 1)[:, None]  # upwards is lighter
    precision = rows.weights / NOISE**2 / _oversampling(rows.weights)
    filled = _first_guess(relative, rows.weights)
    for _ in range(ROUNDS):
        mean = np.average(filled, axis=0, weights=rows.trust).astype(np.float32)
        basis = _components(filled - mean, rows.trust, modes - TONES)
        filled = _filled(relative, rows.weights, precision, Learned(mean, basis))
    of_tone = np.tile(steps, len(mean) // 3)
    flat = np.tile(centre, len(mean) // 3)
    return Learned((flat + mean).astype(np.float32), np.concatenate([of_tone, basis]).astype(np.float32))


def without_shading(learned: Learned, patterns: np.ndarray, plain: np.ndarray) -> Learned:
    """The same model without what looks like light.

    Luminance that goes with the normals of plain skin could be skin or what is left of the light; no portrait tells. A
    basis that could draw it would take light for skin in other photos, so it is given to the light: by least squares
    for the modes, robustly for the mean, where stubble is no light.

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


def at_texels(learned: Learned, stored: np.ndarray, some: np.ndarray) -> Learned:
    """The model of fewer texels; ``stored``: (S, S) bool, those it has. ``some``: (S, S) bool, of these."""
    chosen = np.repeat(some[stored], 3)
    return Learned(learned.mean[chosen], np.ascontiguousarray(learned.modes[:, chosen]))


def as_map(row: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """(3N,) of the stored texels to (S, S, 3) float32."""
    image = np.zeros((*stored.shape, 3), np.float32)
    image[stored] = row.reshape(-1, 3)
    return image


def tint(value: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(3,) logarithm of a person's colour relative to the mean."""
    sure = weight.reshape(-1, 3)[:, 0] > CONFIDENT
    return np.median((value - mean).reshape(-1, 3)[sure], axis=0)


def _components(apart: np.ndarray, trust: np.ndarray, count: int) -> np.ndarray:
    """(count, 3N) float32 modes, each as long as one standard deviation, the strongest first."""
    centred = apart * np.sqrt(trust)[:, None].astype(np.float32)
    power, vectors = np.linalg.eigh((centred @ centred.T / len(centred)).astype(np.float64))
    order = np.argsort(power)[::-1][:count]
    return ((vectors[:, order].T.astype(np.float32) @ centred) / np.sqrt(len(centred))).astype(np.float32)


def _filled(relative: np.ndarray, weights: np.ndarray, precision: np.ndarray, learned: Learned) -> np.ndarray:
    """(2P, 3N) patterns whose missing texels are the model's."""
    out = np.empty_like(relative)
    for row in range(len(out)):
        model = learned.colours(learned.gamma(relative[row], precision[row]).astype(np.float32))
        out[row] = weights[row] * relative[row] + (1 - weights[row]) * model
    return out


def _first_guess(relative: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Missing texels get the mean of those who show them."""
    mean = (relative * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-3)
    return weights * relative + (1 - weights) * mean


def _oversampling(weights: np.ndarray) -> float:
    """How many texels make one independent measurement."""
    return max(1.0, weights.shape[1] / 3 / _INDEPENDENT)
