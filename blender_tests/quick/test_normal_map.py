# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief in millimetres as normals: angles, signs, the head's sheared layout, and flatness where nothing is."""

import numpy as np
import pytest

from facedetail_addon.core.detail.normal_map import flat_detail, normal_map, skin_normals, texel_size_mm
from facedetail_addon.core.uv.atlas import make_atlas

SIDE = 150  # not a whole number of the bands the map is made in
STEP_MM = 0.25


def even_steps(along_u: float = STEP_MM, shear: float = 0.0, along_v: float = STEP_MM) -> np.ndarray:
    return np.broadcast_to(np.float32([along_u, shear, along_v]), (SIDE, SIDE, 3))


def places_mm() -> tuple[np.ndarray, np.ndarray]:
    """x to the right and y up."""
    center = np.arange(SIDE, dtype=np.float32) * np.float32(STEP_MM)
    return np.meshgrid(center, center[::-1])


def vectors(normals: np.ndarray) -> np.ndarray:
    return normals.astype(np.float64) / 65535 * 2 - 1


def everywhere() -> np.ndarray:
    return np.ones((SIDE, SIDE), bool)


@pytest.mark.parametrize(("rise_x", "rise_y"), [(0.5, 0.0), (0.0, 0.5), (-1.0, 0.3)])
def test_a_tilted_plane(rise_x, rise_y):
    x, y = places_mm()
    found = vectors(normal_map(rise_x * x + rise_y * y, even_steps(), everywhere()))[1:-1, 1:-1]
    wanted = np.array([-rise_x, -rise_y, 1]) / np.sqrt(1 + rise_x**2 + rise_y**2)
    np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=1e-4)


def test_a_wave_is_as_steep_as_it_is():
    """0.1 mm up and down over 4 mm: 2π · 0.1 / 4 at the steepest; right of a crest it falls, and leans to the right."""
    x, _ = places_mm()
    found = vectors(normal_map(np.float32(0.1) * np.cos(2 * np.pi * x / 4), even_steps(), everywhere()))[1:-1, 1:-1]
    lean = np.degrees(np.arctan2(found[..., 0], found[..., 2]))
    step = 2 * np.pi * STEP_MM / 4
    steepest = np.degrees(np.arctan(2 * np.pi * 0.1 / 4 * np.sin(step) / step))  # of differences over two steps
    assert np.abs(lean).max() == pytest.approx(steepest, abs=0.01)
    np.testing.assert_allclose(lean[:, 3], steepest, atol=0.01)  # 1 mm, a quarter wave after the crest at 0
    assert np.abs(found[..., 1]).max() < 1e-4


def test_texels_longer_one_way_and_sheared():
    """The same plane in space over another layout: u at 0.3 mm a texel, v at 0.2 mm and leaning to u by 0.1 mm."""
    column, row = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32)[::-1])
    x, y = 0.3 * column + 0.1 * row, 0.2 * row
    found = vectors(normal_map(0.4 * x - 0.2 * y, even_steps(0.3, 0.1, 0.2), everywhere()))[1:-1, 1:-1]
    wanted = np.array([-0.4, 0.2, 1]) / np.sqrt(1.2)
    np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=1e-4)


def test_flat_where_nothing_is():
    covered = everywhere()
    covered[:, 100:] = False
    rng = np.random.default_rng(7)
    height = rng.normal(0, 0.1, (SIDE, SIDE)).astype(np.float32)
    height[:40] = 0
    found = normal_map(height, even_steps(), covered)
    flat = (found == (32768, 32768, 65535)).all(axis=-1)
    assert flat[:39].all() and flat[:, 99:].all(), "even at the border, where beside it is no skin"
    assert flat[41:-1, 1:99].mean() < 0.01


def test_steep_walls_stay_unit_vectors():
    height = np.zeros((SIDE, SIDE), np.float32)
    height[:, 75:] = 20.0
    found = vectors(normal_map(height, even_steps(), everywhere()))
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-4)
    assert found[60, 75, 0] < -0.99, "a wall that rises to the right looks to the left"


@pytest.mark.parametrize("direction", [(0.0, 0.3, 0.0), (0.3, 0.0, 0.0), (0.1, -0.2, 0.1)])
def test_a_relief_on_the_head_tilts_it_as_it_should(model, direction):
    """A relief that grows along a direction in space: its normals are the head's, less its gradient on the skin.

    What is wanted comes from where the texels lie in space, without the sizes of texels.
    """
    atlas = make_atlas(model, 512)
    covered = atlas.covered
    place = np.full((512, 512, 3), np.nan)
    place[covered] = atlas.texels(model.skin.of(model.mean))
    height = np.nan_to_num(place @ np.array(direction)).astype(np.float32)
    found = vectors(normal_map(height, texel_size_mm(model, atlas), covered))

    along_u = (place[1:-1, 2:] - place[1:-1, :-2]) / 2
    along_v = (place[:-2, 1:-1] - place[2:, 1:-1]) / 2
    out = np.cross(along_u, along_v)
    out /= np.linalg.norm(out, axis=-1, keepdims=True)
    gradient = direction - out * (out @ np.array(direction))[..., None]
    wanted = out - gradient
    wanted /= np.linalg.norm(wanted, axis=-1, keepdims=True)
    tangent = along_u / np.linalg.norm(along_u, axis=-1, keepdims=True)
    x, y, z = np.moveaxis(found[1:-1, 1:-1], -1, 0)[..., None]
    shown = x * tangent + y * np.cross(out, tangent) + z * out
    angle = np.degrees(np.arccos((shown * wanted).sum(axis=-1).clip(-1, 1)))
    face = model.in_region("forehead", "cheeks", "nose", "chin")
    weight = np.zeros((512, 512))
    weight[covered] = atlas.texels(face.astype(np.float32)[:, None])[:, 0]
    angle = angle[(weight[1:-1, 1:-1] > 0.99) & np.isfinite(angle)]
    assert len(angle) > 20_000
    assert np.median(angle) < 0.4 and np.quantile(angle, 0.99) < 3


def test_sizes_follow_the_head_and_the_resolution(model):
    atlas, finer = make_atlas(model, 512), make_atlas(model, 1024)
    small = texel_size_mm(model, atlas)
    np.testing.assert_array_equal(small[~atlas.covered], np.broadcast_to([1, 0, 1], ((~atlas.covered).sum(), 3)))
    np.testing.assert_allclose(
        texel_size_mm(model, atlas, 1.5 * model.mean)[atlas.covered], 1.5 * small[atlas.covered], atol=1e-4
    )
    area = small[atlas.covered][:, [0, 2]].prod(axis=1).sum()
    assert texel_size_mm(model, finer)[finer.covered][:, [0, 2]].prod(axis=1).sum() == pytest.approx(area, rel=0.03)


def test_no_relief_is_flat():
    detail = flat_detail(64)
    assert not detail.medium.any() and not detail.fine.any()
    for normals in (detail.normal, detail.normal_fine):
        assert normals.shape == (64, 64, 3) and (normals == (32768, 32768, 65535)).all()


def test_normals_drawn_band_by_band_are_those_of_whole_maps(model, atlas):
    random = np.random.default_rng(3)
    heights = [random.normal(0, 0.1, atlas.covered.shape).astype(np.float32) for _ in range(2)]
    vertices = 1.1 * model.mean
    texel_mm = texel_size_mm(model, atlas, vertices)
    for height, found in zip(heights, skin_normals(heights, model, atlas, vertices), strict=True):
        np.testing.assert_array_equal(found, normal_map(height, texel_mm, atlas.covered))
