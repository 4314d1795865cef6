# SPDX-License-Identifier: GPL-3.0-or-later
"""Spherical harmonics against quadrature, against turned directions and against turned pictures."""

import numpy as np
import pytest
from numpy.polynomial import legendre
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from blender_tests.equirectangular import image_solid_angles
from facedetail_addon.core.rendering.environment import image_directions
from facedetail_addon.core.rendering.harmonics import (
    band_index,
    bands_of,
    evaluate,
    fibonacci_sphere,
    lambert,
    project,
    rotation,
    window,
)

MOST_BANDS = 9


def test_harmonics_are_orthonormal_over_the_sphere():
    directions, solid_angles = quadrature(MOST_BANDS)
    values = evaluate(directions, MOST_BANDS).astype(np.float64)
    products = (values * solid_angles[:, None]).T @ values
    np.testing.assert_allclose(products, np.eye(MOST_BANDS**2), atol=1e-6)


def test_second_band_is_y_z_x():
    directions = fibonacci_sphere(200)
    wanted = np.sqrt(3 / (4 * np.pi)) * directions[:, [1, 2, 0]]
    np.testing.assert_allclose(evaluate(directions, 2)[:, 1:], wanted, atol=1e-6)
    np.testing.assert_allclose(evaluate(directions, 2)[:, 0], np.sqrt(1 / (4 * np.pi)), atol=1e-6)


def test_third_band_is_the_known_polynomials():
    x, y, z = (directions := fibonacci_sphere(200)).T
    half = np.sqrt(15 / (4 * np.pi))
    zonal = np.sqrt(5 / (16 * np.pi)) * (3 * z**2 - 1)
    wanted = np.stack([half * x * y, half * y * z, zonal, half * x * z, half / 2 * (x**2 - y**2)], axis=1)
    np.testing.assert_allclose(evaluate(directions, 3)[:, 4:], wanted, atol=1e-6)


def test_every_band_adds_up_to_its_legendre_polynomial():
    """Σₘ Y(a) Y(b) = (2l + 1) / 4π · P_l(a · b), the addition theorem."""
    first, second = fibonacci_sphere(40), fibonacci_sphere(50)
    products = evaluate(first, MOST_BANDS)[:, None].astype(np.float64) * evaluate(second, MOST_BANDS)[None]
    for band in range(MOST_BANDS):
        wanted = (2 * band + 1) / (4 * np.pi) * legendre.Legendre.basis(band)(first @ second.T)
        np.testing.assert_allclose(products[..., band_index(MOST_BANDS) == band].sum(axis=-1), wanted, atol=3e-6)


def test_shape_follows_the_directions():
    directions = fibonacci_sphere(24).reshape(2, 3, 4, 3)
    values = evaluate(directions, 4)
    assert values.shape == (2, 3, 4, 16) and values.dtype == np.float32
    np.testing.assert_array_equal(values[1, 2, 3], evaluate(directions[1, 2, 3], 4))


@pytest.mark.parametrize("bands", range(1, MOST_BANDS + 1))
def test_rotation_turns_what_the_coefficients_describe(bands):
    matrix = turn(bands)
    directions, solid_angles = quadrature(bands)
    coefficients = np.random.default_rng(bands).normal(size=(bands**2, 3))
    turned = rotation(matrix, bands) @ coefficients
    before = double_values(directions @ matrix, bands) @ coefficients
    np.testing.assert_allclose(turned, project(before, directions, solid_angles, bands), atol=1e-10)


@pytest.mark.parametrize("seed", [0, 1])
def test_rotation_is_orthogonal_and_composes(seed):
    first, second = turn(seed), turn(seed + 10)
    one, other = rotation(first, MOST_BANDS), rotation(second, MOST_BANDS)
    np.testing.assert_allclose(one @ one.T, np.eye(MOST_BANDS**2), atol=1e-10)
    np.testing.assert_allclose(other @ one, rotation(second @ first, MOST_BANDS), atol=1e-10)
    np.testing.assert_allclose(rotation(first.T, MOST_BANDS), one.T, atol=1e-10)


@pytest.mark.parametrize("matrix", [np.eye(3), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1]), np.diag([1.0, -1, -1])])
def test_rotation_by_half_turns_only_changes_signs(matrix):
    turned = rotation(matrix, MOST_BANDS)
    np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-10)
    np.testing.assert_allclose(np.abs(np.diag(turned)), 1, atol=1e-10)
    if np.array_equal(matrix, np.eye(3)):
        np.testing.assert_allclose(turned, np.eye(MOST_BANDS**2), atol=1e-10)


def test_rotation_agrees_with_a_turned_picture():
    """The picture is turned pixel by pixel, as a user of Blender's mapping node would."""
    matrix, height = turn(5), 96
    directions, solid_angles = image_directions(height), image_solid_angles(height)
    picture = np.stack([np.exp(3 * (directions @ axis - 1)) for axis in fibonacci_sphere(3)], axis=-1)
    turned = sampled(picture, directions @ matrix)
    before, after = (project(image, directions, solid_angles, 5) for image in (picture, turned))
    np.testing.assert_allclose(rotation(matrix, 5) @ before, after, atol=2e-3 * np.abs(before).max())


def test_projection_gives_back_the_coefficients():
    coefficients = np.random.default_rng(2).normal(size=(25, 3))
    directions, solid_angles = image_directions(128), image_solid_angles(128)
    picture = evaluate(directions, 5) @ coefficients
    np.testing.assert_allclose(project(picture, directions, solid_angles, 5), coefficients, atol=2e-3)


def test_lambert_is_the_clamped_cosine():
    """A_l / π = 2 ∫₀¹ t P_l(t) dt."""
    points, weights = legendre.leggauss(32)
    cosine, weights = (points + 1) / 2, weights / 2
    wanted = [2 * np.sum(weights * cosine * legendre.Legendre.basis(band)(cosine)) for band in range(MOST_BANDS)]
    np.testing.assert_allclose(lambert(MOST_BANDS), np.array(wanted)[band_index(MOST_BANDS)], atol=1e-12)
    np.testing.assert_allclose(lambert(5)[[0, 1, 4, 9, 16]], [1, 2 / 3, 1 / 4, 0, -1 / 24])


def test_lambert_gives_what_a_white_surface_shows():
    """Against adding up the light over the hemisphere of a normal, without harmonics."""
    normal = np.array([2.0, -1, 2]) / 3
    coefficients = np.random.default_rng(8).normal(size=(9, 3))
    directions, solid_angles = image_directions(192), image_solid_angles(192)
    received = (directions @ normal).clip(0) * solid_angles
    summed = np.einsum("hw,hwi,ic->c", received, evaluate(directions, 3), coefficients) / np.pi
    np.testing.assert_allclose(evaluate(normal, 3) * lambert(3) @ coefficients, summed, atol=2e-3)


def test_window_leaves_the_even_part_and_damps_more_the_higher_the_band():
    factors = window(MOST_BANDS, 0.01)
    assert factors[0] == 1
    per_band = factors[np.arange(MOST_BANDS) ** 2]
    np.testing.assert_array_equal(factors, per_band[band_index(MOST_BANDS)])
    assert (np.diff(per_band) < 0).all() and (per_band > 0).all()
    assert (window(MOST_BANDS, 0.1)[1:] < factors[1:]).all()
    np.testing.assert_array_equal(window(MOST_BANDS, 0.0), 1)


@pytest.mark.parametrize("bands", [1, 3, 9])
def test_bands_are_counted(bands):
    assert bands_of(np.zeros((bands**2, 3))) == bands and bands_of(np.zeros(bands**2)) == bands


@pytest.mark.parametrize("count", [0, 2, 3, 5, 8, 10, 80])
def test_counts_that_are_no_squares_are_refused(count):
    with pytest.raises(ValueError, match=str(count)):
        bands_of(np.zeros((count, 3)))


def test_points_on_the_sphere_are_evenly_spread():
    points = fibonacci_sphere(3000)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-12)
    moments = evaluate(points, 5).mean(axis=0, dtype=np.float64) * np.sqrt(4 * np.pi)
    np.testing.assert_allclose(moments, [1] + [0] * 24, atol=3e-3)


def quadrature(bands: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) directions and (N,) steradians that integrate products of two harmonics of that many bands exactly."""
    heights, weights = legendre.leggauss(bands + 1)
    angles = 2 * np.pi * np.arange(2 * bands + 2) / (2 * bands + 2)
    z, angle = (grid.ravel() for grid in np.meshgrid(heights, angles, indexing="ij"))
    radius = np.sqrt(1 - z**2)
    solid_angles = np.repeat(weights, len(angles)) * 2 * np.pi / len(angles)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1), solid_angles


def double_values(directions: np.ndarray, bands: int) -> np.ndarray:
    """(N, B²) harmonics in double precision: ``evaluate`` rounds, ``project`` of one sample of weight 1 does not."""
    one = np.ones((1, 1))
    return np.stack([project(one, direction[None], one[0], bands)[:, 0] for direction in directions])


def turn(seed: int) -> np.ndarray:
    return Rotation.random(random_state=seed).as_matrix()


def sampled(picture: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(H, W, 3) what an equirectangular picture shows in these (H, W, 3) directions of the head frame."""
    height, width = picture.shape[:2]
    x, y, z = np.moveaxis(directions, -1, 0)
    row = np.arccos(y.clip(-1, 1)) / np.pi * height - 0.5
    column = (0.5 - np.arctan2(-z, x) / (2 * np.pi)) * width - 0.5
    at = np.stack([row.clip(0, height - 1), column])
    return np.stack([map_coordinates(picture[..., c], at, order=1, mode="grid-wrap") for c in range(3)], axis=-1)
