# SPDX-License-Identifier: GPL-3.0-or-later
"""Rays of a camera, normals and ambient occlusion against what geometry says."""

import numpy as np
import pytest

from blender_tests.core.unwrap_scene import camera_at
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.primary_rays import ambient_occlusion, camera_rays, trace_image

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize("box", [None, (100.0, 50.0, 220.0, 300.0)])
def test_points_along_a_pixels_ray_project_to_the_pixel(box):
    camera = camera_at(30)
    size = (24, 50)
    origins, directions = camera_rays(camera, size, box)
    pixels = camera.project(origins + 700 * directions.astype(np.float64))
    x0, y0, x1, y1 = box or (0, 0, *camera.image_size)
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    wanted = np.stack([x0 + (columns + 0.5) * (x1 - x0) / size[0], y0 + (rows + 0.5) * (y1 - y0) / size[1]], axis=-1)
    np.testing.assert_allclose(pixels, wanted.reshape(-1, 2), atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-6)


def test_a_square_before_the_camera_covers_the_pixels_it_projects_to():
    camera = camera_at(0, size=(100, 100), focal_px=400)
    square = np.array([[-40, -40, 40], [40, -40, 40], [40, 40, 40], [-40, 40, 40]], np.float64)
    hit = (trace_image(square, SQUARE, camera).triangle >= 0).reshape(100, 100)
    assert hit[30:70, 30:70].all() and hit.sum() == 1600  # 80 mm at 800 mm with a focal length of 400 px


def test_normals_of_a_sphere_point_outwards():
    points, triangles = sphere(10.0)
    normals = vertex_normals(points, triangles)
    np.testing.assert_allclose((normals * points / 10).sum(axis=1), 1, atol=0.02)


def test_occlusion_is_none_on_a_sphere_and_total_inside_one():
    points, triangles = sphere(10.0)
    which = np.arange(len(points))
    assert ambient_occlusion(points, triangles, which).min() == 1
    assert ambient_occlusion(points, triangles[:, ::-1].copy(), which).max() == 0


def test_occlusion_at_the_foot_of_a_wall_is_half():
    floor = np.array([[0, 0, 0], [200, 0, 0], [200, 0, 400], [0, 0, 400]], np.float64) - [0, 0, 200]
    wall = np.array([[0, 0, 0], [0, 0, 400], [0, 400, 400], [0, 400, 0]], np.float64) - [1e-3, 0, 200]
    middle = np.array([[0.5, 0, 0], [1.5, 0, 0], [1.0, 0, -1.0]])
    points = np.concatenate([floor, wall, middle])
    triangles = np.concatenate([SQUARE[:, ::-1], SQUARE + 4, [[8, 9, 10]]])
    openness = ambient_occlusion(points, triangles, np.array([8]), rays=128)
    assert openness[0] == pytest.approx(0.5, abs=0.06)


def sphere(radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and outward triangles of a sphere made from a convex hull."""
    from scipy.spatial import ConvexHull

    golden = np.pi * (3 - np.sqrt(5))
    step = np.arange(400)
    z = 1 - 2 * (step + 0.5) / 400
    ring = np.sqrt(1 - z**2)
    points = radius * np.stack([ring * np.cos(golden * step), ring * np.sin(golden * step), z], axis=1)
    triangles = ConvexHull(points).simplices
    corners = points[triangles]
    inward = (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * corners[:, 0]).sum(axis=1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return points, triangles
