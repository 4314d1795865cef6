# SPDX-License-Identifier: GPL-3.0-or-later
"""The unwrapped texture of heads whose colours are known."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt

from blender_tests.core.unwrap_scene import camera_at, fit_of, photograph, skin_colours
from facedetail_addon.core.render import vertex_normals
from facedetail_addon.core.uv.mirror import mirror_embedding
from facedetail_addon.core.uv.raster import rasterise_uv
from facedetail_addon.core.uv.unwrap import unwrap

SIDE = 512
BOUNDARY_RED = 15  # every colour of the skin has at least this much more red than green and blue


@pytest.fixture(scope="module")
def raster(model):
    return rasterise_uv(model.skin, SIDE)


def on_texels(model, raster, values: np.ndarray) -> np.ndarray:
    """(V_skin, C) values of vertices to (N, C) of the covered texels."""
    return raster.interpolation(model.skin.triangles(), model.skin.stop) @ values.astype(np.float32)


def outer_skin(model, raster, *regions: str) -> np.ndarray:
    """(N,) bool of the covered texels: they lie in these regions."""
    wanted = np.isin(model.region, [model.region_names.index(name) for name in regions]).astype(np.float32)
    return on_texels(model, raster, wanted[:, None])[:, 0] > 0.999


def errors(texture, model, raster, colours) -> np.ndarray:
    """(N,) mean absolute difference of the covered texels in 8-bit levels."""
    truth = on_texels(model, raster, colours)
    return np.abs(texture.color[raster.triangle >= 0] - truth).mean(axis=1)


def test_seen_skin_comes_back_as_it_was_painted(model, raster):
    fit = fit_of(model, camera_at(0))
    colours = skin_colours(model, symmetric=False)
    texture = unwrap(photograph(model, fit, colours), fit, model, SIDE)
    error = errors(texture, model, raster, colours)
    sure = texture.confidence[raster.triangle >= 0] > 0.5
    assert sure.mean() > 0.05
    assert error[sure].mean() < 2.0
    assert np.percentile(error[sure], 99) < 10


@pytest.mark.parametrize("yaw_deg", [0, 40])
def test_confidence_is_zero_behind_and_high_in_front(model, raster, yaw_deg):
    camera = camera_at(yaw_deg)
    fit = fit_of(model, camera)
    texture = unwrap(photograph(model, fit, skin_colours(model)), fit, model, SIDE)
    skin = fit.vertices[: model.skin.stop]
    normals = vertex_normals(skin, model.skin.triangles())
    towards = camera.position() - skin
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    facing = on_texels(model, raster, (normals * towards).sum(axis=1)[:, None])[:, 0]
    confidence = texture.confidence[raster.triangle >= 0]
    assert confidence[facing < 0.2].max() == 0
    front = (facing > 0.85) & outer_skin(model, raster, "forehead")
    assert front.any() and np.median(confidence[front]) > 0.95
    assert not texture.confidence[raster.triangle < 0].any()
    assert not confidence[outer_skin(model, raster, "socket")].any()
    assert texture.confidence.min() >= 0 and texture.confidence.max() <= 1


def test_a_symmetric_face_is_restored_on_its_hidden_side(model, raster):
    fit = fit_of(model, camera_at(45))
    colours = skin_colours(model)
    texture = unwrap(photograph(model, fit, colours), fit, model, SIDE)
    x = on_texels(model, raster, model.mean[: model.skin.stop, :1])[:, 0]
    hidden = (x > 25) & (texture.confidence[raster.triangle >= 0] == 0) & outer_skin(model, raster, "cheeks")
    z = on_texels(model, raster, model.mean[: model.skin.stop, 2:3])[:, 0]
    hidden &= (z > 60) & (z < 100)
    assert hidden.sum() > 200
    error = errors(texture, model, raster, colours)[hidden]
    assert np.median(error) < 3
    assert error.mean() < 5


def test_the_mirrored_side_takes_on_the_light_of_the_side_it_fills(model, raster):
    def light(places):
        return 1 - 0.18 * np.tanh(places[:, :1] / 15)  # the subject's left, which is hidden, lies in shade

    fit = fit_of(model, camera_at(35))
    colours = skin_colours(model)
    texture = unwrap(photograph(model, fit, colours, light), fit, model, SIDE)
    lit = colours * light(model.mean[: model.skin.stop])
    mirrored = colours * light(model.mean[: model.skin.stop] * [-1, 1, 1])
    x = on_texels(model, raster, model.mean[: model.skin.stop, :1])[:, 0]
    z = on_texels(model, raster, model.mean[: model.skin.stop, 2:3])[:, 0]
    filled = (x > 25) & (z > 50) & (texture.confidence[raster.triangle >= 0] == 0)
    filled &= outer_skin(model, raster, "cheeks")
    assert filled.sum() > 100
    matched = errors(texture, model, raster, lit)[filled].mean()
    unmatched = np.abs(on_texels(model, raster, mirrored - lit)).mean(axis=1)[filled].mean()
    assert matched < 0.45 * unmatched


@pytest.mark.parametrize(("yaw_deg", "expression"), [(0, {"jawOpen": 0.5}), (25, {"mouthSmileLeft": 0.8}), (50, {})])
def test_eyes_teeth_and_background_never_reach_the_skin(model, yaw_deg, expression):
    fit = fit_of(model, camera_at(yaw_deg), expression)
    texture = unwrap(photograph(model, fit, skin_colours(model)), fit, model, SIDE)
    red, green, blue = np.moveaxis(texture.color.astype(int), -1, 0)
    assert (red - np.maximum(green, blue)).min() > BOUNDARY_RED


def test_beyond_the_islands_the_border_goes_on(model, raster):
    fit = fit_of(model, camera_at(10))
    texture = unwrap(photograph(model, fit, skin_colours(model)), fit, model, SIDE)
    covered = raster.triangle >= 0
    distance, nearest = distance_transform_edt(~covered, return_indices=True)
    padded = (distance > 0) & (distance <= 15)
    expected = texture.color[tuple(nearest)].astype(int)
    difference = np.abs(texture.color[padded].astype(int) - expected[padded]).max(axis=1)
    assert np.percentile(difference, 95) <= 3  # ties between equally near texels may differ a little
    assert (texture.color.sum(axis=-1) > 60).all()
    beside = binary_dilation(covered) & ~covered
    assert beside.any() and np.abs(texture.color[beside].astype(int) - expected[beside]).mean() < 0.5


def test_both_sides_of_a_seam_agree(model):
    fit = fit_of(model, camera_at(20))
    texture = unwrap(photograph(model, fit, skin_colours(model)), fit, model, SIDE)
    pairs = np.unique(np.column_stack([model.skin.triangles().ravel(), model.skin.uv_triangles().ravel()]), axis=0)
    same = np.flatnonzero(pairs[1:, 0] == pairs[:-1, 0])
    uv = model.skin.uv[np.stack([pairs[same, 1], pairs[same + 1, 1]])]
    inside = (uv.max(axis=(0, 2)) <= 1) & (uv.min(axis=(0, 2)) >= 0)
    if not inside.any():
        pytest.skip("this model's UV has no seam within the texture")
    texel = np.clip(np.stack([(1 - uv[..., 1]) * SIDE, uv[..., 0] * SIDE]).astype(int), 0, SIDE - 1)[:, :, inside]
    colours = texture.color[texel[0], texel[1]].astype(int)
    assert np.abs(colours[0] - colours[1]).mean() < 4


def test_the_mirror_map_is_an_involution_on_the_surface(model):
    embedding = mirror_embedding(model)
    skin = model.mean[: model.skin.stop]
    mirrored = embedding.points(skin)
    outer = model.region != model.region_names.index("socket")
    gap = np.linalg.norm(mirrored * [-1, 1, 1] - skin, axis=1)
    assert np.percentile(gap[outer], 99) < 0.5  # mm
    np.testing.assert_allclose(embedding.weights.sum(axis=1), 1, atol=1e-5)
    twice = embedding.points(mirrored)
    assert np.percentile(np.linalg.norm(twice - skin, axis=1)[outer], 99) < 1.0


def test_a_grey_photo_gives_a_grey_texture(model):
    fit = fit_of(model, camera_at(0))
    photo = photograph(model, fit, skin_colours(model))
    grey = np.repeat(photo.mean(axis=-1, keepdims=True).round().astype(np.uint8), 3, axis=-1)
    texture = unwrap(grey, fit, model, 256)
    assert np.ptp(texture.color.astype(int), axis=-1).max() <= 1


def test_a_face_partly_outside_the_photo_is_completed(model):
    whole = camera_at(0)
    shifted = fit_of(model, type(whole)(whole.rotation, whole.translation, whole.focal_px, np.array([30.0, 240.0]),
                                        whole.image_size))  # fmt: skip
    colours = skin_colours(model)
    texture = unwrap(photograph(model, shifted, colours), shifted, model, 256)
    raster = rasterise_uv(model.skin, 256)
    px = shifted.perspective.project(on_texels(model, raster, shifted.vertices[: model.skin.stop]))
    outside = px[:, 0] < -2
    assert outside.mean() > 0.2
    assert not texture.confidence[raster.triangle >= 0][outside].any()
    face = outside & outer_skin(model, raster, "nose", "forehead")
    assert face.sum() > 20
    assert errors(texture, model, raster, colours)[face].mean() < 12


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (1, 1), (3, 3)])
def test_a_photo_of_almost_no_pixels_still_gives_a_whole_texture(model, shape):
    camera = camera_at(0, size=(shape[1], shape[0]), focal_px=800)
    photo = np.full((*shape, 3), (180, 120, 100), np.uint8)
    texture = unwrap(photo, fit_of(model, camera), model, 128)
    assert texture.color.shape == (128, 128, 3) and texture.color.dtype == np.uint8
    assert np.isfinite(texture.confidence).all()
    assert (texture.color.max(axis=-1) >= 60).all()


def test_a_face_beside_the_photo_has_no_confidence_at_all(model):
    camera = camera_at(0)
    away = type(camera)(camera.rotation, camera.translation, camera.focal_px, np.array([9e3, 9e3]), camera.image_size)
    texture = unwrap(np.full((480, 420, 3), 90, np.uint8), fit_of(model, away), model, 128)
    assert not texture.confidence.any()
    assert texture.color.min() > 20


@pytest.mark.parametrize("yaw_deg", [0, 30])
def test_fine_detail_of_a_large_photo_does_not_alias(model, yaw_deg):
    fit = fit_of(model, camera_at(yaw_deg, size=(1600, 1800)))
    photo = np.full((1800, 1600, 3), (210, 150, 120), np.uint8)
    photo[(np.add(*np.indices((1800, 1600))) % 2).astype(bool)] = (150, 90, 60)  # a checkerboard of single pixels
    texture = unwrap(photo, fit, model, 256)
    sure = texture.confidence > 0.8
    assert sure.any()
    assert np.abs(texture.color[sure].astype(int) - (180, 120, 90)).mean() < 4


def test_a_white_collar_over_the_neck_stays_out(model, raster):
    fit = fit_of(model, camera_at(0))
    colours = np.tile(np.float32([205, 150, 125]), (model.skin.stop, 1))
    neck = model.region == model.region_names.index("neck")
    collar = neck & (model.mean[: model.skin.stop, 1] < model.mean[: model.skin.stop, 1][neck].max() - 30)
    colours[collar] = (240, 242, 245)
    texture = unwrap(photograph(model, fit, colours), fit, model, SIDE)
    seen = texture.color[raster.triangle >= 0].astype(int)[outer_skin(model, raster, "neck")]
    assert (seen[:, 0] - seen[:, 2]).min() > 40
