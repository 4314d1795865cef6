# SPDX-License-Identifier: GPL-3.0-or-later
"""sRGB and linear light, against the standard's own numbers and there and back."""

import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE, to_linear, to_srgb, to_srgb8


def test_known_values():
    np.testing.assert_allclose(to_linear(np.float32([0, 0.04045, 0.5, 1])), [0, 0.0031308, 0.2140411, 1], atol=1e-6)
    np.testing.assert_allclose(to_srgb(np.float32([0, 0.0031308, 0.18, 1])), [0, 0.04045, 0.4613561, 1], atol=2e-6)


def test_all_bytes_come_back():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_srgb8(to_linear(values)), values)


def test_bytes_and_floats_mean_the_same():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_linear(values), to_linear(values / 255.0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 5, 3)])
def test_shape_stays_and_the_result_is_single_precision(shape, dtype):
    linear = to_linear(np.ones(shape, dtype))
    assert linear.shape == shape and linear.dtype == np.float32
    assert to_srgb(linear).shape == shape and to_srgb(linear).dtype == np.float32
    assert to_srgb8(linear).shape == shape and to_srgb8(linear).dtype == np.uint8


def test_both_curves_rise_without_a_step():
    values = np.linspace(0, 1, 4001, dtype=np.float32)
    for curve in (to_linear(values), to_srgb(values)):
        steps = np.diff(curve)
        assert (steps > 0).all()
    assert np.diff(to_linear(values)).max() < 1e-3
    np.testing.assert_allclose(to_linear(to_srgb(values)), values, atol=1e-6)


def test_light_beyond_display_white_is_clipped_and_below_black_too():
    np.testing.assert_allclose(to_srgb(np.float32([-0.5, -1e-6, 1.0001, 40])), [0, 0, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(to_srgb8(np.float32([-0.5, 40])), [0, 255])


def test_floats_beyond_the_range_stay_finite_and_in_order():
    linear = to_linear(np.float32([-0.2, 0, 1, 1.2]))
    assert np.isfinite(linear).all() and (np.diff(linear) > 0).all()


def test_white_has_luminance_one_and_green_most_of_it():
    assert LUMINANCE.sum() == pytest.approx(1, abs=1e-6)
    assert LUMINANCE.argmax() == 1 and LUMINANCE.argmin() == 2
