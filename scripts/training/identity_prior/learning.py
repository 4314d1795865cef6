# SPDX-License-Identifier: GPL-3.0-or-later
"""Expectation and maximisation: heads are fitted under the prior, and the prior is regressed on their α, in turn.

A fit stays near its prior where a photo says little. Where it says something it moves, and the prior of people who look
alike moves after it, so that the noise of single fits averages out and what they have in common comes through.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facedetail_addon.core.fit.dense import DEFAULT_SETTINGS, fit_dense
from facedetail_addon.core.fit.equations import FitSettings
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.identity.prior import IdentityRegression
from scripts.harness import progress
from scripts.training.identity_prior.portraits import SETTINGS, Portrait

LOOSE = FitSettings(identity_weight=1.0, outline_weight=0.1, correspondence_weight=0.01)
"""Fits that follow single photos farther than the product's: what they have in common is not shrunk beforehand."""
COMPONENTS = 24
RIDGE = 20.0  # people; coordinates of fewer say little
ROUNDS = 3  # more find more, and more of what errs alike in all photos of a kind
FOLDS, SEED = 5, 7


def principal_axes(descriptors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(128,) mean, and (COMPONENTS, 128) directions over the first one's σ: later ones vary less, and count less."""
    mean = descriptors.mean(0)
    _, spread, axes = np.linalg.svd(descriptors - mean, full_matrices=False)
    return mean, axes[:COMPONENTS] * np.sqrt(len(descriptors)) / spread[0]


def learn(portraits: Sequence[Portrait], models: Models) -> tuple[IdentityRegression, np.ndarray]:
    """The regression, and (N, K) α of the last fits."""
    descriptors = np.array([portrait.descriptor for portrait in portraits], np.float64)
    mean, axes = principal_axes(descriptors)
    alpha = fitted(portraits, models, None, LOOSE)
    for number in range(ROUNDS):
        regression = regress(descriptors, alpha, mean, axes, models)
        said = cross_validated(descriptors, alpha, mean, axes, models)
        progress(f"round {number + 1}/{ROUNDS}: explains {explained(alpha, said):.3f} of α of people left out")
        alpha = fitted(portraits, models, regression.alpha(descriptors), LOOSE)
    return regress(descriptors, alpha, mean, axes, models), alpha


def fitted(
    portraits: Sequence[Portrait], models: Models, prior: np.ndarray | None, settings: FitSettings = DEFAULT_SETTINGS
) -> np.ndarray:
    """(N, K) α of the fits to the landmarks, under (N, K) means of the prior."""
    how = {"expression": SETTINGS.expression, "prepared": models.prepared, "settings": settings}
    out = []
    for number, portrait in enumerate(portraits):
        mean = None if prior is None else prior[number].astype(np.float32)
        observation = replace(portrait.observation, alpha_prior=mean)
        out.append(fit_dense((observation,), models.model, models.calibration, **how).alpha)
    return np.array(out, np.float64)


def regress(
    descriptors: np.ndarray, alpha: np.ndarray, mean: np.ndarray, axes: np.ndarray, models: Models
) -> IdentityRegression:
    """Ridge regression of (N, K) α on (N, 128) descriptors.

    What all these people have in common beside the mean head is left out: errors of all fits would be in it.
    """
    whole = IdentityRegression(models.model.fingerprint(), mean, axes, np.zeros((len(axes), alpha.shape[1])))
    coordinates = np.column_stack([np.ones(len(alpha)), whole.coordinates(descriptors)])
    ridge = np.diag([1e-3, *[RIDGE] * len(axes)])
    found = np.linalg.solve(coordinates.T @ coordinates + ridge, coordinates.T @ alpha)
    return replace(whole, slopes=found[1:])


def cross_validated(
    descriptors: np.ndarray, alpha: np.ndarray, mean: np.ndarray, axes: np.ndarray, models: Models
) -> np.ndarray:
    """(N, K) what regressions on the other folds say of each."""
    fold = np.random.default_rng(SEED).permutation(len(alpha)) % FOLDS
    out = np.zeros_like(alpha)
    for number in range(FOLDS):
        others = fold != number
        found = regress(descriptors[others], alpha[others], mean, axes, models)
        out[~others] = found.alpha(descriptors[~others])
    return out


def explained(alpha: np.ndarray, said: np.ndarray) -> float:
    """Share of the variance of (N, K) α, each about its mean."""
    centred = alpha - alpha.mean(0)
    return float(1 - ((centred - (said - said.mean(0))) ** 2).sum() / (centred**2).sum())
