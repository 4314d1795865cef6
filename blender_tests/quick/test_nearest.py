# SPDX-License-Identifier: GPL-3.0-or-later
"""Closest points of triangle meshes against those found by brute force."""

import numpy as np
import pytest

from facedetail_addon.core.geometry.nearest import ClosestPoints

_LATTICE = np.array([(i, j, 40 - i - j) for i in range(41) for j in range(41 - i)]) / 40


def hill(side: int, height_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) mm, a sheet 100 mm wide and higher in the middle, and (T, 3) triangles that face up."""
    y, x = np.mgrid[:side, :side] / (side - 1)
    index = np.arange(side * side).reshape(side, side)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    height = height_mm * np.exp(-((x - 0.55) ** 2 + (y - 0.5) ** 2) / 0.05)
    vertices = np.column_stack([100 * x.ravel(), 100 * y.ravel(), height.ravel()])
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def by_brute_force(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(N,) distance to the nearest of many places on every triangle, a little more than the true one."""
    places = np.einsum("lk,tkc->tlc", _LATTICE, vertices[triangles]).reshape(-1, 3)
    return np.linalg.norm(points[:, None] - places, axis=2).min(axis=1)


def test_closest_points_are_those_of_all_triangles():
    rng = np.random.default_rng(2)
    vertices, triangles = hill(9, 30)
    points = rng.uniform([0, 0, -20], [100, 100, 60], (60, 3))
    found = ClosestPoints(vertices, triangles).query(points)
    brute = by_brute_force(points, vertices, triangles)
    assert (found.distance < brute + 1e-9).all() and np.abs(found.distance - brute).max() < 0.2
    assert found.weights.min() >= 0 and np.allclose(found.weights.sum(axis=1), 1)
    place = np.einsum("nkc,nk->nc", vertices[triangles[found.triangle]], found.weights)
    np.testing.assert_array_equal(place, found.position)
    np.testing.assert_allclose(np.linalg.norm(place - points, axis=1), found.distance)


def test_triangles_that_face_away_are_not_taken():
    front, triangles = hill(9, 0)
    both = np.concatenate([front, front - [0, 0, 1]])
    index = ClosestPoints(both, np.concatenate([triangles, triangles[:, ::-1] + len(front)]))
    points = front + [0, 0, -2.0]
    ahead = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    np.testing.assert_allclose(index.query(points).position[:, 2], -1, atol=1e-9)
    np.testing.assert_allclose(index.query(points, ahead).position[:, 2], 0, atol=1e-9)
    np.testing.assert_allclose(index.query(points, -ahead).position[:, 2], -1, atol=1e-9)


def test_long_triangles_are_found_by_their_pieces():
    """A large triangle among many small ones, whose centroids are all nearer to the points."""
    small, triangles = hill(9, 0)
    vertices = np.concatenate([small - [0, 0, 40], [[0, 0, 0], [300, 0, 0], [0, 300, 0]]])
    triangles = np.concatenate([triangles, len(small) + np.array([[0, 1, 2]])])
    points = np.array([[1.0, 1.0, 5.0], [290.0, 5.0, -3.0]])
    found = ClosestPoints(vertices, triangles, longest_edge_mm=15.0).query(points, candidates=8)
    assert found.triangle.tolist() == 2 * [len(triangles) - 1]
    assert found.distance == pytest.approx([5, 3])
    np.testing.assert_allclose(found.position, points * [1, 1, 0], atol=1e-9)
    assert ClosestPoints(vertices, triangles).query(points, candidates=8).distance[0] > 5


def test_fewer_triangles_than_candidates():
    vertices, triangles = np.eye(3), np.array([[0, 1, 2]])
    found = ClosestPoints(vertices, triangles).query(np.zeros((1, 3)))
    np.testing.assert_allclose(found.weights, [[1 / 3, 1 / 3, 1 / 3]])
