# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit a head again with what its photos' colours say, beginning from the fit to the landmarks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...settings import LANDMARKS
from ..notices import Notice
from ..observe.types import Observation
from .dense import DEFAULT_SETTINGS, fit_dense, turned_settings
from .photometric.term import PhotometricTerm, Photometry, photometric_terms
from .prepared import PreparedModel
from .solve import Term
from .types import HeadFit, PoseFit

STRENGTH = 0.25
"""Of the photo beside the prior of α."""
_LEAST_STRENGTH = 0.5
_ROUNDS = 4  # from a head that landmarks have settled
_LEAST_GAIN = 0.02  # of the misfit that was not looked at; noise gives half a percent either way


def refine_dense(
    observations: Sequence[Observation],
    looks: Sequence[Photometry | None],
    head: HeadFit,
    prepared: PreparedModel,
    expression: str = LANDMARKS,
    extra: Sequence[Term] = (),
) -> HeadFit:
    """The head that explains its photos better; ``head`` itself where there is none.

    Vertices that the fit did not look at decide: where the photos' colours there are explained no better than before,
    or nothing can be compared, the fit to the landmarks stays.

    Args:
        observations: photos of one person. looks: what was seen of each; None for photos that are not to count.
        head: fitted to them without their colours. expression, extra: as of :func:`.dense.fit_dense`.

    Raises:
        ValueError, FaceDetailError: as of :func:`.dense.fit_dense`.
    """
    if prepared.photometric is None:
        return head
    strength = max(
        _LEAST_STRENGTH, STRENGTH * turned_settings(DEFAULT_SETTINGS, observations, prepared).identity_weight
    )
    terms, held_back = [], []
    for view, (look, pose) in enumerate(zip(looks, head.poses, strict=True)):
        both = look and photometric_terms(view, prepared.photometric, look, pose, strength)
        if both:
            terms.append(both[0])
            held_back.append(both[1])
    if not terms:
        return head
    refined = fit_dense(
        observations, prepared.model, prepared.calibration,
        expression=expression, start=head, prepared=prepared, extra=[*terms, *extra],
        settings=replace(DEFAULT_SETTINGS, rounds=_ROUNDS),
    )  # fmt: skip
    return refined if _misfit(held_back, refined) < (1 - _LEAST_GAIN) * _misfit(held_back, head) else head


def notices(before: HeadFit, after: HeadFit) -> tuple[Notice, ...]:
    """A notice with code ``not_refined`` where the photo's colours did not help."""
    if not np.array_equal(after.alpha, before.alpha):
        return ()
    text = "The photo's light and shade could not improve the head's shape, which follows the landmarks alone."
    return (Notice("not_refined", f"{text} Softer light, a larger face or less in front of it would help."),)


def _misfit(terms: Sequence[PhotometricTerm], head: HeadFit) -> float:
    return sum(term.misfit(_values(head, head.poses[term.view]), head.poses[term.view].perspective) for term in terms)


def _values(head: HeadFit, pose: PoseFit) -> np.ndarray:
    return np.append(head.identity, pose.beta).astype(np.float64)
