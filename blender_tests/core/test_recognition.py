# SPDX-License-Identifier: GPL-3.0-or-later
"""Face recognition: the network as its arrays describe it, its chips, its gradients, and that it tells people apart."""

import csv

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.observe.identity.recognition import Recognition, face_chips, five_points
from facedetail_addon.core.observe.identity.recognition_net import CHIP_PX, RecognitionNet
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.photo import read_photo
from scripts.benchmark.recognition import describe, distances
from scripts.training.recognition.conversion import convert

PEOPLE, ENOUGH = 20, 0.95
# dlib's places of eye corners and nose in a chip of 150 px with a padding of 0.25: (0.25 + place) / 1.5 · 150.
PLACES = np.array([[110.957, 46.350], [89.606, 47.897], [37.058, 46.373], [58.409, 47.906], [74.011, 87.780]])


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def recognition() -> Recognition:
    return Recognition.load()


@pytest.fixture(scope="module")
def face(landmarker) -> tuple[torch.Tensor, torch.Tensor]:
    """The astronaut, (1, 3, H, W) in double precision, and her five points."""
    points = five_points(landmarker.find(astronaut())[0].sparse_px)
    return as_tensor(astronaut()), torch.from_numpy(points).double()[None]


def as_tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture.transpose(2, 0, 1)[None] / 255.0)


# The network again, in NumPy, from the description of its arrays.


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,ocij->ohw", windows, weight, optimize=True) + bias[:, None, None]


def layer(x: np.ndarray, number: int, arrays: dict[str, np.ndarray], stem: bool = False) -> np.ndarray:
    weight, bias, gamma, beta = (arrays[f"c{number}.{name}"].astype(np.float64) for name in ("w", "b", "gamma", "beta"))
    stride = int(arrays[f"c{number}.stride"])
    x = convolved(x, weight, bias, stride, 0 if stem or stride == 2 else 1)
    return x * gamma[:, None, None] + beta[:, None, None]


def added(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    total = np.zeros(np.maximum(one.shape, other.shape))
    for part in (one, other):
        total[: part.shape[0], : part.shape[1], : part.shape[2]] += part
    return total


def described_by_arrays(chip: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """(150, 150, 3) sRGB 0..1 to (128,)."""
    x = ((255 * chip - [122.782, 117.001, 104.298]) / 256).transpose(2, 0, 1)
    x = np.maximum(layer(x, 0, arrays, stem=True), 0)
    x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2].max(axis=(3, 4))
    for first in range(1, 29, 2):
        branch = layer(np.maximum(layer(x, first, arrays), 0), first + 1, arrays)
        if arrays[f"c{first}.stride"] == 2:
            even = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
            x = (even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]) / 4
        x = np.maximum(added(branch, x), 0)
    return x.mean(axis=(1, 2)) @ arrays["fc"].astype(np.float64)


def test_the_network_is_what_its_arrays_describe(data_dir, recognition, face):
    with np.load(data_dir / "networks" / "identity_dlib.npz") as file:
        arrays = dict(file)
    for chip in (face_chips(*face)[0].permute(1, 2, 0).numpy(), np.random.default_rng(1).random((CHIP_PX, CHIP_PX, 3))):
        expected = described_by_arrays(chip, arrays)
        found = recognition.network(torch.from_numpy(chip.transpose(2, 0, 1)[None]).float())[0].numpy()
        # Rounding to half precision after the affine layers were folded in; people differ by 0.8.
        assert np.linalg.norm(found - expected) < 3e-3
        exact = convert(data_dir / "networks" / "identity_dlib.npz").double()
        found = exact(torch.from_numpy(chip.transpose(2, 0, 1)[None]))[0].numpy()
        assert np.linalg.norm(found - expected) < 1e-5


def test_features_have_the_sizes_they_are_said_to_have(recognition, face):
    pictures, points = (one.float() for one in face)
    shapes = [tuple(one.shape) for one in recognition.content(pictures, points)]
    assert shapes == [(1, 64, 17, 17), (1, 128, 8, 8), (1, 256, 4, 4)]
    assert recognition.embed(pictures, points).shape == (1, 128)


@pytest.mark.parametrize("what", ["embed", "content"])
def test_gradients_are_those_of_finite_differences(recognition, face, what):
    network = RecognitionNet().double()
    network.load_state_dict(recognition.network.state_dict())
    double = Recognition(network.eval().requires_grad_(False))
    pictures, points = face
    aim = [0.9 * one for one in _parts(getattr(double, what)(pictures, points))]

    def loss(of: torch.Tensor) -> torch.Tensor:
        parts = _parts(getattr(double, what)(of, points))
        return sum(((one - wanted) ** 2).mean() for one, wanted in zip(parts, aim, strict=True))

    turned = pictures.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss(turned), turned)
    generator, step = np.random.default_rng(3), 1e-7
    for _ in range(3):
        noise = cv2.GaussianBlur(generator.normal(size=(*pictures.shape[2:], 3)), (0, 0), 2.0)
        way = torch.from_numpy(noise.transpose(2, 0, 1)[None].copy())
        slope = float((loss(pictures + step * way) - loss(pictures - step * way)) / (2 * step))
        assert float((gradient * way).sum()) == pytest.approx(slope, rel=1e-3)
    beyond = gradient[0, :, -100:].abs().max()  # her hands; the chip ends above them
    assert float(gradient.abs().max()) > 0 and float(beyond) == 0


def _parts(found: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (found,) if isinstance(found, torch.Tensor) else found


@pytest.mark.parametrize(("scale", "degrees"), [(0.5, 0.0), (1.0, 35.0), (4.3, -20.0)])
def test_five_points_come_to_their_places(scale, degrees):
    turn = cv2.getRotationMatrix2D((75.0, 75.0), degrees, scale)
    points = PLACES @ turn[:, :2].T + turn[:, 2]
    low = points.min(axis=0) - 60 * scale
    points -= low
    side = int(np.ceil(points.max() + 60 * scale))
    y, x = np.mgrid[:side, :side] + 0.5
    for wanted, place in zip(PLACES, points, strict=True):
        blob = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * (2 * scale) ** 2))
        picture = torch.from_numpy(np.repeat(blob[None, None], 3, axis=1))
        chip = face_chips(picture, torch.from_numpy(points)[None])[0, 0].numpy()
        rows, columns = np.mgrid[:CHIP_PX, :CHIP_PX] + 0.5
        middle = np.array([(chip * columns).sum(), (chip * rows).sum()]) / chip.sum()
        np.testing.assert_allclose(middle, wanted, atol=0.02)


def test_fine_patterns_of_large_faces_are_averaged():
    """Stripes of one pixel, five to a pixel of the chip."""
    picture = np.zeros((1, 3, 800, 800), np.float32)
    picture[..., ::2] = 1
    points = torch.from_numpy(np.float32(PLACES * 5 + 20))[None]
    chip = face_chips(torch.from_numpy(picture), points)
    assert float((chip - 0.5).abs().max()) < 0.11
    one_sample = picture[0, 0, 0, 20::5][: CHIP_PX - 1]
    assert one_sample.std() > 0.45, "without averaging there would be stripes"


@pytest.mark.parametrize(("scale", "degrees"), [(0.6, 0.0), (3.0, 0.0), (1.0, 40.0)])
def test_size_and_turn_hardly_matter(landmarker, scale, degrees):
    picture = astronaut()
    turn = cv2.getRotationMatrix2D((220.0, 110.0), degrees, scale)
    turn[:, 2] += np.array([300.0, 300.0]) * scale - turn @ [220.0, 110.0, 1.0]
    side = int(600 * scale)
    other = cv2.warpAffine(picture, turn, (side, side), flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    one = describe(picture, landmarker.find(picture)[0].sparse_px)
    assert np.linalg.norm(one - describe(other, landmarker.find(other)[0].sparse_px)) < 0.15


def test_a_batch_gives_what_each_picture_gives(recognition, face):
    pictures, points = (one.float() for one in face)
    mirrored = pictures.flip(3)
    places = points[:, [2, 3, 0, 1, 4]] * torch.tensor([-1.0, 1.0]) + torch.tensor([pictures.shape[3], 0.0])
    both = recognition.embed(torch.cat([pictures, mirrored]), torch.cat([points, places]))
    alone = torch.cat([recognition.embed(pictures, points), recognition.embed(mirrored, places)])
    torch.testing.assert_close(both, alone, atol=1e-5, rtol=0)


def test_people_in_a_studio_are_told_apart(data_dir, landmarker):
    with open(data_dir / "london" / "info.csv", encoding="utf-8") as stream:
        names = [row["face_id"] for row in csv.DictReader(stream)][::4][:PEOPLE]
    found = []
    for kind in ("neutral", "smiling"):
        for name in names:
            picture = read_photo(data_dir / "london" / kind / f"{name}.jpg").pixels
            found.append(describe(picture, landmarker.find(picture)[0].sparse_px))
    apart = distances(np.array(found[:PEOPLE]), np.array(found[PEOPLE:]))
    right = [apart.argmin(axis) == np.arange(PEOPLE) for axis in (0, 1)]
    assert np.mean(right) >= ENOUGH
    same, different = np.diag(apart), apart[~np.eye(PEOPLE, dtype=bool)]
    assert same.max() < 0.45 and (different > 0.57).mean() > 0.95


def test_damaged_files_are_told(tmp_path):
    with pytest.raises(AssetError, match="index of weights"):
        Recognition.load(tmp_path)
    arrays = tmp_path / "arrays.npz"
    with pytest.raises(AssetError, match="does not hold"):
        convert(arrays)
    np.savez(arrays, **{"c0.w": np.zeros((3, 3))})
    with pytest.raises(AssetError, match=r"c0\.b"):
        convert(arrays)
    shapes = {"c0.w": (32, 3, 5, 5), "c0.b": 32, "c0.gamma": 32, "c0.beta": 32}
    np.savez(arrays, **{name: np.zeros(shape, np.float16) for name, shape in shapes.items()})
    with pytest.raises(AssetError, match=r"\(32, 3, 7, 7\)"):
        convert(arrays)
