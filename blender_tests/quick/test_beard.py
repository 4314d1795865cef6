# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair on the jaw of heads whose colours are known goes on below it; lines and shade do not."""

import numpy as np
import pytest

from facedetail_addon.core.face_model.model import FACE_REGIONS
from facedetail_addon.core.skin.beard import find_beard
from facedetail_addon.core.skin.completion import complete

SIDE = 1024
SKIN, HAIR = np.float32([0.4, 0.25, 0.18]), np.float32([0.12, 0.09, 0.08])


@pytest.fixture(scope="module")
def jaw(model):
    """(V,) bool: chin and cheeks below the lips."""
    rest = model.skin.of(model.mean)
    lips = model.landmarks68.points(model.mean)[48:60, 1].min()
    return model.in_region(*FACE_REGIONS) & (rest[:, 1] < lips - 6)


@pytest.fixture(scope="module")
def low(model):
    """(SIDE, SIDE) bool: the rows of the map below the lips."""
    lips = model.landmarks68.points(model.skin.vertex_uv())[48:60, 1].min()
    return np.repeat((np.arange(SIDE) > (1 - lips) * SIDE)[:, None], SIDE, axis=1)


def skin_with(where: np.ndarray, contrast: float, darker: float = 0.0) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    return SKIN * np.exp(np.where(where, contrast * noise - darker, 0.05 * noise))[..., None]


def test_hair_on_the_jaw_is_a_beard_and_shade_is_not(model, atlas, jaw, low):
    seen = np.ones((SIDE, SIDE), np.float32)
    beard = find_beard(skin_with(low, 0.25, 0.4), seen, model)
    assert beard is not None and beard.contrast > 0.6
    assert beard.under[jaw].min() > 0.9 and beard.under.max() <= 1
    assert beard.under[model.in_region("scalp", "ears", "forehead", "nose")].max() == 0
    assert find_beard(skin_with(low, 0.05, 0.6), seen, model) is None, "shade"
    assert find_beard(skin_with(np.ones_like(low), 0.25), seen, model) is None, "rough skin everywhere"
    assert find_beard(skin_with(low, 0.25, 0.4), seen * ~low, model) is None, "no jaw is seen"


def test_below_a_bearded_jaw_skin_is_darker_and_hairy_and_the_neck_is_bare(model, atlas, jaw, low):
    rest = model.skin.of(model.mean)
    front = jaw & (rest[:, 1] > rest[jaw, 1].min() + 15)
    albedo = np.where(jaw[:, None], HAIR, SKIN)
    seen = (model.in_region(*FACE_REGIONS) & ~jaw | front).astype(np.float32)
    beard = find_beard(skin_with(low, 0.25, 1.0), np.ones((SIDE, SIDE), np.float32), model)
    arguments = albedo, seen, np.tile(SKIN, (len(rest), 1)), np.zeros(len(rest), np.float32), model, atlas
    bare, bearded = (complete(*arguments, beard=one) for one in (None, beard))
    below, neck = jaw & ~front, model.in_region("neck") & (beard.under == 0)
    darker = np.log(bare.colour[below] / bearded.colour[below]).mean()
    assert darker > 0.3
    assert bearded.hair[below].mean() > 0.5 and bearded.hair[neck].max() == 0
    np.testing.assert_allclose(bearded.colour[neck].mean(axis=0), bare.colour[neck].mean(axis=0), rtol=0.1)
