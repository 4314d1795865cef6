# SPDX-License-Identifier: GPL-3.0-or-later
"""The UV raster against brute force, and on the built-in head."""

import numpy as np
import pytest
from scipy.spatial import Delaunay

from facedetail_addon.core.face_model.model import MeshPart
from facedetail_addon.core.uv.raster import rasterise_uv


def patch(points: np.ndarray, triangles: np.ndarray) -> MeshPart:
    """A part whose geometry and UV are indexed alike."""
    faces = np.column_stack([triangles, np.full(len(triangles), -1)]).astype(np.int32)
    return MeshPart(
        "skin", 0, len(points), faces, points.astype(np.float32), faces, np.zeros(len(faces), np.uint8), ("skin",)
    )


@pytest.fixture(scope="module")
def random_patch() -> MeshPart:
    points = np.random.default_rng(5).uniform(0.1, 0.9, (60, 2))
    return patch(points, Delaunay(points).simplices)


def weights_of(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    system = np.vstack([corners.T, np.ones(3)])
    return np.linalg.solve(system, [*point, 1.0])


def test_each_texel_gets_the_triangle_that_holds_its_centre(random_patch):
    side = 48
    raster = rasterise_uv(random_patch, side)
    centres = texel_uv(side)
    triangles = random_patch.triangles()
    inside = 0
    for row, column in np.ndindex(side, side):
        weights = np.array([weights_of(centres[row, column], random_patch.uv[t]) for t in triangles])
        holder = weights.min(axis=1).argmax()
        if weights[holder].min() > 1e-3:
            inside += 1
            assert raster.triangle[row, column] == holder
    assert inside > 500


def test_every_texel_that_a_triangle_touches_is_covered(random_patch):
    side = 40
    raster = rasterise_uv(random_patch, side)
    random = np.random.default_rng(1)
    chosen = random_patch.uv[random_patch.triangles()[random.integers(0, len(random_patch.triangles()), 20000)]]
    points = np.einsum("nkc,nk->nc", chosen, random.dirichlet([0.4, 0.4, 0.4], 20000))
    column = (points[:, 0] * side).astype(int)
    row = ((1 - points[:, 1]) * side).astype(int)
    assert (raster.triangle[row, column] >= 0).all()


def test_touched_texels_take_the_nearest_point_of_the_border():
    square = patch(np.array([[0.25, 0.25], [0.74, 0.25], [0.74, 0.74], [0.25, 0.74]]), np.array([[0, 1, 2], [0, 2, 3]]))
    raster = rasterise_uv(square, 4)  # the square reaches 0.96 of a texel into the second column and row of four
    found = raster.interpolation(square.triangles(), 4) @ square.uv
    wanted = texel_uv(4)[raster.triangle >= 0].clip(0.25, 0.74)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_weights_are_a_convex_combination_that_leads_back_to_the_texel(model):
    raster = rasterise_uv(model.skin, 512)
    assert raster.barycentric.min() >= -2e-3
    assert (raster.barycentric.sum(axis=1) == 1).all()
    back = raster.interpolation(model.skin.uv_triangles(), len(model.skin.uv)) @ model.skin.uv
    error = np.abs(back - texel_uv(512)[raster.triangle >= 0]).max(axis=1) * 512
    assert np.percentile(error, 95) < 0.02  # texels
    assert np.percentile(error, 99.9) < 1.5
    assert error.max() < 4  # at the tip of a sliver on the border


def test_bands_of_rows_give_the_same_as_the_whole(model):
    raster = rasterise_uv(model.skin, 256)
    triangles, count = model.skin.triangles(), model.skin.stop
    values = model.mean[:count]
    whole = raster.interpolation(triangles, count) @ values
    covered = [raster.covered_of(slice(start, start + 64)) for start in range(0, 256, 64)]
    bands = [raster.interpolation(triangles, count, which) @ values for which in covered]
    np.testing.assert_array_equal(np.concatenate(bands), whole)


def test_texel_uv_has_its_origin_at_the_bottom_left():
    grid = texel_uv(4)
    np.testing.assert_allclose(grid[0, 0], [0.125, 0.875])
    np.testing.assert_allclose(grid[3, 3], [0.875, 0.125])


def texel_uv(resolution: int) -> np.ndarray:
    """(R, R, 2) float32 u and v at the texels' centres; row 0 is the top."""
    center = (np.arange(resolution, dtype=np.float32) + np.float32(0.5)) / np.float32(resolution)
    return np.stack(np.meshgrid(center, 1 - center), axis=-1)


def test_texels_are_never_more_than_the_largest_vertex(model):
    """Shares of 0 to 1 stay so, and roots of what is left over can be taken."""
    raster, count = rasterise_uv(model.skin, 256), model.skin.stop
    shares = np.random.default_rng(3).choice(np.float32([1, 1, 0.9999999, 0.3]), (count, 4))
    found = raster.interpolation(model.skin.triangles(), count) @ shares
    assert found.max() == 1 and found.min() >= np.float32(0.3) - 1e-6
