# SPDX-License-Identifier: GPL-3.0-or-later
"""The ruler itself: scan-to-mesh distances of surfaces whose distance is known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facedetail_addon.core.geometry.nearest import closest_weights
from facedetail_addon.core.rendering.normals import vertex_normals
from scripts.benchmark.geometry.now import (
    SEVEN_OF_68,
    crop_scan,
    scan_to_mesh,
)
from scripts.benchmark.geometry.slopes import slope_ruler


@pytest.fixture(scope="module")
def skin(model):
    """Vertices, triangles and seven landmarks of the mean head's visible skin."""
    triangles = model.skin.triangles()
    socket = model.in_region("socket")
    vertices = model.skin.of(model.mean).astype(np.float64)
    return vertices, triangles[~socket[triangles].any(1)], model.landmarks68.points(model.mean)[list(SEVEN_OF_68)]


def test_closest_points_beat_any_sampled_point():
    rng = np.random.default_rng(1)
    corners, points = rng.normal(size=(200, 3, 3)), rng.normal(size=(200, 3)) * 2
    found = np.linalg.norm(np.einsum("nk,nkc->nc", closest_weights(points, corners), corners) - points, axis=1)
    weights = rng.dirichlet([0.5, 0.5, 0.5], 4000)
    sampled = np.einsum("sk,tkc->tsc", weights, corners)
    best = np.linalg.norm(sampled - points[:, None], axis=2).min(1)
    assert (found <= best + 1e-9).all()
    assert (best - found).max() < 0.1


def test_a_moved_scaled_copy_has_no_distance(skin):
    vertices, triangles, seven = skin
    rotation = Rotation.random(random_state=2).as_matrix()

    def move(points):
        return 0.03 * points @ rotation.T + [4, 5, 6]

    scan = vertices[np.unique(triangles)]
    distance = scan_to_mesh(scan, seven, move(vertices), triangles, move(seven))
    assert distance.max() < 0.02


def test_known_bumps_are_measured_in_millimetres(skin):
    vertices, triangles, seven = skin
    # Ripples of ±1 mm along the normal, too short for a similarity to follow: the mean of |sin| is 2/π.
    height = np.sin(vertices[:, 1] * 0.8)
    scan = vertices + vertex_normals(vertices, triangles) * height[:, None]
    distance = scan_to_mesh(scan[np.unique(triangles)], seven, vertices, triangles, seven)
    assert distance.mean() == pytest.approx(2 / np.pi, abs=0.08)


@pytest.fixture(scope="module")
def slopes(model, atlas):
    """Of a model beside itself."""
    return slope_ruler(model, model, atlas)


@pytest.mark.parametrize(
    ("wave_mm", "least", "most"), [(3.0, 0.0, 0.15), (20.0, 0.45, 0.6), (35.0, 0.55, 0.75), (800.0, 0.0, 0.4)]
)
def test_slopes_are_those_of_the_band(slopes, model, wave_mm, least, most):
    """Waves up and down the face; 1 is all of their slope. Of a tilt something remains at the face's border."""
    wave = 2 * np.pi / wave_mm
    slope = np.degrees(0.02 / np.sqrt(2))
    found = slopes.slope_deg(0.02 / wave * np.sin(wave * model.mean[slopes.face, 1].astype(np.float64)))
    assert least <= found / slope <= most


def test_a_moved_head_has_the_right_slopes_and_a_bent_one_has_not(slopes, model):
    turn = Rotation.random(random_state=4).as_matrix()
    moved = (0.9 * model.mean @ turn.T + [3, 4, 5]).astype(np.float32)
    assert slopes.error_deg(moved, model.mean) < 0.05
    bent = model.mean + np.float32([0, 0, 1]) * np.sin(model.mean[:, :1] / 4)
    assert slopes.error_deg(bent, model.mean) > 2


def test_crop_follows_the_protocol():
    seven = np.array([[-45.0, 30, 0], [-18, 30, 0], [18, 30, 0], [45, 30, 0], [0, -15, 0], [-25, -40, 0], [25, -40, 0]])
    radius, center = 1.4 * (90 + 45) / 2, np.array([0.0, -15 + 0.3 * 45, 0])
    points = center + np.array([[radius - 0.1, 0, 0], [radius + 0.1, 0, 0]])
    assert crop_scan(points, seven).tolist() == [True, False]
