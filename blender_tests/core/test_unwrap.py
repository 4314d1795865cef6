# SPDX-License-Identifier: GPL-3.0-or-later
"""What a photo of a head whose colours are known shows of each texel, and the maps completed from it."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt

from blender_tests.core.unwrap_scene import camera_at, fit_of, photograph, skin_colours
from facedetail_addon.core.colour import to_linear
from facedetail_addon.core.lighting.types import LightEstimate
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.skin.basis import load_basis
from facedetail_addon.core.skin.gloss import skin_gloss
from facedetail_addon.core.skin.texture import make_skin_maps
from facedetail_addon.core.skin.types import SkinMaps
from facedetail_addon.core.uv.atlas import make_atlas, mirror_embedding
from facedetail_addon.core.uv.types import Atlas, UnwrappedPhoto
from facedetail_addon.core.uv.unwrap import unwrap

SIDE = 512
BOUNDARY_RED = 15  # every colour of the skin has at least this much more red than green and blue


@pytest.fixture(scope="module")
def atlas(model) -> Atlas:
    return make_atlas(model, SIDE)


@pytest.fixture(scope="module")
def raster(atlas):
    return atlas.raster


@dataclass(frozen=True)
class Painter:
    """Makes the skin's maps of a photo without gloss; in even light, unless told otherwise, so albedo is its colour."""

    model: object
    basis: object
    gloss: object

    def maps(
        self, seen: UnwrappedPhoto, atlas: Atlas, monochrome: bool = False, shading: np.ndarray | None = None
    ) -> SkinMaps:
        count = self.model.skin.stop
        shading = np.ones((count, 3)) if shading is None else shading
        light = LightEstimate(
            radiance=np.eye(9, 3, dtype=np.float32), gamma=np.zeros(len(self.basis.modes), np.float32),
            shading=shading.astype(np.float32), gloss=np.zeros((count, 3), np.float32),
            residual=0.0, monochrome=monochrome,
        )  # fmt: skip
        return make_skin_maps(seen, light, self.basis, self.gloss, self.model, atlas)


@pytest.fixture(scope="module")
def painter(model) -> Painter:
    return Painter(model, load_basis(model), skin_gloss(model))


def on_texels(model, raster, values: np.ndarray) -> np.ndarray:
    """(V_skin, C) values of vertices to (N, C) of the covered texels."""
    return raster.interpolation(model.skin.triangles(), model.skin.stop) @ values.astype(np.float32)


def outer_skin(model, raster, *regions: str) -> np.ndarray:
    """(N,) bool of the covered texels: they lie in these regions."""
    wanted = model.in_region(*regions).astype(np.float32)
    return on_texels(model, raster, wanted[:, None])[:, 0] > 0.999


def errors(image, model, raster, colours) -> np.ndarray:
    """(N,) mean absolute difference of the covered texels in 8-bit levels."""
    truth = on_texels(model, raster, colours)
    return np.abs(image[raster.triangle >= 0] - truth).mean(axis=1)


def test_seen_skin_comes_back_as_it_was_painted(model, atlas, raster):
    fit = fit_of(model, camera_at(0))
    colours = skin_colours(model, symmetric=False)
    texture = unwrap(photograph(model, fit, colours), fit, model, atlas)
    error = errors(texture.color, model, raster, colours)
    sure = texture.confidence[raster.triangle >= 0] > 0.5
    assert sure.mean() > 0.05
    assert error[sure].mean() < 2.0
    assert np.percentile(error[sure], 99) < 10


def test_vertices_hold_linear_colours_and_clipped_shares(model, atlas):
    fit = fit_of(model, camera_at(0))
    colours = skin_colours(model, symmetric=False)
    photo = photograph(model, fit, colours)
    seen = unwrap(photo, fit, model, atlas)
    sure = seen.vertex_confidence > 0.9
    assert sure.sum() > 2000 and not seen.vertex_clipped.any()
    assert np.abs(seen.vertex_color - to_linear(colours / 255))[sure].mean() < 0.01
    photo[photo[..., 0] > 209] = 255
    clipped = unwrap(photo, fit, model, atlas).vertex_clipped[sure]
    assert clipped[colours[sure, 0] > 213].mean() > 0.9 and clipped[colours[sure, 0] < 201].mean() < 0.1


def test_mirrored_colours_are_those_of_the_other_side(model, atlas):
    fit = fit_of(model, camera_at(20))
    seen = unwrap(photograph(model, fit, skin_colours(model, symmetric=False)), fit, model, atlas)
    both = (seen.mirrored_confidence > 0.5) & (seen.confidence[:, ::-1] > 0.5)  # the canonical UV is symmetric
    assert both.sum() > 2000
    difference = np.abs(seen.mirrored_color.astype(int) - seen.color[:, ::-1])[both]
    assert difference.mean() < 3 and np.abs(seen.color.astype(int) - seen.color[:, ::-1])[both].mean() > 8


@pytest.mark.parametrize("yaw_deg", [0, 40])
def test_confidence_is_zero_behind_and_high_in_front(model, atlas, raster, yaw_deg):
    camera = camera_at(yaw_deg)
    fit = fit_of(model, camera)
    texture = unwrap(photograph(model, fit, skin_colours(model)), fit, model, atlas)
    skin = model.skin.of(fit.vertices)
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


def test_a_symmetric_face_is_restored_on_its_hidden_side(model, atlas, painter, raster):
    fit = fit_of(model, camera_at(45))
    colours = skin_colours(model)
    texture = painter.maps(unwrap(photograph(model, fit, colours), fit, model, atlas), atlas)
    x = on_texels(model, raster, model.mean[: model.skin.stop, :1])[:, 0]
    hidden = (x > 25) & (texture.confidence[raster.triangle >= 0] == 0) & outer_skin(model, raster, "cheeks")
    z = on_texels(model, raster, model.mean[: model.skin.stop, 2:3])[:, 0]
    hidden &= (z > 60) & (z < 100)
    assert hidden.sum() > 200
    error = errors(texture.albedo, model, raster, colours)[hidden]
    assert np.median(error) < 3
    assert error.mean() < 5


def test_light_from_one_side_leaves_no_trace(model, atlas, painter, raster):
    """The hidden side is filled from the lit one; both have their own light taken off."""
    fit = fit_of(model, camera_at(35))
    colours = skin_colours(model)
    light = 1 - 0.18 * np.tanh(model.mean[: model.skin.stop, :1] / 15)  # the hidden left lies in shade
    photo = photograph(model, fit, colours, lambda places: 1 - 0.18 * np.tanh(places[:, :1] / 15))
    shading = to_linear(colours * light / 255) / to_linear(colours / 255)
    seen = unwrap(photo, fit, model, atlas)
    x = on_texels(model, raster, model.mean[: model.skin.stop, :1])[:, 0]
    z = on_texels(model, raster, model.mean[: model.skin.stop, 2:3])[:, 0]
    filled = (x > 25) & (z > 60) & (z < 100) & (seen.confidence[raster.triangle >= 0] == 0)
    filled &= outer_skin(model, raster, "cheeks")
    assert filled.sum() > 100
    known, unknown = (
        errors(painter.maps(seen, atlas, shading=s).albedo, model, raster, colours)[filled].mean()
        for s in (shading, None)
    )
    assert known < 4.6 and known < 0.75 * unknown


@pytest.mark.parametrize(("yaw_deg", "expression"), [(0, {"jawOpen": 0.5}), (25, {"mouthSmileLeft": 0.8}), (50, {})])
def test_eyes_teeth_and_background_never_reach_the_skin(model, atlas, painter, yaw_deg, expression):
    fit = fit_of(model, camera_at(yaw_deg), expression)
    texture = painter.maps(unwrap(photograph(model, fit, skin_colours(model)), fit, model, atlas), atlas)
    red, green, blue = np.moveaxis(texture.albedo.astype(int), -1, 0)
    # What is filled in has people's brows and lips, which are darker than this skin, so of less red.
    margin = red - np.maximum(green, blue)
    assert margin.min() >= 0 and np.percentile(margin, 0.1) > BOUNDARY_RED


def test_beyond_the_islands_the_border_goes_on(model, atlas, painter, raster):
    fit = fit_of(model, camera_at(10))
    texture = painter.maps(unwrap(photograph(model, fit, skin_colours(model)), fit, model, atlas), atlas)
    covered = raster.triangle >= 0
    distance, nearest = distance_transform_edt(~covered, return_indices=True)
    padded = (distance > 0) & (distance <= 15)
    expected = texture.albedo[tuple(nearest)].astype(int)
    difference = np.abs(texture.albedo[padded].astype(int) - expected[padded]).max(axis=1)
    assert np.percentile(difference, 95) <= 3  # ties between equally near texels may differ a little
    assert (texture.albedo.sum(axis=-1) > 60).all()
    beside = binary_dilation(covered) & ~covered
    assert beside.any() and np.abs(texture.albedo[beside].astype(int) - expected[beside]).mean() < 0.5


def test_both_sides_of_a_seam_agree(model, atlas, painter):
    fit = fit_of(model, camera_at(20))
    texture = painter.maps(unwrap(photograph(model, fit, skin_colours(model)), fit, model, atlas), atlas)
    pairs = np.unique(np.column_stack([model.skin.triangles().ravel(), model.skin.uv_triangles().ravel()]), axis=0)
    same = np.flatnonzero(pairs[1:, 0] == pairs[:-1, 0])
    uv = model.skin.uv[np.stack([pairs[same, 1], pairs[same + 1, 1]])]
    inside = (uv.max(axis=(0, 2)) <= 1) & (uv.min(axis=(0, 2)) >= 0)
    if not inside.any():
        pytest.skip("this model's UV has no seam within the texture")
    texel = np.clip(np.stack([(1 - uv[..., 1]) * SIDE, uv[..., 0] * SIDE]).astype(int), 0, SIDE - 1)[:, :, inside]
    colours = texture.albedo[texel[0], texel[1]].astype(int)
    assert np.abs(colours[0] - colours[1]).mean() < 4


def test_the_mirror_map_is_an_involution_on_the_surface(model):
    embedding = mirror_embedding(model)
    skin = model.skin.of(model.mean)
    mirrored = embedding.points(skin)
    outer = ~model.in_region("socket")
    gap = np.linalg.norm(mirrored * [-1, 1, 1] - skin, axis=1)
    assert np.percentile(gap[outer], 99) < 0.5  # mm
    np.testing.assert_allclose(embedding.weights.sum(axis=1), 1, atol=1e-5)
    twice = embedding.points(mirrored)
    assert np.percentile(np.linalg.norm(twice - skin, axis=1)[outer], 99) < 1.0


def test_a_grey_photo_gives_grey_skin(model, painter):
    fit, atlas = fit_of(model, camera_at(0)), make_atlas(model, 256)
    photo = photograph(model, fit, skin_colours(model))
    grey = np.repeat(photo.mean(axis=-1, keepdims=True).round().astype(np.uint8), 3, axis=-1)
    seen = unwrap(grey, fit, model, atlas)
    assert np.ptp(seen.color.astype(int), axis=-1).max() == 0
    assert np.ptp(painter.maps(seen, atlas, monochrome=True).albedo.astype(int), axis=-1).max() <= 1


def test_a_face_partly_outside_the_photo_is_completed(model, painter):
    whole, atlas = camera_at(0), make_atlas(model, 256)
    shifted = fit_of(model, type(whole)(whole.rotation, whole.translation, whole.focal_px, np.array([30.0, 240.0]),
                                        whole.image_size))  # fmt: skip
    colours = skin_colours(model)
    seen = unwrap(photograph(model, shifted, colours), shifted, model, atlas)
    px = shifted.perspective.project(on_texels(model, atlas.raster, model.skin.of(shifted.vertices)))
    outside = px[:, 0] < -2
    assert outside.mean() > 0.2
    assert not seen.confidence[atlas.covered][outside].any()
    face = outside & outer_skin(model, atlas.raster, "nose", "forehead")
    assert face.sum() > 20
    assert errors(painter.maps(seen, atlas).albedo, model, atlas.raster, colours)[face].mean() < 14


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (1, 1), (3, 3)])
def test_a_photo_of_almost_no_pixels_still_gives_whole_maps(model, painter, shape):
    camera, atlas = camera_at(0, size=(shape[1], shape[0]), focal_px=800), make_atlas(model, 128)
    photo = np.full((*shape, 3), (180, 120, 100), np.uint8)
    seen = unwrap(photo, fit_of(model, camera), model, atlas)
    maps = painter.maps(seen, atlas)
    for image in (maps.albedo, maps.roughness, maps.specular):
        assert image.shape[:2] == (128, 128) and image.dtype == np.uint8
    assert np.isfinite(maps.confidence).all()
    assert (maps.albedo.max(axis=-1) >= 40).all()


def test_a_face_beside_the_photo_has_no_confidence_at_all(model, painter):
    camera, atlas = camera_at(0), make_atlas(model, 128)
    away = type(camera)(camera.rotation, camera.translation, camera.focal_px, np.array([9e3, 9e3]), camera.image_size)
    seen = unwrap(np.full((480, 420, 3), 90, np.uint8), fit_of(model, away), model, atlas)
    assert not seen.confidence.any() and not seen.vertex_confidence.any()
    assert painter.maps(seen, atlas).albedo.min() > 10


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_photos_give_finite_skin(model, painter, value):
    fit, atlas = fit_of(model, camera_at(0)), make_atlas(model, 128)
    maps = painter.maps(unwrap(np.full((480, 420, 3), value, np.uint8), fit, model, atlas), atlas)
    assert np.isfinite(maps.confidence).all() and maps.albedo.min() > 5
    assert maps.roughness.min() >= 63 and maps.roughness.max() <= 179
    assert maps.specular.min() >= 50


@pytest.mark.parametrize("yaw_deg", [0, 30])
def test_fine_detail_of_a_large_photo_does_not_alias(model, yaw_deg):
    fit = fit_of(model, camera_at(yaw_deg, size=(1600, 1800)))
    photo = np.full((1800, 1600, 3), (210, 150, 120), np.uint8)
    photo[(np.add(*np.indices((1800, 1600))) % 2).astype(bool)] = (150, 90, 60)  # a checkerboard of single pixels
    texture = unwrap(photo, fit, model, make_atlas(model, 256))
    sure = texture.confidence > 0.8
    assert sure.any()
    assert np.abs(texture.color[sure].astype(int) - (180, 120, 90)).mean() < 4


def test_a_white_collar_over_the_neck_stays_out(model, atlas, painter, raster):
    fit = fit_of(model, camera_at(0))
    colours = np.tile(np.float32([205, 150, 125]), (model.skin.stop, 1))
    neck = model.in_region("neck")
    collar = neck & (model.mean[: model.skin.stop, 1] < model.mean[: model.skin.stop, 1][neck].max() - 30)
    colours[collar] = (240, 242, 245)
    texture = painter.maps(unwrap(photograph(model, fit, colours), fit, model, atlas), atlas)
    seen = texture.albedo[raster.triangle >= 0].astype(int)[outer_skin(model, raster, "neck")]
    assert (seen[:, 0] - seen[:, 2]).min() > 40


@pytest.mark.parametrize("other_side", [0.1, 1.0])
def test_a_highlight_is_not_filled_with_the_other_sides_hair_or_shadow(model, atlas, painter, raster, other_side):
    """The left cheek is blown out; the right one is black, as under hair or in a shadow, or as clear as the left."""
    fit = fit_of(model, camera_at(0))
    colours = skin_colours(model)

    def seen_as(places):
        blown = ((np.abs(places[:, :1] - 38) < 9) & (np.abs(places[:, 1:2] + 20) < 9)).astype(np.float64)
        covered = (places[:, :1] < -20).astype(np.float64)
        return 1 + 2 * blown + (other_side - 1) * covered

    albedo = painter.maps(unwrap(photograph(model, fit, colours, seen_as), fit, model, atlas), atlas).albedo
    x, y, z = on_texels(model, raster, model.mean[: model.skin.stop]).T
    hidden = (np.abs(x - 38) < 7) & (np.abs(y + 20) < 7) & (z > 30) & outer_skin(model, raster, "cheeks")
    assert hidden.sum() > 100
    truth = on_texels(model, raster, colours)[hidden].mean(axis=1)
    assert np.percentile(albedo[raster.triangle >= 0][hidden].mean(axis=1) / truth, 1) > 0.8


def test_black_in_coloured_light_has_no_colour_of_its_own(model, atlas, painter, raster):
    fit = fit_of(model, camera_at(0))
    colours = skin_colours(model)
    rest = model.skin.of(model.mean)
    colours[(np.abs(rest[:, 0] - 38) < 12) & (np.abs(rest[:, 1] + 20) < 12)] = (9, 22, 9)
    purple = np.tile(np.float32([1.0, 0.3, 0.9]), (model.skin.stop, 1))
    albedo = painter.maps(unwrap(photograph(model, fit, colours), fit, model, atlas), atlas, shading=purple).albedo
    x, y, z = on_texels(model, raster, rest).T
    black = (np.abs(x - 38) < 7) & (np.abs(y + 20) < 7) & (z > 30) & outer_skin(model, raster, "cheeks")
    red, green, _ = np.median(albedo[raster.triangle >= 0][black].astype(int), axis=0)
    assert green < red + 5
