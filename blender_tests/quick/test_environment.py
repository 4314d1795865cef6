# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the light: positive, true to the coefficients where any light can be, and smooth where none can."""

import numpy as np
import pytest

from blender_tests.equirectangular import image_solid_angles
from facedetail_addon.core.rendering.environment import (
    environment_image,
    image_directions,
    nonnegative,
    split_sun,
    studio_image,
)
from facedetail_addon.core.rendering.harmonics import band_index, evaluate, fibonacci_sphere, project

HEIGHT = 64
EVEN = np.sqrt(4 * np.pi)
"""First coefficient of an even light of radiance 1."""
LAMP = np.array([0.48, 0.6, 0.64])
FLOOR = 1.01e-5


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 1.4])
def test_coefficients_of_a_possible_light_are_kept(slope):
    radiance = tilted(slope, (1.0, 0.8, 0.5))
    np.testing.assert_allclose(nonnegative(radiance), radiance, atol=1e-5)
    np.testing.assert_allclose(coefficients_of(environment_image(radiance, HEIGHT), 3), radiance, atol=2e-3)


@pytest.mark.parametrize("bands", [2, 3, 5, 9])
def test_coefficients_of_light_that_was_measured_are_kept(bands):
    """What an environment shows can be shown: coefficients of positive lamps of three colours, up to 81 of them."""
    radiance = coefficients_of(lamps(6.0), bands)
    np.testing.assert_allclose(nonnegative(radiance), radiance, atol=1e-5)
    picture = environment_image(radiance, HEIGHT)
    np.testing.assert_allclose(coefficients_of(picture, bands), radiance, atol=2e-3 * radiance[0].max())
    assert picture.min() > 0


@pytest.mark.parametrize("slope", [1.0, 2.3, 6.0])
@pytest.mark.parametrize("height", [32, 128])
def test_pictures_are_positive_finite_and_twice_as_wide_as_high(slope, height):
    picture = environment_image(tilted(slope, (1.0, 1.0, 1.0)), height)
    assert picture.shape == (height, 2 * height, 3) and picture.dtype == np.float32
    assert np.isfinite(picture).all() and picture.min() > 0


@pytest.mark.parametrize("seed", range(6))
def test_the_picture_shows_what_it_is_said_to_show(seed):
    """Cutting negative light off at black would change the coefficients; that it has these is the proof it was not."""
    radiance = random_light(seed)
    said = nonnegative(radiance)
    shown = coefficients_of(environment_image(radiance, HEIGHT), 3)
    np.testing.assert_allclose(shown, said, atol=2e-3 * np.abs(said).max())


@pytest.mark.parametrize("radiance", ["tilted 2.3", "tilted 6", "random 2", "random 3"])
def test_impossible_coefficients_are_damped_band_by_band(radiance):
    radiance = impossible(radiance)
    damped = nonnegative(radiance)
    np.testing.assert_allclose(damped[0], radiance[0], rtol=1e-6)
    factors = []
    for band in range(3):
        rows = band_index(3) == band
        factors.append(float((damped[rows] * radiance[rows]).sum() / max((radiance[rows] ** 2).sum(), 1e-9)))
        np.testing.assert_allclose(damped[rows], factors[-1] * radiance[rows], atol=1e-5)
    assert factors[1] < 1 and 0 <= factors[2] <= factors[1]
    np.testing.assert_allclose(nonnegative(damped), damped, atol=1e-4 * radiance[0].max())


@pytest.mark.parametrize("radiance", ["tilted 2.3", "tilted 6", "random 2", "random 3"])
def test_impossible_coefficients_leave_no_black_areas(radiance):
    picture = environment_image(impossible(radiance), HEIGHT)
    share = image_solid_angles(HEIGHT)[..., None] / (4 * np.pi)
    black = ((picture < FLOOR) * share).sum(axis=(0, 1))
    assert black.max() < 0.1


@pytest.mark.parametrize("bands", [3, 5])
@pytest.mark.parametrize("width", [0.0, 0.05, 0.2])
def test_a_lamp_is_brightest_where_it_is(bands, width):
    """From a point (width 0) to a wide glow: light spread by the heat kernel, which is positive."""
    band = band_index(bands)
    lamp = evaluate(LAMP, bands) * np.exp(-width * band * (band + 1) / 2)
    picture = environment_image(np.repeat(lamp[:, None], 3, axis=1), HEIGHT)[..., 0]
    brightest = image_directions(HEIGHT).reshape(-1, 3)[picture.argmax()]
    assert degrees_between(brightest, LAMP) < 5


def test_darkness_gives_a_dark_picture():
    assert environment_image(np.zeros((9, 3)), 32).max() < FLOOR
    assert np.abs(nonnegative(np.zeros((9, 3)))).max() < 1e-4


@pytest.mark.parametrize("missing", [0.0, -1.0])
def test_a_light_without_blue_has_a_dark_blue_channel_only(missing):
    radiance = tilted(0.8, (1.0, 0.7, 0.0))
    radiance[0, 2] = missing
    picture = environment_image(radiance, HEIGHT)
    assert picture[..., 2].max() < FLOOR
    np.testing.assert_allclose(coefficients_of(picture, 3)[:, :2], radiance[:, :2], atol=2e-3)


def test_eighty_one_wild_coefficients_still_give_a_light():
    radiance = np.random.default_rng(0).normal(size=(81, 3))
    radiance[0] = EVEN
    picture = environment_image(radiance, HEIGHT)
    assert picture.min() > 0 and np.isfinite(picture).all()
    np.testing.assert_allclose(coefficients_of(picture, 1)[0], radiance[0], rtol=0.01)


def test_one_coefficient_is_an_even_light():
    picture = environment_image(np.array([[EVEN, EVEN / 2, EVEN / 4]]), 32)
    np.testing.assert_allclose(picture, np.broadcast_to([1, 0.5, 0.25], picture.shape), rtol=1e-4)


def test_brightness_only_scales_the_picture():
    radiance = tilted(2.3, (1.0, 0.8, 0.5))
    once, thousand = environment_image(radiance, 32), environment_image(1000 * radiance, 32)
    bright = once > 1e-3
    np.testing.assert_allclose(thousand[bright], 1000 * once[bright], rtol=1e-3)


def test_the_same_light_gives_the_same_picture():
    radiance = random_light(4)
    np.testing.assert_array_equal(environment_image(radiance, 32), environment_image(radiance.copy(), 32))


@pytest.mark.parametrize("function", [environment_image, nonnegative, split_sun])
def test_what_is_no_light_is_refused(function):
    for value in (np.nan, np.inf):
        radiance = tilted(0.5, (1.0, 1.0, 1.0))
        radiance[4, 1] = value
        with pytest.raises(ValueError, match="finite"):
            function(radiance)
    for shape in ((8, 3), (9, 4), (9,)):
        with pytest.raises(ValueError):
            function(np.ones(shape))


@pytest.mark.parametrize("bands", [3, 5])
@pytest.mark.parametrize("sharpness", [4.0, 15.0])
def test_sun_is_found_and_taken_out_of_the_light(bands, sharpness):
    glow = np.exp(sharpness * (image_directions(128) @ LAMP - 1))[..., None]
    radiance = coefficients_of(np.array([0.5, 0.45, 0.6]) + glow * [4.0, 3.5, 2.5], bands)
    sun, rest = split_sun(radiance)
    assert degrees_between(sun.direction, LAMP) < 2 and sun.angle_deg > 0
    assert sun.irradiance.min() > 0 and sun.irradiance[0] > sun.irradiance[1] > sun.irradiance[2]
    both = rest + np.outer(evaluate(sun.direction, bands), sun.irradiance)
    np.testing.assert_allclose(both[:9], radiance[:9], atol=1e-4)
    np.testing.assert_allclose(nonnegative(rest), rest, atol=2e-3 * radiance[0].max())
    assert environment_image(rest, HEIGHT).min() > 0
    assert np.linalg.norm(rest[1:4]) < 0.8 * np.linalg.norm(radiance[1:4])


def test_all_of_a_sun_in_an_even_sky_is_found():
    irradiance = np.array([1.5, 1.3, 1.0])
    radiance = np.outer(evaluate(LAMP, 3), irradiance)
    radiance[0] += EVEN * 0.5
    sun, rest = split_sun(radiance)
    np.testing.assert_allclose(sun.irradiance, irradiance, rtol=1e-3)
    np.testing.assert_allclose(rest, np.outer([EVEN * 0.5, *[0] * 8], np.ones(3)), atol=1e-3)


def test_an_even_light_has_no_sun():
    radiance = tilted(0.0, (1.0, 0.9, 0.8))
    sun, rest = split_sun(radiance)
    np.testing.assert_array_equal(sun.irradiance, 0)
    np.testing.assert_allclose(rest, radiance, atol=1e-6)


def test_studio_is_neutral_and_lights_a_frontal_white_surface_to_one():
    picture = studio_image(HEIGHT)
    assert picture.shape == (HEIGHT, 2 * HEIGHT, 3) and picture.min() > 0.01 and np.isfinite(picture).all()
    assert np.ptp(picture, axis=-1).max() == 0
    assert shown_by_white(picture, np.array([0.0, 0, 1])) == pytest.approx(1, abs=0.1)
    right, left = (shown_by_white(picture, np.array([side, 0.0, 1]) / np.sqrt(2)) for side in (-1, 1))
    assert right > 1.2 * left  # the key light models the face
    assert shown_by_white(picture, np.array([0.0, 1, 0])) > 3 * shown_by_white(picture, np.array([0.0, -1, 0]))


def test_pixels_cover_the_sphere():
    directions, solid_angles = image_directions(48), image_solid_angles(48)
    assert solid_angles.sum() == pytest.approx(4 * np.pi)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1, atol=1e-12)
    np.testing.assert_allclose((directions * solid_angles[..., None]).sum(axis=(0, 1)), 0, atol=1e-9)
    assert (directions[0, :, 1] > 0.99).all() and (directions[-1, :, 1] < -0.99).all()  # row 0 is up


def tilted(slope: float, color: tuple[float, float, float]) -> np.ndarray:
    """(9, 3) radiance color · (1 + slope · cosine towards the lamp); for a slope beyond 1.7 no light has these."""
    radiance = np.zeros((9, 3))
    radiance[0] = EVEN
    radiance[1:4] = slope * evaluate(LAMP, 2)[1:4, None] * 4 * np.pi / 3
    return radiance * color


def random_light(seed: int) -> np.ndarray:
    radiance = np.random.default_rng(seed).normal(0, 1.5, (9, 3))
    radiance[0] = EVEN
    return radiance


def impossible(name: str) -> np.ndarray:
    kind, value = name.split()
    return tilted(float(value), (1.0, 0.8, 0.5)) if kind == "tilted" else random_light(int(value))


def lamps(sharpness: float) -> np.ndarray:
    """(H, 2H, 3) a dim room with a coloured lamp per channel."""
    directions = image_directions(HEIGHT)
    return np.stack([0.3 + 3 * np.exp(sharpness * (directions @ at - 1)) for at in fibonacci_sphere(3)], axis=-1)


def coefficients_of(picture: np.ndarray, bands: int) -> np.ndarray:
    height = len(picture)
    return project(picture, image_directions(height), image_solid_angles(height), bands)


def shown_by_white(picture: np.ndarray, normal: np.ndarray) -> float:
    """What a white diffuse surface shows under a picture, by adding up its pixels."""
    received = (image_directions(len(picture)) @ normal).clip(0) * image_solid_angles(len(picture))
    return float((received * picture[..., 0]).sum() / np.pi)


def degrees_between(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(first @ second, -1, 1))))
