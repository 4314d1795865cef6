# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth fields over a part of the skin are those over all of it, and those that are solved for in any order."""

import numpy as np
import pytest

from facedetail_addon.core.face_model.model import FACE_REGIONS
from facedetail_addon.core.geometry.mesh_fields import grown, smooth_field


@pytest.fixture(scope="module")
def values(model):
    """(V, 3): waves of three centimetres with noise."""
    rest = model.skin.of(model.mean)
    return 0.3 * np.sin(rest / 5) + np.random.default_rng(0).normal(0, 0.1, rest.shape)


@pytest.fixture(scope="module")
def face(model):
    return model.in_region(*FACE_REGIONS)


@pytest.mark.parametrize(("detail_mm", "reach_mm"), [(0.8, 45.0), (3.0, 45.0), (6.0, 30.0), (4.0, 1e3)])
def test_all_of_the_skin_in_an_order_of_its_own_is_as_without(atlas, values, face, detail_mm, reach_mm):
    weights = face.astype(np.float32)
    found = atlas.smoother(weights, detail_mm, reach_mm)(values, 0.2)
    whole = smooth_field(atlas.laplacian, atlas.areas, values, weights, detail_mm, 0.2, reach_mm)
    np.testing.assert_allclose(found, whole, atol=1e-4)


@pytest.mark.parametrize(("detail_mm", "reach_mm"), [(0.8, 45.0), (3.0, 45.0), (6.0, 30.0)])
def test_a_part_is_much_as_in_the_whole_and_far_away_is_the_prior(atlas, values, face, detail_mm, reach_mm):
    weights = face.astype(np.float32)
    part = atlas.smoother(weights, detail_mm, reach_mm, face, 6)(values, 0.2)
    whole = smooth_field(atlas.laplacian, atlas.areas, values, weights, detail_mm, 0.2, reach_mm)
    error = np.abs(part - whole)[face].max(axis=1)
    assert np.percentile(error, 85) < 0.01 and error.max() < 0.1  # at the lips, where six edges are not far
    far = ~grown(atlas.laplacian, face, 6)
    assert far.any()
    np.testing.assert_array_equal(part[far], np.float32(0.2))


def test_growing_goes_from_edge_to_edge(atlas):
    start = np.zeros(len(atlas.areas), bool)
    start[0] = True
    beside = np.unique(atlas.triangles[(atlas.triangles == 0).any(axis=1)])
    np.testing.assert_array_equal(np.flatnonzero(grown(atlas.laplacian, start, 1)), beside)
    assert grown(atlas.laplacian, start, 2).sum() > len(beside)
