# SPDX-License-Identifier: GPL-3.0-or-later
"""Pigment and blood of unseen skin, beside skin whose unevenness is known."""

import numpy as np
import pytest

from facedetail_addon.core.skin.mottle import mottle

SKIN = np.float32([0.3, 0.18, 0.13])


def waves(rest: np.ndarray, length_mm: float) -> np.ndarray:
    """(V,) of unit variance."""
    return np.sqrt(8) * np.prod(np.sin(rest * 2 * np.pi / (length_mm * np.sqrt(3))), axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def rest(model):
    return model.skin.of(model.mean)


def test_unseen_skin_is_as_uneven_as_seen_skin_and_of_its_colours(model, atlas, rest):
    seen = np.ones(len(rest), np.float32)
    blush = np.float32([0.01, 0.04, 0.03])
    factors = mottle(SKIN * np.exp(waves(rest, 14.0)[:, None] * blush), seen, model, atlas)
    spread = factors.std(axis=0)
    assert 0.3 * blush[1] < spread[1] < 1.5 * blush[1]
    np.testing.assert_allclose(spread / spread[1], blush / blush[1], atol=0.1)
    assert np.abs(factors.mean(axis=0)).max() < 0.01
    assert np.corrcoef(factors[:, 1], factors[:, 2])[0, 1] > 0.95
    neck = model.in_region("neck")
    assert factors[neck].std() > 0.5 * factors.std()


def test_shade_and_folds_are_no_pigment(model, atlas, rest):
    seen = np.ones(len(rest), np.float32)
    wide = SKIN * np.exp(0.5 * np.sin(rest[:, :1] / 60))
    assert mottle(wide.astype(np.float32), seen, model, atlas).std() < 0.02
    rough = SKIN * np.exp(0.5 * waves(rest, 14.0)[:, None])
    assert mottle(rough, seen, model, atlas).std() < 0.06


def test_nothing_is_made_up_where_no_skin_is_seen(model, atlas, rest):
    assert not mottle(np.tile(SKIN, (len(rest), 1)), np.zeros(len(rest), np.float32), model, atlas).any()


def test_it_is_always_the_same(model, atlas, rest):
    seen = np.ones(len(rest), np.float32)
    albedo = SKIN * np.exp(0.03 * waves(rest, 14.0)[:, None])
    np.testing.assert_array_equal(mottle(albedo, seen, model, atlas), mottle(albedo, seen, model, atlas))
