# SPDX-License-Identifier: GPL-3.0-or-later
"""The lower densities of the built-in head, what they keep of its shape, and their baked normals."""

import numpy as np
import pytest

from facedetail_addon.core.face_model.densities import DENSITIES, FULL, LIGHT, MEDIUM, load_density
from facedetail_addon.core.face_model.model import Layout
from facedetail_addon.core.geometry.nearest import ClosestPoints
from facedetail_addon.core.reduction.baked import ShadedMesh, bake_normals
from facedetail_addon.core.reduction.carry import make_carrier
from facedetail_addon.core.rendering.normals import unit, uv_derivatives, vertex_normals


@pytest.fixture(scope="module")
def skins():
    return {name: load_density(name)["skin"] for name in DENSITIES}


@pytest.fixture(scope="module")
def carriers(model, skins):
    source = Layout(model.skin.faces, model.skin.uv, model.skin.face_uv)
    return {name: make_carrier(source, layout(skin)) for name, skin in skins.items()}


@pytest.fixture(scope="module")
def person(model):
    alpha = np.random.default_rng(5).normal(0, 0.8, len(model.identity_basis)).astype(np.float32)
    return model.skin.of(model.vertices(alpha)).astype(np.float64)


def layout(skin) -> Layout:
    return Layout(skin.faces, skin.uv, skin.face_uv)


def edges_of(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    both = np.sort(np.concatenate([faces[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1)
    return np.unique(both, axis=0, return_counts=True)


@pytest.mark.parametrize(("name", "quads"), [(LIGHT, 2000), (MEDIUM, 8000), (FULL, 19_846)])
def test_a_skin_is_one_sheet_of_quads_with_one_border_that_lies_flat_in_its_layout(skins, name, quads):
    skin = skins[name]
    assert abs(len(skin.faces) - quads) < 0.05 * quads and (skin.faces >= 0).all()
    edges, count = edges_of(skin.faces)
    assert count.max() == 2
    border = edges[count == 1]
    assert (np.bincount(border.ravel())[np.unique(border)] == 2).all()
    assert len(skin.kept) - len(edges) + len(skin.faces) == 1, "one sheet with one border"
    corners = skin.uv[layout(skin).uv_triangles()].astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    assert (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] > 0).mean() > 0.998
    assert (np.bincount(skin.faces.ravel(), minlength=len(skin.kept)) > 0).all()


@pytest.mark.parametrize("name", DENSITIES)
def test_both_sides_have_the_same_faces(model, carriers, skins, name):
    from scipy.spatial import cKDTree

    points = carriers[name].fit(model.skin.of(model.mean).astype(np.float64))
    distance, mirror = cKDTree(points * [-1, 1, 1]).query(points)
    assert distance.max() < 0.3
    edges = {tuple(edge) for edge in edges_of(skins[name].faces)[0].tolist()}
    assert {tuple(sorted(edge)) for edge in mirror[np.array(sorted(edges))].tolist()} == edges


@pytest.mark.parametrize(("name", "mean", "most"), [(LIGHT, 0.25, 2.6), (MEDIUM, 0.05, 0.8), (FULL, 1e-5, 1e-4)])
@pytest.mark.parametrize("pose", ["", "jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "mouthPucker"])
def test_the_surface_stays_near_in_every_expression(model, carriers, skins, person, name, mean, most, pose):
    offset = 0.0 if not pose else model.skin.of(model.expression_basis[model.expression_names.index(pose)])
    carried = carriers[name].fit(person) + (0.0 if not pose else carriers[name].fit(offset.astype(np.float64)))
    seen = ~model.in_region("socket")
    found = ClosestPoints(carried, layout(skins[name]).triangles(), 8.0).query((person + offset)[seen])
    assert found.distance.mean() < mean and found.distance.max() < most


def test_what_lies_outside_of_a_skin_is_told(model, skins):
    """A model without a scalp has no place for the scalp's faces."""
    kept = ~model.in_region("scalp")[model.skin.faces].any(axis=1)
    source = Layout(model.skin.faces[kept], model.skin.uv, model.skin.face_uv[kept])
    covered = make_carrier(source, layout(skins[MEDIUM])).covered
    assert 0.5 < covered.mean() < 0.95


def shaded(points: np.ndarray, mesh: Layout) -> ShadedMesh:
    """With tangents along u, as MikkTSpace has them on a smooth layout."""
    owner = mesh.uv_vertex
    along, _ = uv_derivatives(points[mesh.triangles()], mesh.uv[mesh.uv_triangles()])
    total = np.stack([np.bincount(mesh.uv_triangles().ravel(), np.repeat(a, 3), len(mesh.uv)) for a in along.T], axis=1)
    normals = vertex_normals(points, mesh.triangles())[owner]
    tangents = unit(total - (total * normals).sum(axis=1, keepdims=True) * normals)
    return ShadedMesh(mesh, normals, tangents.astype(np.float32), np.ones(len(owner), np.float32))


def test_relief_of_a_mesh_baked_for_itself_stays_what_it_is(model, skins, person):
    mesh = shaded(person, layout(skins[FULL]))
    side = 128
    rng = np.random.default_rng(0)
    relief = unit(np.concatenate([rng.normal(0, 0.2, (side, side, 2)), np.ones((side, side, 1))], axis=2))
    baked = bake_normals(mesh, mesh, relief.astype(np.float32), side) / 255 * 2 - 1
    plain = bake_normals(mesh, mesh, None, side) / 255 * 2 - 1
    off = np.abs(baked - relief).max(axis=2)
    assert np.median(off) < 0.006, "all but what lies beside the skin"
    assert np.percentile(np.abs(plain - [0, 0, 1]).max(axis=2), 99) < 0.006


def test_a_coarse_mesh_shows_the_fine_ones_normals_by_its_map(carriers, skins, person):
    from facedetail_addon.core.reduction.baked import normal_differences

    side = 256
    fine = shaded(person, layout(skins[FULL]))
    coarse = shaded(carriers[LIGHT].fit(person), layout(skins[LIGHT]))
    mapped = bake_normals(fine, coarse, None, side) / 255.0 * 2 - 1
    without = normal_differences(fine, coarse, None, None, side)
    with_map = normal_differences(fine, coarse, None, mapped.astype(np.float32), side)
    assert without.mean() > 2 and np.percentile(with_map, 99) < 1
