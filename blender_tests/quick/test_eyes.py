# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' colours: from drawn eyes, and from what cannot be."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE, to_srgb8
from facedetail_addon.core.eyes.estimate import estimate_eyes, notices
from facedetail_addon.core.eyes.look import as_bright, eye_colors, usual_inner
from facedetail_addon.core.eyes.pattern import PATTERN_REACH, iris_pattern
from facedetail_addon.core.eyes.prior import SCLERA_PRIOR
from facedetail_addon.core.eyes.sampling import EyeSample, sample_eye
from facedetail_addon.core.eyes.types import DEFAULT_EYES, EyeLook
from facedetail_addon.core.face_model.eyeball import Eyeball, cornea_height, fit_eyeball, lit_normals
from facedetail_addon.core.geometry.camera import PerspectiveCamera

BLUE, BROWN, BLACK = (0.10, 0.13, 0.16), (0.065, 0.040, 0.027), (0.016, 0.012, 0.011)
SIZE = (240, 140)
MIDDLE = np.array([120.0, 70.0])
SEEN = EyeSample(np.array(BLUE), 250, np.array([0.5, 0.46, 0.44]), 150, 12.6, 20.0, 10.0)


@pytest.fixture
def eye() -> Eyeball:
    """12.6 mm of iris are 60 px wide, seen from straight ahead."""
    return Eyeball(np.zeros(3), 14.65, np.array([0.0, 0.0, 1.0]))


@pytest.fixture
def camera(eye) -> PerspectiveCamera:
    focal = 60 / 12.6 * (600 - 0.9 * eye.radius)
    return PerspectiveCamera(np.diag([1.0, -1.0, -1.0]), np.array([0, 0, 600.0]), focal, MIDDLE, SIZE)


def lids() -> np.ndarray:
    """(16, 2) px of a right eye's, from the outer corner, on the left: 150 px wide, open 30 px below, 18 px above."""
    lower, upper = np.linspace(-75, 75, 9), np.linspace(-75, 75, 9)[1:-1]
    below = np.stack([lower, 30 * (1 - (lower / 75) ** 2)], axis=1)
    above = np.stack([upper, -18 * (1 - (upper / 75) ** 2)], axis=1)
    return MIDDLE + np.concatenate([below, above])


def ring_px() -> np.ndarray:
    """(5, 2) px of the landmarks' iris, a little wider than what is seen."""
    return MIDDLE + np.array([[0, 0], [30, 0], [0, -30], [-30, 0], [0, 30]]) / 0.97


def drawn(iris: tuple[float, ...], light: np.ndarray, inner: tuple[float, ...] | None = None) -> np.ndarray:
    """(H, W, 3) uint8: an eye with catchlights, lashes and skin around."""
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    place = (np.stack([x, y], axis=-1).reshape(-1, 2) - MIDDLE) / 30 * [1, -1]
    look = EyeLook(iris, (0.5, 0.46, 0.44), 12.6, 1.0, inner)
    colors = eye_colors(look, place, iris_pattern(look, "eye_right"))
    image = to_srgb8((colors * light).reshape(SIZE[1], SIZE[0], 3))
    within = np.zeros(image.shape[:2], np.uint8)
    outline = lids()
    cv2.fillPoly(within, [np.round(np.concatenate([outline[:9], outline[:8:-1]])).astype(np.int32)], 1)
    image[within == 0] = (190, 140, 120)
    for at in ((112, 62), (138, 80)):
        cv2.circle(image, at, 5, (255, 255, 255), -1)
    for start in range(60, 190, 12):
        cv2.line(image, (start, 45), (start + 4, 60), (20, 15, 12), 2)
    return image


def lit(light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    places = np.stack(np.meshgrid(np.linspace(-12, 12, 9), np.linspace(-9, 9, 7), [8.0]), axis=-1).reshape(-1, 3)
    return places, np.tile(np.float32(light), (len(places), 1))


@pytest.mark.parametrize("iris", [BLUE, BROWN, BLACK])
@pytest.mark.parametrize("light", [(1.0, 1.0, 1.0), (0.8, 0.6, 0.4)])
def test_a_drawn_eye_gives_back_its_colours(eye, camera, iris, light):
    found = sample_eye(drawn(iris, np.array(light)), lids(), ring_px(), eye, camera, *lit(light))
    np.testing.assert_allclose(found.iris, iris, rtol=0.15)
    np.testing.assert_allclose(found.white, (0.5, 0.46, 0.44), rtol=0.15)
    assert found.iris_mm == pytest.approx(12.6, abs=0.2)
    assert found.iris_pixels > 100


def test_an_eye_outside_or_too_small_is_none(eye, camera):
    image, light = drawn(BLUE, np.ones(3)), lit((1, 1, 1))
    assert sample_eye(image, lids() + [500, 0], ring_px() + [500, 0], eye, camera, *light) is None
    far = replace(camera, focal_px=camera.focal_px / 10)
    small = [MIDDLE + (points - MIDDLE) / 10 for points in (lids(), ring_px())]
    assert sample_eye(image, *small, eye, far, *light) is None


def test_a_closed_eye_shows_no_iris(eye, camera):
    closed = lids()
    closed[:, 1] = MIDDLE[1] + (closed[:, 1] - MIDDLE[1]) / 20
    found = sample_eye(drawn(BLUE, np.ones(3)), closed, ring_px(), eye, camera, *lit((1, 1, 1)))
    assert found is None or found.iris is None


def test_two_clear_eyes_are_believed():
    look = estimate_eyes([SEEN, SEEN], monochrome=False)
    np.testing.assert_allclose(look.iris, BLUE, rtol=0.12)
    assert look.confidence > 0.8
    assert look.iris_mm == pytest.approx(12.6)


@pytest.mark.parametrize("iris", [BLUE, (0.075, 0.070, 0.045)])
def test_a_hazel_ring_around_the_pupil_is_kept(eye, camera, iris):
    amber = as_bright(np.array([0.16, 0.09, 0.03]), iris)
    samples = [sample_eye(drawn(iris, np.ones(3), ring), lids(), ring_px(), eye, camera, *lit((1, 1, 1)))
               for ring in (amber, iris)]  # fmt: skip
    amber_ring, plain = (estimate_eyes([one, one], monochrome=False).iris_inner for one in samples)
    warmth = [np.log(ring[0] / ring[2]) for ring in (amber, amber_ring, plain, iris)]
    assert warmth[1] - warmth[3] > 0.4 * (warmth[0] - warmth[3])
    assert warmth[2] - warmth[3] < 0.3
    assert np.dot(amber_ring, LUMINANCE) == pytest.approx(
        np.dot(estimate_eyes([samples[0]], False).iris, LUMINANCE), rel=0.1
    )


def test_a_wide_pupil_is_no_ring(eye, camera):
    seen = sample_eye(drawn(BROWN, np.ones(3), (0.004, 0.004, 0.006)), lids(), ring_px(), eye, camera, *lit((1, 1, 1)))
    assert seen.inner is None
    assert estimate_eyes([seen], monochrome=False).iris_inner == usual_inner(estimate_eyes([seen], False).iris)


def test_whites_tell_how_the_light_on_the_eyes_is_tinted():
    """A warmer light than was estimated makes whites and irises alike warmer."""
    light = np.array([1.2, 1.0, 0.8])
    white = np.exp(SCLERA_PRIOR.mean)
    plain, warm = (
        estimate_eyes([replace(SEEN, iris=np.array(BROWN) * tint, white=white * tint)] * 2, monochrome=False).iris
        for tint in (1.0, light)
    )
    assert 1.02 < (warm[0] / warm[2]) / (plain[0] / plain[2]) < 1.3  # of 1.5


def test_noise_gives_no_purple_iris():
    purple = replace(SEEN, iris=np.array([0.10, 0.03, 0.12]), iris_pixels=12)
    found = np.array(estimate_eyes([purple], monochrome=False).iris)
    assert found[1] > 0.75 * np.sqrt(found[0] * found[2])  # of 0.27
    assert estimate_eyes([purple], monochrome=False).confidence < 0.3


def test_small_irises_that_differ_in_blue_alone_stay_brown():
    few = [replace(SEEN, iris=np.array([0.12, 0.065, blue]), iris_pixels=15) for blue in (0.015, 0.034)]
    red, green, _ = estimate_eyes(few, monochrome=False).iris
    assert red > 0.075
    assert red / green > 1.6, "it is 1.85 in the photo; 1.5 where all colours are doubted alike"


def test_eyes_that_differ_are_believed_less_and_the_sharper_one_more():
    brown = replace(SEEN, iris=np.array(BROWN))
    sharp_blue = estimate_eyes([SEEN, replace(brown, sharpness=2.0)], monochrome=False)
    sharp_brown = estimate_eyes([replace(SEEN, sharpness=2.0), brown], monochrome=False)
    assert sharp_blue.confidence < estimate_eyes([SEEN, SEEN], monochrome=False).confidence - 0.1
    assert np.array(sharp_blue.iris) @ LUMINANCE > 1.2 * (np.array(sharp_brown.iris) @ LUMINANCE)


@pytest.mark.parametrize("samples", [[], [replace(SEEN, iris=np.array([0.7, 0.7, 0.75]))]], ids=["unseen", "glare"])
def test_what_is_not_seen_is_a_usual_brown_and_says_so(model, samples):
    look = estimate_eyes(samples, monochrome=False)
    assert look.iris == DEFAULT_EYES.iris and look.confidence == 0
    assert [notice.code for notice in notices(look, model, False)] == ["eye_colour"]
    skin_only = replace(model, parts=model.parts[:1])
    assert notices(look, skin_only, False) == ()


def test_a_grey_photo_gives_grey_eyes_of_their_brightness():
    light, dark = (estimate_eyes([replace(SEEN, iris=np.array(iris))], monochrome=True) for iris in (BLUE, BLACK))
    assert len(set(light.iris)) == len(set(dark.iris)) == len(set(light.sclera)) == 1
    assert light.iris[0] > 3 * dark.iris[0]


def looking(iris: tuple[float, ...]) -> EyeLook:
    return EyeLook(iris, (0.5, 0.46, 0.44), 12.6, 1.0)


def on_polar_grid(pattern: np.ndarray) -> np.ndarray:
    """(30, 720, 3) of a pattern between 0.55 and 0.85 radii."""
    radius, angle = np.meshgrid(np.linspace(0.55, 0.85, 30), np.linspace(0, 2 * np.pi, 720), indexing="ij")
    half = len(pattern) / 2
    at = [
        np.float32(half * (1 + sign * radius * wave(angle) / PATTERN_REACH))
        for sign, wave in ((1, np.cos), (-1, np.sin))
    ]
    return cv2.remap(pattern, *at, cv2.INTER_LINEAR)


@pytest.mark.parametrize("iris", [BLUE, BROWN, BLACK])
def test_fibres_leave_an_iris_its_colour_and_run_outwards(iris):
    polar = on_polar_grid(iris_pattern(looking(iris), "eye_left"))
    np.testing.assert_allclose(np.average(polar, axis=(0, 1)), 1, atol=0.03)
    light = np.log(polar @ LUMINANCE)
    assert light.std() > 0.1
    along, around = np.diff(light, axis=0), np.diff(light, axis=1)
    # A step is 0.010 radii outwards, and 0.006 around at 0.7: no less.
    assert around.std() > 1.5 * along.std() * 0.6


def test_every_eye_has_fibres_of_its_own_and_always_the_same():
    first = iris_pattern(looking(BLUE), "eye_left")
    np.testing.assert_array_equal(first, iris_pattern(looking(BLUE), "eye_left"))
    for other in (iris_pattern(looking(BLUE), "eye_right"), iris_pattern(looking((0.10, 0.13, 0.161)), "eye_left")):
        polar = [np.log(on_polar_grid(pattern) @ LUMINANCE).ravel() for pattern in (first, other)]
        assert abs(np.corrcoef(polar)[0, 1]) < 0.5


def test_light_falls_on_the_iris_behind_the_cornea_and_on_a_ball_beside_it(model):
    part = model.eyes["left"]
    vertices = part.of(model.mean)
    found = fit_eyeball(part, vertices)
    assert 1.8 < cornea_height(found, vertices) < 2.8
    ball = (vertices - found.center) / np.linalg.norm(vertices - found.center, axis=1, keepdims=True)
    lit = lit_normals(found, vertices, ball)
    tilt = np.degrees(np.arccos(np.clip(ball @ found.gaze, -1, 1)))
    assert (lit[tilt < 18] @ found.gaze > 0.999).all()
    np.testing.assert_allclose(lit[tilt > 32], ball[tilt > 32], atol=1e-5)
