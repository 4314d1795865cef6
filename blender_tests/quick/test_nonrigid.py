# SPDX-License-Identifier: GPL-3.0-or-later
"""What correspondence is built of: registration of one surface to another, layouts without folds."""

import numpy as np
import pytest

from facedetail_addon.core.model_import.nonrigid import Landmarks, Template, register
from facedetail_addon.core.model_import.surface import Surface, border_vertices
from facedetail_addon.core.model_import.uv_folds import folded, links, membrane, unfold

SIDE = 25


def sheet(side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) points of a grid over the unit square and (T, 3) triangles that turn to the left."""
    y, x = np.mgrid[:side, :side] / (side - 1)
    index = np.arange(side * side).reshape(side, side)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return np.column_stack([x.ravel(), y.ravel()]), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def hill(flat: np.ndarray, height_mm: float) -> np.ndarray:
    """(N, 3) mm, 100 mm wide, higher in the middle."""
    away = ((flat - [0.55, 0.5]) ** 2).sum(axis=1)
    return np.column_stack([100 * flat, height_mm * np.exp(-away / 0.05)])


def test_borders_are_told():
    flat, triangles = sheet(9)
    border = border_vertices(triangles, len(flat))
    assert border.sum() == 4 * 8
    found = Surface(hill(flat, 0), triangles).match(np.array([[-5.0, 50, 0], [50, 50, 3], [50, 104, 0]]))
    assert found.on_border.tolist() == [True, False, True]


def test_a_sheet_is_laid_on_a_hill_and_keeps_its_landmarks():
    flat, triangles = sheet()
    target = Surface(hill(flat, 12), triangles)
    marks = np.array([6 * SIDE + 6, 6 * SIDE + 18, 18 * SIDE + 6, 18 * SIDE + 18, 12 * SIDE + 13])
    start = hill(flat, 0) + [3, -2, 4]
    landmarks = Landmarks(start[marks], target.vertices[marks], np.ones(len(marks)), marks)
    done = register(Template(start, triangles, np.ones(len(start), bool)), target, landmarks)
    inside = np.abs(flat - 0.5).max(axis=1) < 0.4
    assert target.match(done.points[inside]).distance.mean() < 0.1
    assert np.linalg.norm(done.points - target.vertices, axis=1)[marks].max() < 1.0
    assert done.matched[inside].mean() > 0.95


def test_what_has_no_counterpart_follows_smoothly():
    """A template twice as wide as its target."""
    flat, triangles = sheet()
    half = triangles[(flat[triangles][:, :, 0] < 0.52).all(axis=1)]
    lifted = hill(flat, 0) + [0, 0, 10]
    target = Surface(lifted, half)
    marks = np.array([6 * SIDE + 2, 6 * SIDE + 10, 18 * SIDE + 2, 18 * SIDE + 10])
    start = hill(flat, 0)
    landmarks = Landmarks(start[marks], lifted[marks], np.ones(len(marks)), marks)
    done = register(Template(start, triangles, np.ones(len(start), bool)), target, landmarks)
    assert not done.matched[flat[:, 0] > 0.6].any()
    np.testing.assert_allclose(done.points[:, 2], 10, atol=0.2)
    np.testing.assert_allclose(done.points[:, :2], start[:, :2], atol=1.0)


@pytest.mark.parametrize("evened", [False, True])
def test_membranes_of_bags_do_not_fold(evened):
    flat, triangles = sheet()
    deep = np.linalg.norm(flat - 0.5, axis=1) < 0.35
    bag = hill(flat, 0)
    bag[deep, 2] = -400 * (0.35 - np.linalg.norm(flat[deep] - 0.5, axis=1))
    start = np.where(deep[:, None], 0.5, flat)
    laid = membrane(start, deep, links(bag, triangles), evened)
    assert folded(start, triangles).any() and not folded(laid, triangles).any()
    np.testing.assert_array_equal(laid[~deep], flat[~deep])


def test_folds_are_mended_and_nothing_else_moves():
    rng = np.random.default_rng(4)
    flat, triangles = sheet()
    linked = links(hill(flat, 0), triangles)
    spoiled = flat.copy()
    inner = np.flatnonzero((np.abs(flat - 0.5) < 0.4).all(axis=1))
    moved = rng.choice(inner, 12, replace=False)
    spoiled[moved] += rng.normal(0, 0.1, (12, 2))
    assert folded(spoiled, triangles).sum() > 10
    mended = unfold(spoiled, np.zeros(len(flat), bool), triangles, linked)
    assert not folded(mended, triangles).any()
    far = np.linalg.norm(flat[:, None] - flat[moved], axis=2).min(axis=1) > 0.3
    np.testing.assert_array_equal(mended[far], flat[far])
    assert np.abs(mended - flat).max() < 0.2
    np.testing.assert_array_equal(unfold(flat, np.zeros(len(flat), bool), triangles, linked), flat)
