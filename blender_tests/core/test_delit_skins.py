# SPDX-License-Identifier: GPL-3.0-or-later
"""Skins for training: textures of other meshes in canonical UV, files in the cache, and what is left out."""

import cv2
import numpy as np
import pytest

from facedetail_addon.core.face_model.model import split_quads
from facedetail_addon.core.model_import.correspondence import correspond
from facedetail_addon.core.uv.atlas import make_atlas
from scripts.benchmark.correspondence.known_heads import reordered
from scripts.training.albedo_basis.people import read_excluded
from scripts.training.delit_skins.portraits import PATTERNS
from scripts.training.delit_skins.sheets import write_sheets
from scripts.training.delit_skins.store import LARGE, LEAST, SIDE, load_skin, name_of, save_skin, stored_names
from scripts.training.delit_skins.studio_portraits import load_models, plain_skin
from scripts.training.delit_skins.textures import (
    TexturedMesh,
    head_of,
    read_makehuman,
    read_valid,
    retarget,
    retargeted,
)

SPAN_MM = 300.0  # of the made-up texture, which is a picture of the head from the front


def picture_uv(place: np.ndarray) -> np.ndarray:
    """(N, 2) of (N, 3) mm: the texture is a frontal view, (0, 0) at the upper left."""
    return np.stack([place[:, 0], -place[:, 1]], axis=1) / SPAN_MM + 0.5


@pytest.fixture(scope="module")
def other(model):
    """Another person's head on a mesh in another order, with a texture layout of its own; where it lies on ours."""
    head = reordered(model, 3)
    triangles = split_quads(head.model.skin.faces)
    mesh = TexturedMesh(head.model.mean, triangles, picture_uv(head.place)[triangles].astype(np.float32))
    return head, mesh


@pytest.fixture(scope="module")
def small_atlas(model):
    return make_atlas(model, SIDE)


@pytest.fixture(scope="module")
def where(model, other, small_atlas):
    head, mesh = other
    found = correspond(head.model, model, lambda picture: pytest.fail("landmarks were searched"))
    return retarget(mesh, found, model, small_atlas)


def test_landmarks_land_where_they_should(model, small_atlas, where):
    picture = np.zeros((*small_atlas.covered.shape, 2), np.float32)
    picture[small_atlas.covered] = where.uv
    weight = np.zeros(small_atlas.covered.shape, np.float32)
    weight[small_atlas.covered] = where.weight
    uv = model.landmarks68.points(model.skin.vertex_uv())[17:60]
    at = (np.column_stack([uv[:, 0], 1 - uv[:, 1]]) * SIDE).astype(int)
    found, seen = picture[at[:, 1], at[:, 0]], weight[at[:, 1], at[:, 0]] > 0.5
    off = np.linalg.norm(found - picture_uv(model.landmarks68.points(model.mean)[17:60]), axis=1) * SPAN_MM
    assert seen.mean() > 0.6, "lids and lips are rims"
    texel_mm = 410 / SIDE
    assert np.median(off[seen]) < texel_mm and off[seen].max() < 4 * texel_mm


def test_a_texture_comes_out_as_it_is_there(model, small_atlas, where):
    side = 600
    ramp = np.linspace(20, 230, side).astype(np.uint8)
    texture = np.dstack(
        [np.tile(ramp, (side, 1)), np.tile(ramp[:, None], (1, side)), np.full((side, side), 90, np.uint8)]
    )
    colour, weight = retargeted(texture, where, small_atlas)
    rest = small_atlas.texels(model.skin.of(model.mean))
    expected, _ = picture_uv(rest), None
    face = plain_skin(small_atlas, model)[small_atlas.covered] & (weight[small_atlas.covered] > 0.9)
    assert face.sum() > 1000
    srgb = np.where(colour < 0.0031308, colour * 12.92, 1.055 * colour ** (1 / 2.4) - 0.055)[small_atlas.covered]
    back = (srgb[:, :2] * 255 - 20) / 210
    assert np.abs(back - expected)[face].mean() * SPAN_MM < 1.5
    assert colour.shape == (SIDE, SIDE, 3) and weight.min() >= 0 and weight.max() <= 1
    assert not weight[~small_atlas.covered].any()


def test_only_the_head_of_a_body_is_kept_and_seams_are_closed():
    side = np.linspace(0, 1, 8)
    grid = np.stack(np.meshgrid(side * 200 - 100, side * 1700), -1).reshape(-1, 2)
    positions = np.column_stack([grid, np.zeros(len(grid))]).astype(np.float32)
    quads = [[r * 8 + c, r * 8 + c + 1, (r + 1) * 8 + c] for r in range(7) for c in range(7)]
    triangles = np.array(quads, np.int32)
    loose = positions[triangles].reshape(-1, 3)  # every corner a vertex of its own, as at seams of a layout
    mesh = head_of(
        loose, np.arange(len(loose), dtype=np.int32).reshape(-1, 3), np.zeros((len(quads), 3, 2), np.float32)
    )
    assert mesh.vertices[:, 1].min() >= 1700 - 330 and len(mesh.triangles) == len(mesh.corner_uv) > 0
    assert len(np.unique(mesh.vertices, axis=0)) == len(mesh.vertices) < 3 * len(mesh.triangles)


@pytest.mark.parametrize(("read", "folder"), [(read_valid, "valid"), (read_makehuman, "makehuman")])
def test_meshes_of_textures_are_heads_in_millimetres(data_dir, read, folder):
    mesh = read(data_dir / "uv_textures" / folder)
    size = np.ptp(mesh.vertices, axis=0)
    assert 120 < size[0] < 270 and 250 < size[1] < 340
    assert mesh.corner_uv.min() >= 0 and mesh.corner_uv.max() <= 1
    assert mesh.triangles.max() == len(mesh.vertices) - 1 or mesh.triangles.max() < len(mesh.vertices)


def test_what_is_left_out_exists_and_has_a_reason(data_dir):
    rows = read_excluded()
    names = [row["skin"] for row in rows]
    assert len(set(names)) == len(names) > 0
    patterns = (*PATTERNS, "uv_textures/valid/*.webp", "uv_textures/makehuman/*.jpg")
    there = {name_of(path) for pattern in patterns for path in data_dir.glob(pattern)}
    there |= {f"london_{path.stem[:3]}" for path in (data_dir / "london" / "neutral").glob("*.jpg")}
    assert set(names) <= there
    assert all(row["reason"] for row in rows)


def test_saved_and_read_back(model, atlas, tmp_path):
    rng = np.random.default_rng(0)
    albedo = cv2.resize(rng.uniform(0.02, 0.6, (16, 16, 3)).astype(np.float32), (LARGE, LARGE))
    weight = np.zeros((LARGE, LARGE), np.float32)
    weight[:, : LARGE // 2] = 1
    save_skin(tmp_path, "canada_000", albedo, weight, plain_skin(atlas, model), residual=np.float32(0.1))
    assert stored_names(tmp_path) == ["canada_000"]
    skin = load_skin(tmp_path, "canada_000")
    assert skin.source == "canada" and skin.figures["residual"] == np.float32(0.1)
    assert skin.weight[:, : SIDE // 2].min() == 1 and skin.weight[:, SIDE // 2 :].max() == 0
    small = cv2.resize(albedo, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert np.abs(skin.log_albedo - np.log(np.maximum(small, LEAST))).max() < 2e-3
    sure = plain_skin(atlas, model) & (weight > 0.5)
    np.testing.assert_allclose(skin.figures["tone"], np.log(np.median(albedo[sure], axis=0)), atol=1e-5)
    write_sheets(tmp_path, tmp_path / "sheets", ["canada_000"], tile=32)
    assert cv2.imread(str(tmp_path / "sheets" / "canada_000.png")).any()


def test_the_studio_s_portraits_are_read_without_what_is_learned_from_them(model, small_atlas):
    models = load_models(model, small_atlas)
    assert models.basis is None and models.detail_net is None and models.texture_generator is None
    assert models.prepared is not None
