# SPDX-License-Identifier: GPL-3.0-or-later
"""Expectation and maximisation: heads are fitted under the prior, and the prior is regressed on their α, in turn.

A fit stays near its prior where a photo says little. Where it says something it moves, and the prior of people who look
alike moves after it, so that the noise of single fits averages out and what they have in common comes through. What
those who smile have in common is no shape of heads, and kept apart.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facedetail_addon.core.fit.dense import DEFAULT_SETTINGS, fit_dense
from facedetail_addon.core.fit.equations import FitSettings
from facedetail_addon.core.fit.fitted_model import smile_of
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.identity.prior import IdentityRegression
from scripts.harness import progress
from scripts.training.identity_prior.portraits import SETTINGS, Portrait

LOOSE = FitSettings(identity_weight=1.0, outline_weight=0.1, correspondence_weight=0.01)
"""Fits that follow single photos farther than the product's: what they have in common is not shrunk beforehand."""
COMPONENTS = 24
RIDGE = 20.0  # people; coordinates of fewer say little
SMILE_RIDGE = 2.0  # people who smile in full
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
    nothing = np.zeros((len(axes), len(models.model.identity_basis)))
    regression, said = IdentityRegression(models.model.fingerprint(), mean, axes, nothing, nothing[0]), None
    for number in range(ROUNDS):
        alpha, smiling = fitted(portraits, models, said, LOOSE)
        told = cross_validated(descriptors, alpha, smiling, regression)
        progress(f"round {number + 1}/{ROUNDS}: explains {explained(alpha, told):.3f} of α of people left out")
        regression = regress(descriptors, alpha, smiling, regression)
        said = regression.alpha(descriptors)
    alpha, smiling = fitted(portraits, models, said, LOOSE)
    regression = regress(descriptors, alpha, smiling, regression)
    # What smiles are taken for depends on how freely heads are fitted.
    alpha, smiling = fitted(portraits, models, regression.alpha(descriptors), DEFAULT_SETTINGS)
    return replace(regression, smile=regress(descriptors, alpha, smiling, regression).smile), alpha


def fitted(
    portraits: Sequence[Portrait], models: Models, prior: np.ndarray | None, settings: FitSettings = DEFAULT_SETTINGS
) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) α of the heads as they are shown, fitted to the landmarks under (N, K) means of the prior, and (N,) how
    much they smile, 0 to 1."""
    names = models.model.expression_names
    how = {"expression": SETTINGS.expression, "prepared": models.prepared, "settings": settings}
    alpha, smiling = [], []
    for number, portrait in enumerate(portraits):
        mean = None if prior is None else prior[number].astype(np.float32)
        observation = replace(portrait.observation, alpha_prior=mean)
        head = fit_dense((observation,), models.model, models.calibration, **how)
        alpha.append(head.alpha_shown)
        smiling.append(smile_of(names, [head.pose.beta]))
    return np.array(alpha, np.float64), np.array(smiling, np.float64)


def at_rest(portraits: Sequence[Portrait], models: Models, prior: np.ndarray | None) -> np.ndarray:
    """(N, K) α of the product's heads at rest, by the landmarks alone, under (N, K) means of the prior."""
    shown, smiling = fitted(portraits, models, prior)
    return shown - smiling[:, None] * models.prepared.smile


def regress(
    descriptors: np.ndarray, alpha: np.ndarray, smiling: np.ndarray, known: IdentityRegression
) -> IdentityRegression:
    """Ridge regression of (N, K) α on the coordinates of (N, 128) descriptors and (N,) smiles.

    What all these people have in common beside the mean head is left out: errors of all fits would be in it.
    """
    coordinates = np.column_stack([np.ones(len(alpha)), smiling, known.coordinates(descriptors)])
    ridge = np.diag([1e-3, SMILE_RIDGE, *[RIDGE] * len(known.axes)])
    found = np.linalg.solve(coordinates.T @ coordinates + ridge, coordinates.T @ alpha)
    return replace(known, slopes=found[2:], smile=found[1])


def cross_validated(
    descriptors: np.ndarray, alpha: np.ndarray, smiling: np.ndarray, known: IdentityRegression
) -> np.ndarray:
    """(N, K) what regressions on the other folds say of each."""
    fold = np.random.default_rng(SEED).permutation(len(alpha)) % FOLDS
    out = np.zeros_like(alpha)
    for number in range(FOLDS):
        others = fold != number
        found = regress(descriptors[others], alpha[others], smiling[others], known)
        out[~others] = found.alpha(descriptors[~others])
    return out


def explained(alpha: np.ndarray, said: np.ndarray) -> float:
    """Share of the variance of (N, K) α, each about its mean."""
    centred = alpha - alpha.mean(0)
    return float(1 - ((centred - (said - said.mean(0))) ** 2).sum() / (centred**2).sum())
