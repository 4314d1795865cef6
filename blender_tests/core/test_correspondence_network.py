# SPDX-License-Identifier: GPL-3.0-or-later
"""The correspondence network as it ships: its points are the head's, it finds them in photos, and training makes it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from blender_tests.made_up import assert_same
from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, find_weights, register_weights
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.canonical_points import FILE_NAME, load_canonical_points, save_canonical_points
from facedetail_addon.core.face_model.normalise import head_angles
from facedetail_addon.core.observe.correspondence.finder import HEAD_MM, WEIGHTS, CorrespondenceFinder
from facedetail_addon.core.observe.correspondence.network import CorrespondenceNet
from facedetail_addon.core.observe.correspondence.types import POINTS, Correspondences
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from scripts.training.correspondence.learning import new_network
from scripts.training.correspondence.points import canonical_points
from scripts.training.correspondence.shipping import ship

CARD = Path(__file__).parents[2] / "docs" / "model_cards" / "correspondence_net.md"
MOST_BYTES = 10 << 20


@pytest.fixture(scope="module")
def finder() -> CorrespondenceFinder:
    return CorrespondenceFinder.load()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def face(astronaut) -> FaceLandmarks:
    return MeshLandmarker.load().find(astronaut)[0]


@pytest.fixture(scope="module")
def found(finder, astronaut, face) -> Correspondences:
    return finder.find(astronaut, face)


def test_network_points_and_card_agree(finder, model):
    assert finder.points.on(model) is finder.points.embedding
    assert len(finder.points.embedding.vertices) == POINTS
    assert finder.network.sizes == (POINTS, len(model.identity_basis), len(model.expression_basis))
    assert f"{POINTS} points" in CARD.read_text(encoding="utf-8")
    assert find_weights(WEIGHTS).stat().st_size < MOST_BYTES


def test_points_are_those_that_training_draws(finder, model):
    calibration = load_calibration()
    assert_same(canonical_points(model, calibration), finder.points.embedding)
    assert np.array_equal(finder.points.points_mm, finder.points.embedding.points(model.mean))
    assert np.array_equal(finder.points.landmarks_mm, calibration.embedding.points(model.mean))


def test_points_of_another_head_are_not_known(finder, model):
    assert finder.points.on(replace(model, name="other")) is None


def test_training_makes_the_products_network(finder, model):
    begun = new_network(len(model.identity_basis), len(model.expression_basis))
    assert type(begun) is type(finder.network) is CorrespondenceNet
    ours, theirs = ({name: w.shape for name, w in net.state_dict().items()} for net in (begun, finder.network))
    assert ours == theirs


def test_points_lie_beside_the_landmarks(found, face):
    height = np.ptp(face.mesh_px[:, 1])
    apart = np.linalg.norm(found.points_px[:68] - face.sparse_px, axis=1)
    assert apart[17:].mean() < 0.05 * height
    assert apart.max() < 0.15 * height
    assert (found.sigma_px > 0).all() and np.median(found.sigma_px) < 0.05 * height


def test_rotation_is_that_of_the_face(found, face):
    assert np.allclose(found.rotation @ found.rotation.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(found.rotation) == pytest.approx(1, abs=1e-5)
    assert abs(np.degrees(head_angles(found.rotation)[0]) - face.yaw_deg) < 12


def test_same_photo_gives_the_same_points(finder, found, astronaut, face):
    assert_same(finder.find(astronaut, face), found)


def test_a_turned_photo_turns_the_points(finder, found, astronaut, face):
    """By a quarter, clockwise: what was up is on the right."""
    side = len(astronaut)
    turned = face.mesh_px[:, [1, 0, 2]] * [-1, 1, 1] + [side, 0, 0]
    there = finder.find(np.ascontiguousarray(np.rot90(astronaut, -1)), replace(face, mesh_px=turned.astype(np.float32)))
    expected = found.points_px[:, [1, 0]] * [-1, 1] + [side, 0]
    assert np.linalg.norm(there.points_px - expected, axis=1).mean() < 0.02 * np.ptp(face.mesh_px[:, 1])
    assert np.allclose(there.rotation, np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]) @ found.rotation, atol=0.05)


def cut(picture: np.ndarray, face: FaceLandmarks) -> np.ndarray:
    """The photo ends in the middle of the face."""
    return np.ascontiguousarray(picture[:, : round(float(face.mesh_px[:, 0].mean()))])


def noise(picture: np.ndarray, _face: FaceLandmarks) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, picture.shape, dtype=np.uint8)


def black(picture: np.ndarray, _face: FaceLandmarks) -> np.ndarray:
    return np.zeros_like(picture)


@pytest.mark.parametrize("spoil", [cut, noise, black])
def test_points_stay_near_where_there_is_little_to_see(finder, found, astronaut, face, spoil):
    there = finder.find(spoil(astronaut, face), face)
    values = vars(there).values()
    assert all(np.isfinite(value).all() for value in values)
    head_px = HEAD_MM * np.ptp(face.mesh_px[:, 0]) / 130
    assert np.linalg.norm(there.points_px - found.points_px.mean(0), axis=1).max() < 2 * head_px
    assert (there.sigma_px > 0).all() and there.sigma_px.max() < 25 * head_px
    assert there.sigma_px.mean() > found.sigma_px.mean()


def test_a_face_cut_by_the_border_keeps_the_points_that_are_seen(finder, found, astronaut, face):
    there = finder.find(cut(astronaut, face), face)
    inner = np.flatnonzero(found.points_px[:68, 0] < face.mesh_px[:, 0].mean())
    inner = inner[inner >= 17]
    apart = np.linalg.norm(there.points_px - found.points_px, axis=1)[inner]
    assert apart.mean() < 0.08 * np.ptp(face.mesh_px[:, 1])


def test_shipping_the_same_network_gives_the_same_bytes(finder, model, tmp_path):
    trained = tmp_path / "network.pt"
    torch.save(finder.network.state_dict(), trained)
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
        ship(trained, model, load_calibration(), folder)
    for name in (WEIGHTS, FILE_NAME, "index.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert (folders[0] / FILE_NAME).read_bytes() == (WEIGHTS_DIR / FILE_NAME).read_bytes()
    again = CorrespondenceFinder.load(folders[0]).network.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in finder.network.state_dict().items())


def test_another_network_does_not_ship(model, tmp_path):
    other = tmp_path / "network.pt"
    torch.save(CorrespondenceNet(points=12).state_dict(), other)
    for path in (other, tmp_path / "nowhere.pt"):
        with pytest.raises(AssetError, match=path.name) as caught:
            ship(path, model, load_calibration(), tmp_path)
        assert caught.value.remedy


@pytest.mark.parametrize("spoil", ["shape", "not finite", "format", "cut short"])
def test_damaged_points_are_told(tmp_path, spoil):
    path = tmp_path / FILE_NAME
    shutil.copyfile(WEIGHTS_DIR / FILE_NAME, path)
    with np.load(path, allow_pickle=False) as data:
        arrays = dict(data)
    if spoil == "shape":
        arrays["points_mm"] = arrays["points_mm"][:-1]
    elif spoil == "not finite":
        arrays["landmarks_mm"] = arrays["landmarks_mm"] * np.nan
    elif spoil == "format":
        arrays["format_version"] = np.int32(99)
    np.savez(path, **arrays)
    if spoil == "cut short":
        path.write_bytes(path.read_bytes()[:-400])
    register_weights(path)
    with pytest.raises(AssetError, match=FILE_NAME) as caught:
        load_canonical_points(tmp_path)
    assert caught.value.remedy


def test_points_come_back_from_their_file(finder, tmp_path):
    save_canonical_points(tmp_path / FILE_NAME, finder.points)
    register_weights(tmp_path / FILE_NAME)
    assert_same(load_canonical_points(tmp_path), finder.points)
