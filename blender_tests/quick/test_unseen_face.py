# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for a face that neither side shows: hairs where people have brows, and the lines of skin nearby."""

import cv2
import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.skin.basis import load_basis
from facedetail_addon.core.skin.brows import sharp_picture
from facedetail_addon.core.skin.grain import seen_pieces

SIDE = 1024


def log(picture: np.ndarray) -> np.ndarray:
    return np.log(picture @ LUMINANCE)


def fine(values: np.ndarray) -> np.ndarray:
    return values - cv2.GaussianBlur(values, (0, 0), 4)


@pytest.fixture(scope="module")
def mean_skin(model):
    basis = load_basis(model)
    return basis.albedo_map(np.zeros(len(basis.modes)))


@pytest.fixture(scope="module")
def smooth(mean_skin):
    """(SIDE, SIDE) the same enlarged."""
    return log(cv2.resize(mean_skin, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def brow(model):
    """(SIDE, SIDE) bool: the middle of both brows."""
    uv = model.landmarks68.points(model.skin.vertex_uv())
    out = np.zeros((SIDE, SIDE), np.uint8)
    for part in (slice(17, 22), slice(22, 27)):
        at = np.column_stack([uv[part, 0], 1 - uv[part, 1]]) * SIDE
        cv2.polylines(out, [np.round(at).astype(np.int32)], False, 1, 17)
    return out > 0


def test_brows_get_hairs_and_stay_as_dark(mean_skin, smooth, brow, model):
    sharp = log(sharp_picture(mean_skin, model))
    assert fine(sharp)[brow].std() > 1.7 * fine(smooth)[brow].std()
    assert abs((sharp - smooth)[brow].mean()) < 0.1
    np.testing.assert_array_equal(sharp, log(sharp_picture(mean_skin, model)))


def test_elsewhere_skin_is_only_sharper(mean_skin, smooth, brow, model):
    sharp = log(sharp_picture(mean_skin, model))
    away = cv2.dilate(brow.astype(np.uint8), np.ones((41, 41), np.uint8)) == 0
    np.testing.assert_allclose(
        cv2.GaussianBlur(sharp, (0, 0), 12)[away], cv2.GaussianBlur(smooth, (0, 0), 12)[away], atol=0.08
    )


def test_people_without_brows_get_none(model):
    plain = np.full((256, 256, 3), [0.4, 0.25, 0.18], np.float32)
    np.testing.assert_allclose(sharp_picture(plain, model), np.broadcast_to(plain[0, 0], (SIDE, SIDE, 3)), rtol=1e-3)


@pytest.fixture(scope="module")
def lined():
    """(SIDE, SIDE) luminance with level lines above row 512, upright ones below, and a deep fold; where it is seen."""
    down, across = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    waves = np.where(down < SIDE / 2, np.sin(down), np.sin(across)) * 0.1
    waves[300:304] -= 1.5
    seen = (across > 300) & (across < 724) & (np.abs(down - 512) > 80)
    return 0.3 * np.exp(waves), seen


def test_lines_go_on_from_skin_nearby_as_strong_and_folds_do_not(lined):
    luminance, seen = lined
    wanted = np.zeros((SIDE, SIDE), bool)
    wanted[440:584, 350:680] = True
    found = seen_pieces(luminance, seen, wanted)
    above, below = found[450:490, 380:650], found[535:575, 380:650]
    for part, lines, across in ((above, 0, 1), (below, 1, 0)):
        assert 0.04 < part.std() < 0.11
        slopes = [np.abs(np.diff(part, axis=axis)).mean() for axis in (lines, across)]
        assert slopes[0] > 2 * slopes[1]
    assert found.min() > -0.5
    assert not found[~cv2.dilate(wanted.astype(np.uint8), np.ones((65, 65), np.uint8)).astype(bool)].any()


def test_pieces_need_skin_to_be_taken_from(lined):
    luminance, seen = lined
    assert seen_pieces(luminance, np.zeros_like(seen), ~seen) is None
