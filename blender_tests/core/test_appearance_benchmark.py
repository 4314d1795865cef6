# SPDX-License-Identifier: GPL-3.0-or-later
"""The appearance benchmark's rulers: known light, known albedo, known pictures give known numbers."""

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.face_model.model import FACE_REGIONS
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.rendering.harmonics import evaluate, lambert, rotation
from scripts.benchmark.appearance.borders import _filled, _rims, _strange
from scripts.benchmark.appearance.brows import brow_errors, report_brows
from scripts.benchmark.appearance.heads import SIZE, load_painter, make_head, refined, seen_vertices
from scripts.benchmark.appearance.lights import Light, lamp, plain_light, random_light
from scripts.benchmark.appearance.measure import (
    albedo_errors,
    angle_deg,
    brightest,
    delta_e,
    light_errors,
    psnr,
    shading_leak,
    ssim,
)
from scripts.benchmark.errors import best_factor

FRONT = np.array([0.0, 0.0, 1.0])


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture
def light(rng):
    return random_light(rng, np.diag([1.0, -1.0, -1.0]), 0.6).harmonics(3)


def test_the_true_light_has_no_error(light):
    errors = light_errors(light, light, FRONT)
    assert errors.relative == pytest.approx(0, abs=1e-9)
    assert errors.lit == pytest.approx(0, abs=1e-9)
    assert errors.direction_deg == pytest.approx(0, abs=1e-6)
    assert errors.tint_deg == pytest.approx(0, abs=1e-6)
    assert errors.stops == pytest.approx(0, abs=1e-9)
    assert errors.directed > 0.3


def test_a_brighter_light_is_only_brighter(light):
    errors = light_errors(4 * light, light, FRONT)
    assert errors.stops == pytest.approx(2)
    assert errors.relative == pytest.approx(0, abs=1e-9)
    assert errors.direction_deg == pytest.approx(0, abs=1e-6)


def test_turning_a_light_turns_its_direction(light):
    towards = brightest(light)
    across = np.cross(towards, [0.3, 1.0, 0.2])
    turn = Rotation.from_rotvec(np.radians(25) * across / np.linalg.norm(across)).as_matrix()
    turned = rotation(turn, 3) @ light
    errors = light_errors(turned, light, FRONT)
    assert errors.direction_deg == pytest.approx(25, abs=1e-3)
    expected = np.linalg.norm(best_factor(turned, light) * turned - light) / np.linalg.norm(light)
    assert errors.relative == pytest.approx(expected)
    assert errors.relative > 0.05
    assert errors.stops == pytest.approx(0, abs=1e-9)


def test_a_tint_is_an_angle_between_colours(light):
    errors = light_errors(light * [1.2, 1.0, 0.8], light, FRONT)
    assert errors.tint_deg == pytest.approx(angle_deg(light[0] * [1.2, 1.0, 0.8], light[0]))
    assert 5 < errors.tint_deg < 15


def test_light_that_no_seen_surface_shows_is_not_counted_as_seen(light):
    """A lamp straight behind the head: a wrong light, but hardly any wrong picture."""
    up = np.array([0.0, 1.0, 0.0])
    behind = Light(
        up, np.zeros(3), np.zeros(3), (lamp(-FRONT, 15.0, np.full(3, light[0].mean() / np.sqrt(4 * np.pi))),)
    )
    errors = light_errors(light + behind.harmonics(3), light, FRONT)
    assert errors.relative > 0.4
    assert errors.lit < 0.15


def test_a_point_is_as_directed_as_can_be_and_even_light_not_at_all():
    up = np.array([0.0, 1.0, 0.0])
    white, black = np.ones(3), np.zeros(3)
    point = Light(up, black, black, (lamp([0.6, 0.0, 0.8], 3.0, white),)).harmonics(3)
    even = Light(up, white, white, ()).harmonics(3)
    assert light_errors(point, point, FRONT).directed == pytest.approx(np.sqrt(3), rel=0.01)
    assert light_errors(even, even, FRONT).directed == pytest.approx(0, abs=1e-3)
    assert angle_deg(brightest(point), [0.6, 0.0, 0.8]) < 0.5


def test_a_lamp_gives_as_much_light_as_its_colour_all_around():
    up, colour = np.array([0.0, 1.0, 0.0]), np.array([0.9, 0.7, 0.5])
    for width in (12.0, 45.0):
        found = Light(up, np.zeros(3), np.zeros(3), (lamp([0.0, 0.6, -0.8], width, colour),)).harmonics(1)
        assert found[0] == pytest.approx(colour * np.sqrt(4 * np.pi), rel=0.01)


def test_random_light_is_positive_and_as_directed_as_asked(rng):
    to_camera = Rotation.from_euler("y", 20, degrees=True).as_matrix()
    directions = rng.standard_normal((500, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    measured = []
    for share in (0.05, 0.4, 0.9):
        lights = [random_light(np.random.default_rng(n), to_camera, share) for n in range(12)]
        assert min(one.radiance(directions).min() for one in lights) > 0
        harmonics = [one.harmonics(3) for one in lights]
        measured.append(np.mean([light_errors(one, one, FRONT).directed for one in harmonics]))
        assert min(light_errors(one, one, FRONT).directed for one in harmonics) > 0
    assert measured[0] < 0.45 < 0.8 < measured[2]
    assert measured == sorted(measured)


def test_the_true_albedo_has_no_error(rng):
    truth, shading = rng.uniform(0.05, 0.6, (400, 3)), rng.uniform(0.2, 1.5, (400, 1)).repeat(3, axis=1)
    errors = albedo_errors(truth, truth, shading)
    assert (errors.delta_e, errors.delta_e_scaled, errors.si_rmse, errors.leak) == pytest.approx((0, 0, 0, 0), abs=1e-9)


def test_factors_are_told_apart_from_errors(rng):
    truth, shading = rng.uniform(0.05, 0.4, (400, 3)), rng.uniform(0.2, 1.5, (400, 3))
    grey = albedo_errors(2 * truth, truth, shading)
    assert grey.si_rmse == pytest.approx(0, abs=1e-9)
    assert grey.delta_e > 10
    tinted = albedo_errors(truth * [1.5, 1.0, 0.7], truth, shading)
    assert tinted.delta_e_scaled == pytest.approx(0, abs=1e-6)
    assert tinted.delta_e > 5
    assert tinted.si_rmse > 0.1


def test_black_and_white_are_a_hundred_apart():
    assert delta_e(np.ones((1, 3)), np.zeros((1, 3)))[0] == pytest.approx(100, abs=0.01)


def test_leak_has_the_sign_of_what_was_left(rng):
    truth = rng.uniform(0.2, 0.5, (2000, 1)) * [1.0, 0.7, 0.6]
    shading = np.exp(rng.normal(size=(2000, 1)) * 0.4).repeat(3, axis=1)
    assert shading_leak(truth * shading, truth, shading) == pytest.approx(1)
    assert shading_leak(truth / shading**0.3, truth, shading) == pytest.approx(-1)
    noise = np.exp(rng.normal(size=(2000, 1)) * 0.2)
    assert abs(shading_leak(truth * noise, truth, shading)) < 0.06
    # Half of the error is shading, half is not: correlation √½.
    mixed = truth * shading**0.5 * noise
    assert shading_leak(mixed, truth, shading) == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_leak_of_what_does_not_vary_is_none(rng):
    truth = rng.uniform(0.2, 0.5, (50, 3))
    assert shading_leak(2 * truth, truth, rng.uniform(0.2, 1, (50, 3))) == 0
    assert shading_leak(truth**2, truth, np.ones((50, 3))) == 0


def test_psnr_and_ssim_look_inside_the_mask_only(rng):
    truth = rng.integers(40, 200, (60, 60, 3)).astype(np.uint8)
    found = truth.copy()
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:25] = True
    found[10:50, 45:] = 0
    assert psnr(found, truth, mask) == 60
    assert ssim(found, truth, mask) == pytest.approx(1)
    off = truth.copy()
    off[mask] += 10
    assert psnr(off, truth, mask) == pytest.approx(20 * np.log10(25.5), abs=1e-6)
    assert psnr(off, truth, ~mask) == 60
    assert ssim(255 - truth, truth, mask) < 0.1


def test_the_plain_estimate_finds_the_light_of_a_lambertian_ball(light, rng):
    normals = rng.standard_normal((3000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    albedo = np.full((3000, 3), 0.4) * [1.0, 0.8, 0.7]
    shading = evaluate(normals, 3) @ (lambert(3)[:, None] * light)
    lit = (shading @ LUMINANCE) > 0.05
    found, found_shading = plain_light((albedo * shading)[lit], normals[lit], albedo[lit])
    assert light_errors(found, light, FRONT).relative < 1e-3
    assert found_shading == pytest.approx(shading[lit], rel=1e-3, abs=1e-3)


def test_refined_triangles_cover_the_same_surface(rng):
    corners = rng.standard_normal((4, 3))
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    fine, four = refined(corners, triangles)
    assert (fine[:4] == corners).all()
    assert (len(fine), four.shape) == (4 + 5, (8, 3))

    def areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
        a, b, c = (points[faces[:, i]] for i in range(3))
        return np.cross(b - a, c - a) / 2

    assert areas(fine, four).reshape(2, 4, 3).sum(1) == pytest.approx(areas(corners, triangles))


def test_heads_are_the_same_again_and_differ_from_each_other():
    model, painter = load_painter()
    first, again, other = (make_head(number, model, painter) for number in (0, 0, 1))
    assert (first.albedo == again.albedo).all()
    assert (first.light.harmonics(3) == again.light.harmonics(3)).all()
    assert not np.allclose(first.vertices, other.vertices, atol=1)
    assert (first.subsurface, other.subsurface) == (False, True)
    assert 0 < first.albedo.min() < first.albedo.max() < 1
    assert abs(first.sample.yaw_deg) <= 30


def test_seen_vertices_face_the_camera_and_lie_in_the_face():
    model, painter = load_painter()
    head = make_head(0, model, painter)
    camera = head.sample.camera
    rows = seen_vertices(model, head.vertices, camera)
    names = {model.region_names[region] for region in np.unique(model.region[rows])}
    assert names == set(FACE_REGIONS)
    inside = camera.project(head.vertices[rows])
    assert inside.min() > 0
    assert inside.max() < SIZE
    depths = head.vertices @ camera.rotation[2]
    assert depths[rows].mean() < depths.mean() - 20
    turned = PerspectiveCamera(
        camera.rotation @ np.diag([-1.0, 1.0, -1.0]),
        camera.translation,
        camera.focal_px,
        camera.center_px,
        (SIZE, SIZE),
    )
    assert len(seen_vertices(model, head.vertices, turned)) < 0.02 * len(rows)


def test_the_rulers_of_borders_know_plain_skin_and_what_is_wrong_with_it(model, atlas):
    """Skin of one colour has no rims and is filled in rightly; a white rim and a purple neck are told."""
    colour = np.float32([0.12, 0.06, 0.04])
    plain = np.tile(colour, (model.skin.stop, 1))
    assert all(abs(value) < 1e-3 for value in _rims(plain, plain, model).values())
    unseen = model.in_region("neck").astype(np.float32)
    assert _filled(plain, colour, 1 - unseen, model) == {"neck": pytest.approx(0, abs=1e-3)}
    purple = np.where(unseen[:, None] > 0, np.float32([0.08, 0.05, 0.12]), plain)
    assert _filled(purple, colour, 1 - unseen, model)["neck"] > 10
    texture = atlas.picture(purple.astype(np.float32))
    found = _strange(cv2.resize(texture, (512, 512), interpolation=cv2.INTER_AREA), colour, model, atlas.areas)
    counted = atlas.areas * ~model.in_region("scalp", "socket", "mouth", "eyes")
    neck = 100 * (counted * unseen).sum() / counted.sum()
    assert found["purple"] == pytest.approx(neck, rel=0.1) and found["yellow"] < 1
    lit = np.where(model.in_region("mouth")[:, None], 3 * colour, plain)
    assert _rims(lit, plain, model)["lips"] > 0.05


@pytest.fixture
def browed(rng):
    """(256, 256, 3) skin with a dark brow of single hairs, where it lies in mm, and no relief."""
    down = np.abs(np.arange(256) - 128)[:, None] * 1.6 + np.zeros(256)
    skin = np.broadcast_to(np.float32([0.4, 0.25, 0.18]), (256, 256, 3))
    hair = (down < 8) * (1 + 0.3 * rng.standard_normal((256, 256)))
    picture = (skin * np.exp(-hair[..., None] * [0.7, 0.9, 1.0])).astype(np.float32)
    return picture, (8 - down).astype(np.float32), np.zeros((256, 256), np.float32), np.ones((256, 256), bool)


def test_the_photos_own_brows_have_no_error(browed):
    picture, brows, flat, seen = browed
    errors = brow_errors("same", picture, picture, flat, brows, seen)
    assert (errors.delta_e, errors.paler, errors.redder, errors.relief_um) == (0, 0, 0, 0)
    assert errors.contrast == pytest.approx(1) and errors.alike == pytest.approx(1)


def test_paler_redder_flatter_and_grooved_brows_are_told(browed, rng):
    picture, brows, flat, seen = browed
    hair = (brows > -1)[..., None]
    paler, redder = (picture * np.exp(hair * np.float32(change)) for change in ([0.2, 0.2, 0.2], [0.2, 0, 0]))
    assert brow_errors("", paler, picture, flat, brows, seen).paler == pytest.approx(0.2, abs=0.02)
    assert brow_errors("", redder, picture, flat, brows, seen).redder == pytest.approx(0.2, abs=0.02)
    smooth = np.where(hair, picture[hair[..., 0]].mean(axis=0), picture).astype(np.float32)
    assert brow_errors("", smooth, picture, flat, brows, seen).contrast < 0.5
    grooves = 0.05 * rng.standard_normal(flat.shape)
    assert brow_errors("", picture, picture, grooves, brows, seen).relief_um == pytest.approx(50, rel=0.1)


def test_brows_that_are_hidden_have_no_figures_and_the_rest_is_reported(browed):
    picture, brows, flat, seen = browed
    assert brow_errors("", picture, picture, flat, brows, ~seen) is None
    lines = []
    figures = report_brows([brow_errors("a face", picture, picture, flat, brows, seen)], 2, lines)
    assert figures["missed"] == 1 and figures["delta_e"] == 0 and any("a face" in line for line in lines)
    assert report_brows([], 1, lines) == {"count": 0, "missed": 1}
