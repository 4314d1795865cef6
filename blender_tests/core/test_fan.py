# SPDX-License-Identifier: GPL-3.0-or-later
"""FAN through the real library: its network with random weights, in the file format and under the name it expects."""

import dataclasses
import hashlib
import os
import pickle
import socket
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import cv2
import numba
import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut

from facedetail_addon.core.assets.user import UserAsset, find_user_asset, places, user_asset
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.landmarks.fan import FanLandmarker, fan_region, load_library
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.pipeline import reconstruct
from facedetail_addon.settings import Settings

face_alignment = load_library()
FAN_WEIGHTS = user_asset("fan")
HERE = dataclasses.replace(FAN_WEIGHTS, folder="", shared_with_torch=False)
"""The same, right in the folder that is named and nowhere else."""


def expecting(path: Path) -> UserAsset:
    """FAN's entry with size and hash of a file made here."""
    content = path.read_bytes()
    return dataclasses.replace(HERE, size=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """A TORCH_HOME with random weights, saved as torch saved them in 2018."""
    home = tmp_path_factory.mktemp("torch")
    torch.manual_seed(0)
    state = face_alignment.models.FAN(4).state_dict()
    old = OrderedDict((name, value) for name, value in state.items() if not name.endswith("num_batches_tracked"))
    (home / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(old, home / "hub" / "checkpoints" / FAN_WEIGHTS.name, _use_new_zipfile_serialization=False)
    return home


@pytest.fixture(scope="module")
def folder(hub) -> Path:
    return hub / "hub" / "checkpoints"


@pytest.fixture(scope="module")
def landmarker(folder) -> FanLandmarker:
    return FanLandmarker.load(folder, expecting(folder / FAN_WEIGHTS.name))


@pytest.fixture(scope="module")
def face() -> FaceLandmarks:
    return MeshLandmarker.load().find(astronaut())[0]


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to connect is an error."""

    def refuse(*_):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def made_up_face(middle: np.ndarray, side: float, angle: float) -> FaceLandmarks:
    """A face whose points fill a turned square."""
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = np.zeros((68, 2))
    places[:4] = [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    places[36], places[45] = [-0.2, -0.1], [0.2, -0.1]
    points = (middle + side * places @ axes.T).astype(np.float32)
    box = np.concatenate([points.min(0), points.max(0)])
    return FaceLandmarks(np.zeros((478, 3), np.float32), points, box, 0.9, 0, 0.0)


def test_has_the_size_of_the_real_file(folder):
    """The same tensors in the same format; names inside the archive differ in length."""
    assert (folder / FAN_WEIGHTS.name).stat().st_size == pytest.approx(FAN_WEIGHTS.size, rel=1e-4)


def test_network_is_the_one_the_library_loads_by_itself(landmarker, hub, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(hub))
    own = face_alignment.FaceAlignment(
        face_alignment.LandmarksType.TWO_D, device="cpu", face_detector="folder", compile=False
    )
    ours, theirs = (a.face_alignment_net.state_dict() for a in (landmarker.alignment, own))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_result_has_the_promised_form_and_comes_again(landmarker, face, no_network):
    photo = astronaut()
    threads = torch.get_num_threads()
    found = landmarker.find(photo, face)
    assert found.points_px.shape == (68, 2) and found.points_px.dtype == np.float32
    assert found.scores.shape == (68,) and found.scores.dtype == np.float32
    assert np.isfinite(found.points_px).all() and np.isfinite(found.scores).all()
    region = fan_region(face)
    assert np.linalg.norm(found.points_px - region.center, axis=1).max() <= region.side / np.sqrt(2)
    refined = landmarker.refine(photo, face)
    np.testing.assert_array_equal(refined.sparse_px, found.points_px)
    assert refined.mesh_px is face.mesh_px and not np.array_equal(refined.sparse_px, face.sparse_px)
    assert torch.get_num_threads() == threads


class BrightSpot(torch.nn.Module):
    """In the network's place: every heatmap is the brightness of the picture, so all points go to its bright spot."""

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        brightness = torch.nn.functional.avg_pool2d(pictures.mean(1, keepdim=True), 4)
        return [brightness.expand(-1, 68, -1, -1).clone()]


@pytest.mark.parametrize(("side", "angle"), [(66, 0.0), (300, 0.5), (90, -2.0)])
def test_points_are_in_half_pixel_photo_coordinates(landmarker, monkeypatch, side, angle):
    """No point is off by more than the library's quarter of a cell, and on average they are not off at all."""
    monkeypatch.setattr(landmarker.alignment, "face_alignment_net", BrightSpot())
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:800, :800] + 0.5
    errors = []
    for _ in range(40):
        face = made_up_face(400 + rng.uniform(-3, 3, 2), side, angle)
        region = fan_region(face)
        cell = region.side / 64
        spot = region.center + rng.uniform(-0.25, 0.25, 2) * region.side
        blob = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * (2 * cell) ** 2))
        photo = np.repeat((250 * blob).astype(np.uint8)[..., None], 3, axis=2)
        found = landmarker.find(photo, face)
        assert np.ptp(found.points_px, axis=0).max() == 0
        assert 0.85 < found.scores[0] <= 250 / 255
        cos, sin = np.cos(angle), np.sin(angle)
        errors.append((found.points_px[0] - spot) @ np.array([[cos, -sin], [sin, cos]]) / cell)
    assert np.abs(errors).max() < 0.3
    assert np.abs(np.mean(errors, axis=0)).max() < 0.07


def test_square_is_where_the_library_has_it(landmarker, monkeypatch):
    """An upright face: the library, given the whole photo and the box, sees the same."""
    seen = []

    class Watcher(torch.nn.Module):
        def forward(self, pictures):
            seen.append(pictures[0].permute(1, 2, 0).numpy())
            return [torch.zeros(1, 68, 64, 64)]

    monkeypatch.setattr(landmarker.alignment, "face_alignment_net", Watcher())
    photo = cv2.GaussianBlur(astronaut(), (0, 0), 2)
    face = made_up_face(np.array([223.0, 118.0]), 110, 0.0)
    landmarker.find(photo, face)
    landmarker.alignment.get_landmarks_from_image(photo, detected_faces=[face.box_px])
    ours, _, theirs, _ = seen
    off_by_a_pixel = np.abs(ours[:, 1:] - ours[:, :-1]).mean()
    assert np.abs(ours - theirs).mean() < off_by_a_pixel


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_photo_shows_the_same_square(face, turns):
    photo = astronaut()
    turned = np.ascontiguousarray(np.rot90(photo, turns))
    (found,) = MeshLandmarker.load().find(turned)
    upright = fan_region(face).crop(photo, 128, cv2.BORDER_CONSTANT).astype(float)
    again = fan_region(found).crop(turned, 128, cv2.BORDER_CONSTANT).astype(float)
    wrong = np.abs(upright - upright[::-1]).mean()
    assert np.abs(upright - again).mean() < 0.05 * wrong


def test_square_holds_the_whole_face(face):
    region = fan_region(face)
    assert np.abs(face.sparse_px - region.center).max() < 0.45 * region.side
    assert np.ptp(face.sparse_px, axis=0).min() > 0.35 * region.side


def test_missing_weights(tmp_path, no_network, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(AssetError, match=FAN_WEIGHTS.name) as caught:
        FanLandmarker.load(tmp_path / "user")
    assert str(tmp_path / "user") in caught.value.message and str(tmp_path / "torch") in caught.value.message
    assert FAN_WEIGHTS.url in caught.value.remedy and "96 MB" in caught.value.remedy


def test_random_weights_are_not_the_real_ones(folder, no_network):
    with pytest.raises(AssetError, match=FAN_WEIGHTS.name):
        FanLandmarker.load(folder, HERE)


class Attack:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_attack_under_the_right_name_is_not_opened(folder, tmp_path):
    size = (folder / FAN_WEIGHTS.name).stat().st_size
    content = pickle.dumps(Attack(tmp_path / "attacked"))
    (tmp_path / FAN_WEIGHTS.name).write_bytes(content + bytes(size - len(content)))
    with pytest.raises(AssetError, match="SHA-256"):
        FanLandmarker.load(tmp_path, expecting(folder / FAN_WEIGHTS.name))
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("kind", ["attack", "other network", "no weights", "noise"])
def test_verified_file_that_is_no_fan(tmp_path, kind):
    """Even a file with the right hash runs no code."""
    path = tmp_path / FAN_WEIGHTS.name
    if kind == "attack":
        torch.save({"conv1.weight": Attack(tmp_path / "attacked")}, path)
    elif kind == "other network":
        torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    elif kind == "no weights":
        torch.save([1, 2, 3], path)
    else:
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(AssetError, match="does not hold FAN's weights") as caught:
        FanLandmarker.load(tmp_path, expecting(path))
    assert caught.value.remedy and not (tmp_path / "attacked").exists()


def test_other_version_of_the_library(folder, monkeypatch):
    monkeypatch.setattr(face_alignment, "__version__", "1.6.0")
    with pytest.raises(AssetError, match=r"1\.5\.0, but 1\.6\.0 is installed") as caught:
        FanLandmarker.load(folder, HERE)
    assert "mesh" in caught.value.remedy


def test_library_is_not_installed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(AssetError, match="face_alignment") as caught:
        FanLandmarker.load(folder, HERE)
    assert "pip install face-alignment==1.5.0" in caught.value.remedy


def test_the_library_does_without_numba():
    """In a process of its own, where numba cannot be imported; decoding heatmaps is what numba would compile."""
    program = """
import sys
sys.modules["numba"] = None
import torch
from facedetail_addon.core.observe.landmarks.fan import load_library
library = load_library()
assert sys.modules["numba"] is None
heatmaps = torch.zeros(1, 68, 64, 64)
heatmaps[0, :, 20, 30] = 1
points = library.utils.get_preds_fromhm(heatmaps.numpy())[0]
assert abs(points[0, 0] - [31, 21]).max() <= 0.5, points[0, 0]
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_numba_is_left_as_it_was():
    before = numba.config.DISABLE_JIT
    load_library()
    assert numba.config.DISABLE_JIT == before == 0
    assert numba.njit(lambda: 0).py_func, "others' functions are compiled as ever"


def test_a_photo_is_fitted_to_its_points(landmarker, face, tmp_path):
    """Random weights find no face, but the same points every time, and the pipeline takes just these."""
    photo = tmp_path / "astronaut.png"
    Image.fromarray(astronaut()).save(photo)
    mesh = Settings(resolution=512, fit="sparse", detail="none")
    models = dataclasses.replace(Models.load(mesh), fan=landmarker, offset=None)
    settings = dataclasses.replace(mesh, landmarker="fan", fit="auto")
    result = reconstruct(photo, models, settings, lambda text, done: None)
    assert result.record.landmarker == "fan"
    np.testing.assert_array_equal(
        result.record.observation.landmarks.sparse_px, landmarker.find(astronaut(), face).points_px
    )


def test_real_weights_agree_with_the_mesh(face):
    """Only where the real file is in torch's cache: both landmarkers mean the same points."""
    (cache,) = places(FAN_WEIGHTS, None)
    if find_user_asset(FAN_WEIGHTS, [cache]) is None:
        pytest.skip(f"FAN's weights are not in {cache}: {FAN_WEIGHTS.url}")
    found = FanLandmarker.load(None).find(astronaut(), face)
    distance = np.linalg.norm(found.points_px - face.sparse_px, axis=1)
    assert np.median(distance[17:]) < 0.05 * np.ptp(face.sparse_px[:, 0])
    assert np.median(found.scores) > 0.5
