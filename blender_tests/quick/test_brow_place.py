# SPDX-License-Identifier: GPL-3.0-or-later
"""Where brows lie on the skin, by a photo's landmarks and in the mean."""

import numpy as np
import pytest

from facedetail_addon.core.face_model.brows import FAR_MM, brows_on_skin, usual_brows
from facedetail_addon.core.geometry.camera import AffineCamera

PX_PER_MM = 3.0


@pytest.fixture(scope="module")
def places(model):
    """(V_skin, 2) px of the mean head from the front."""
    camera = AffineCamera(np.array([[PX_PER_MM, 0, 0, 300], [0, -PX_PER_MM, 0, 400]]))
    return camera.project(model.skin.of(model.mean).astype(np.float64))


def frame(centre, half_wide, half_high):
    return np.array(centre) + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [half_wide, half_high]


def test_usual_brows_lie_between_their_landmarks_and_the_lids_on_both_sides(model):
    brows, rest = usual_brows(model), model.skin.of(model.mean)
    marks = model.landmarks68.points(model.mean)
    inside = brows > 0
    for side, brow, lids in ((-1, marks[17:22], marks[36:42]), (1, marks[22:27], marks[42:48])):
        mine = rest[inside & (side * rest[:, 0] > 0)]
        assert len(mine) > 20
        assert lids[:, 1].max() + 3 < mine[:, 1].min() and np.median(mine[:, 1]) < brow[:, 1].mean()
    assert brows.min() == -FAR_MM and not inside[rest[:, 2] < 0].any()


def test_brows_are_what_the_photos_borders_enclose_in_mm(model, places):
    rest, usual = model.skin.of(model.mean), usual_brows(model)
    borders = {}
    for name, side in (("right", -1), ("left", 1)):
        centre = places[(usual > 0) & (side * rest[:, 0] > 0)].mean(axis=0)
        borders[name] = frame(centre - [0, 2 * PX_PER_MM], 15 * PX_PER_MM, 3 * PX_PER_MM)
    found = brows_on_skin(borders, places, PX_PER_MM, model)
    for name, side in (("right", -1), ("left", 1)):
        low, high = borders[name].min(axis=0), borders[name].max(axis=0)
        near = (usual > -6) & (side * rest[:, 0] > 0)
        enclosed = ((places > low) & (places < high)).all(axis=1)
        np.testing.assert_array_equal(found[near] > 0, enclosed[near])
    assert 2.0 < found.max() <= 3.01


def test_what_lies_behind_a_brow_in_the_photo_is_none(model, places):
    rest = model.skin.of(model.mean)
    everything = frame(places.mean(axis=0), 1e4, 1e4)
    found = brows_on_skin({"right": everything, "left": everything}, places, PX_PER_MM, model)
    assert (found[rest[:, 2] < -20] == -FAR_MM).all() and (found > 0).any()
