# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview picture of a head whose photo is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from blender_tests.core.unwrap_scene import camera_at, fit_of, photograph, skin_colours
from blender_tests.made_up import changed
from facedetail_addon.core.detail.normal_map import flat_detail, normal_map, texel_size_mm
from facedetail_addon.core.eyes.types import DEFAULT_EYES, EyeLook
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.rendering.shade import shade
from facedetail_addon.core.rendering.transfer import light_transfer, open_sky
from facedetail_addon.core.rendering.types import SkinGloss, SkinLight
from facedetail_addon.core.result.preview import appearance_of, head_box, render_preview
from facedetail_addon.core.result.preview_frame import Frame, shown_edges, trace_frame
from facedetail_addon.core.result.preview_panels import paint_of, relit, surface_of
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.unwrap import unwrap

HEIGHT = 240


@pytest.fixture(scope="module")
def reconstruction(model, reconstruction_of) -> Reconstruction:
    fit = fit_of(model, camera_at(15))
    photo = photograph(model, fit, skin_colours(model))
    atlas = make_atlas(model, 512)
    seen = unwrap(photo, fit, model, atlas)
    painted = np.zeros((512, 512, 3), np.uint8)
    painted[atlas.covered] = np.round(atlas.texels(skin_colours(model))).clip(0, 255)
    even = np.zeros((9, 3), np.float32)
    even[0] = np.sqrt(4 * np.pi)
    landmarks = model.landmarks68.points(fit.vertices).astype(np.float32)
    flat = flat_detail(512)
    maps = {
        "photo": photo, "albedo": painted, "confidence": seen.confidence,
        "roughness": np.full((512, 512), 140, np.uint8), "specular": np.full((512, 512), 127, np.uint8),
        "displacement_medium": flat.medium, "displacement_fine": flat.fine,
        "normal": flat.normal, "normal_fine": flat.normal_fine,
        "displacement_unseen": flat.unseen, "normal_unseen": flat.normal_unseen,
    }  # fmt: skip
    return changed(
        reconstruction_of(model), beta=fit.beta, perspective=fit.perspective, vertices=fit.vertices,
        vertices_neutral=model.mean, landmarks68_mm=landmarks, radiance=even, eyes=DEFAULT_EYES, landmarks=replace(
            reconstruction_of(model).record.observation.landmarks,
            sparse_px=fit.perspective.project(landmarks).astype(np.float32),
        ), **maps,
    )  # fmt: skip


@pytest.fixture(scope="module")
def panels(reconstruction, model) -> list[np.ndarray]:
    picture = render_preview(reconstruction, model, HEIGHT)
    assert picture.dtype == np.uint8 and picture.shape[0] == HEIGHT and picture.shape[2] == 3
    return split(picture)


def split(picture: np.ndarray) -> list[np.ndarray]:
    gap = max(2, HEIGHT // 192)
    width = (picture.shape[1] - 5 * gap) // 6
    return [picture[:, i * (width + gap) : i * (width + gap) + width].astype(int) for i in range(6)]


def test_the_textured_head_lies_on_the_photo(panels):
    photo, textured = panels[0], panels[5]
    inner = np.zeros(photo.shape[:2], bool)
    inner[HEIGHT // 3 : 2 * HEIGHT // 3, photo.shape[1] // 3 : photo.shape[1] // 2] = True
    skin = inner & (photo[..., 0] > photo[..., 1:].max(axis=-1) + 15)
    assert skin.sum() > 500
    assert np.abs(photo - textured)[skin].mean() < 4


def test_the_textured_panel_shows_nothing_of_the_background(panels):
    for panel in panels[4:]:
        cyan = np.abs(panel - (10, 220, 220)).max(axis=-1) < 40
        assert not cyan.any()


def test_the_relit_head_shows_the_light(reconstruction, model, panels):
    """Even light leaves the head a little darker than its albedo; light from one side makes that side brighter."""
    relit, flat = panels[4:]
    inner = np.zeros(flat.shape[:2], bool)
    inner[HEIGHT // 3 : 2 * HEIGHT // 3, flat.shape[1] // 3 : 2 * flat.shape[1] // 3] = True
    assert 0.75 < relit[inner].mean() / flat[inner].mean() < 1.05
    from_left = reconstruction.record.light.radiance.copy()
    from_left[3] = 0.5 * from_left[0]  # the subject's left is on the right of the picture
    picture = turned(changed(reconstruction, radiance=from_left), model, 0, 160).astype(int)
    assert picture[60:120, 90:110].mean() > 1.2 * picture[60:120, 50:70].mean()


def test_eyes_have_their_own_colours_not_the_photos_pixels(reconstruction, model, panels):
    green = changed(reconstruction, eyes=EyeLook((0.02, 0.5, 0.02), (0.4, 0.4, 0.4), 12.6, 1.0))
    drawn = split(render_preview(green, model, HEIGHT))
    for before, after in zip(panels[4:], drawn[4:], strict=True):
        greener = after[..., 1] - before[..., 1] > 40
        assert 10 < greener.sum() < 0.01 * greener.size
    for before, after in zip(panels[:4], drawn[:4], strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_overlay_draws_landmarks_and_wires_over_the_photo(panels):
    photo, overlay = panels[:2]
    green = (overlay[..., 1] > 200) & (overlay[..., 0] < 170) & (overlay[..., 2] < 170)
    assert green.sum() > 68
    changed = np.abs(photo - overlay).max(axis=-1) > 12
    assert 0.1 < changed.mean() < 0.9


def test_clay_is_lit_and_says_nothing_of_the_photo(reconstruction, model, panels):
    clay = panels[2]
    assert np.ptp(clay.sum(axis=-1)) > 250
    black = changed(
        reconstruction, photo=np.zeros_like(reconstruction.maps["photo"]), albedo=reconstruction.maps["albedo"] * 0
    )
    np.testing.assert_array_equal(split(render_preview(black, model, HEIGHT))[2], clay)


def test_relief_is_lit_from_the_left_in_its_panel_alone(reconstruction, model, panels):
    """Skin that rises to the subject's left, the right of the picture, turns to the light; where it falls, away."""
    atlas = make_atlas(model, 512)
    across = np.zeros((512, 512), np.float32)
    across[atlas.covered] = atlas.texels(model.mean[: model.skin.stop, :1])[:, 0]
    steps = texel_size_mm(model, atlas)
    height = HEIGHT
    middle = (slice(height // 3, 2 * height // 3), slice(panels[3].shape[1] // 3, 2 * panels[3].shape[1] // 3))
    brightness = []
    for rise in (0.3, -0.3):
        normal = normal_map(rise * across, steps, atlas.covered)
        tilted = split(render_preview(changed(reconstruction, normal=normal), model, height))
        for other in (0, 1, 2, 4, 5):
            np.testing.assert_array_equal(tilted[other], panels[other])
        brightness.append(tilted[3][middle].mean())
    assert brightness[0] > panels[3][middle].mean() + 10 > brightness[1] + 20


def test_the_box_holds_the_face_and_stays_within_the_photo(reconstruction, model):
    x0, y0, x1, y1 = head_box(reconstruction, model)
    points = reconstruction.record.observation.landmarks.sparse_px
    assert 0 <= x0 < points[:, 0].min() and points[:, 0].max() < x1 <= reconstruction.maps["photo"].shape[1]
    assert 0 <= y0 < points[:, 1].min() and points[:, 1].max() < y1 <= reconstruction.maps["photo"].shape[0]


def test_a_head_beside_the_photo_still_gives_a_picture(reconstruction, model):
    camera = replace(reconstruction.record.pose.perspective, center_px=np.array([5e3, 5e3]))
    picture = render_preview(changed(reconstruction, perspective=camera), model, 96)
    assert picture.shape[0] == 96 and picture[:, :40].std() > 0


@pytest.mark.parametrize("yaw_deg", [-60, 60])
def test_the_turned_head_shows_the_right_cheek(reconstruction, model, yaw_deg):
    left = model.mean[: model.skin.stop, 0] > 0
    uv = model.skin.uv_triangles()[:, 0]
    on_left = left[model.skin.triangles()[:, 0]]
    side = reconstruction.maps["albedo"].shape[0]
    texture = np.zeros_like(reconstruction.maps["albedo"])
    texture[..., 1] = 255
    corner = model.skin.uv[uv[on_left]].clip(0, 1)
    rows, columns = ((1 - corner[:, 1]) * (side - 1)).astype(int), (corner[:, 0] * (side - 1)).astype(int)
    for dy in range(-4, 5):
        for dx in range(-4, 5):
            texture[(rows + dy).clip(0, side - 1), (columns + dx).clip(0, side - 1)] = (255, 0, 0)
    picture = turned(changed(reconstruction, albedo=texture), model, yaw_deg, 160).astype(int)
    red = (picture[..., 0] > picture[..., 1] + 100).sum()
    green = (picture[..., 1] > picture[..., 0] + 100).sum()
    assert (red > green) == (yaw_deg < 0)


def turned(reconstruction: Reconstruction, model, yaw_deg: float, height: int) -> np.ndarray:
    """(height, height, 3) the head in the photo's light, both turned about the vertical axis; 0 faces the camera."""
    face = ~model.in_region("neck")
    points = reconstruction.record.pose.vertices[: model.skin.stop][face]
    angle, distance = np.radians(yaw_deg), 900.0
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn
    translation = np.array([0, 0, distance]) - rotation @ (points.min(axis=0) + points.max(axis=0)) / 2
    focal_px = height * distance / (1.25 * float(np.ptp(points[:, 1])))
    camera = PerspectiveCamera(rotation, translation, focal_px, np.full(2, height / 2), (height, height))
    frame = trace_frame(reconstruction.record.pose.vertices, model, camera, (height, height), (0, 0, height, height))
    appearance = appearance_of(reconstruction)
    return relit(appearance, paint_of(appearance, frame), frame)


def test_pixels_where_the_head_ends_or_folds_are_means_of_four(reconstruction, model):
    frame = front(reconstruction, model)
    width, height = frame.size
    cover = frame.cover.reshape(height, width)
    assert set(np.unique(cover)) == {0, 0.25, 0.5, 0.75, 1}
    border = (cover > 0) & (cover < 1)
    inside = cv2.erode((cover == 1).astype(np.uint8), np.ones((5, 5))) > 0
    split = np.bincount(frame.pixel, minlength=width * height).reshape(height, width) > 1
    assert border.sum() > height and 0.001 < split[inside].mean() < 0.15
    np.testing.assert_allclose(np.bincount(frame.pixel, frame.weight)[frame.pixel[frame.weight == 1]], 1)


def test_an_edge_is_beside_another_surface_or_one_that_lies_deeper():
    kind, distance = np.zeros((6, 7), int), np.full((6, 7), 1000.0, np.float32)
    kind[:, 6], distance[:, 6] = -1, np.inf
    distance[:, :2] += 40
    distance += np.arange(6, dtype=np.float32)[:, None] * 5  # a slope is none
    edges = shown_edges(kind.ravel(), distance.ravel(), 1e-3, (7, 6)).reshape(6, 7)
    np.testing.assert_array_equal(edges, np.tile(np.array([0, 1, 1, 0, 0, 1, 1], bool), (6, 1)))


def test_light_that_is_known_is_not_looked_for_again(reconstruction, model):
    """And shows what is found where it is not: nearly the same colours, and the given ones where they are others."""
    frame, appearance = front(reconstruction, model), appearance_of(reconstruction)
    paint, skin = paint_of(appearance, frame), model.skin.stop
    gloss = SkinGloss(np.full(skin, 0.55, np.float32), np.full(skin, 0.5, np.float32))
    eye = frame.camera.position()
    transfer = light_transfer(frame.vertices, frame.triangles, skin, eye, gloss, 3, directions=128)
    shading, shine = shade(transfer, appearance.radiance, np.full((skin, 3), 0.3))
    known = SkinLight(shading, shine, open_sky(transfer))
    found, given = (relit(appearance, paint, frame, light).astype(int) for light in (None, known))
    assert np.abs(found - given).mean() < 2
    darker = replace(known, shading=known.shading / 4)
    assert relit(appearance, paint, frame, darker).mean() < 0.8 * given.mean()
    cast, from_sky = (surface_of(frame, light).visibility for light in (None, known))
    assert np.abs(cast - from_sky).mean() < 0.05


def front(reconstruction: Reconstruction, model) -> Frame:
    """As the preview looks at the head."""
    pose = reconstruction.record.pose
    return trace_frame(pose.vertices, model, pose.perspective, (HEIGHT, HEIGHT), head_box(reconstruction, model))
