# SPDX-License-Identifier: GPL-3.0-or-later
"""Emotion-Net: what it promises for any picture, what it says of known faces, and weights that are not right."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage.data import astronaut

from facedetail_addon.core.assets import shipped as assets
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.observe.expression.emotion_net import (
    FEATURES,
    INPUT,
    WEIGHTS,
    EmotionNet,
    load_emotion_net,
    read_emotions,
    standardise,
)
from facedetail_addon.core.observe.expression.face_crop import crop_face
from facedetail_addon.core.observe.expression.types import EMOTIONS, Emotion
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker


@pytest.fixture(scope="module")
def network() -> EmotionNet:
    return load_emotion_net()


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def astronaut_crop(landmarker) -> np.ndarray:
    return crop_face(astronaut(), landmarker.find(astronaut())[0].mesh_px, INPUT)


@pytest.fixture(scope="module")
def crops(astronaut_crop) -> np.ndarray:
    """(6, 48, 48): a face, the face blurred, darkened and half covered, noise, a slope."""
    blurred = cv2.GaussianBlur(astronaut_crop, (0, 0), 2)
    dark = (astronaut_crop // 6).astype(np.uint8)
    covered = astronaut_crop.copy()
    covered[INPUT // 2 :] = 30
    noise = np.random.default_rng(0).integers(0, 256, (INPUT, INPUT), dtype=np.uint8)
    slope = np.tile(np.linspace(0, 255, INPUT).astype(np.uint8), (INPUT, 1))
    return np.stack([astronaut_crop, blurred, dark, covered, noise, slope])


def test_form(network, crops):
    probabilities, features = read_emotions(network, crops)
    assert probabilities.shape == (len(crops), len(EMOTIONS)) and probabilities.dtype == np.float32
    assert features.shape == (len(crops), FEATURES) and features.dtype == np.float32
    assert (probabilities >= 0).all() and np.isfinite(features).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


def test_left_and_right_do_not_matter(network, crops):
    mirrored = read_emotions(network, crops[:, :, ::-1])
    for result, other in zip(read_emotions(network, crops), mirrored, strict=True):
        np.testing.assert_allclose(result, other, atol=1e-4)


def test_faces_do_not_see_each_other(network, crops):
    together = read_emotions(network, crops)
    for index in range(len(crops)):
        alone = read_emotions(network, crops[index : index + 1])
        for result, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(result[index], other[0], atol=1e-4)


def test_different_faces_differ(network, crops):
    probabilities, features = read_emotions(network, crops)
    assert np.abs(probabilities[0] - probabilities[4]).max() > 0.1
    assert np.linalg.norm(features[0] - features[4]) > 0.3 * np.linalg.norm(features[0])


@pytest.mark.parametrize("grey", [0, 127, 255])
def test_flat_crops(network, grey):
    probabilities, features = read_emotions(network, np.full((1, INPUT, INPUT), grey, np.uint8))
    assert np.isfinite(features).all() and probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_brightness_and_contrast_do_not_matter(network, astronaut_crop):
    faint = (astronaut_crop.astype(float) * 0.5 + 60).astype(np.uint8)
    both, _ = read_emotions(network, np.stack([astronaut_crop, faint]))
    np.testing.assert_allclose(both[0], both[1], atol=0.03)


def test_flat_crops_are_not_stretched_to_noise():
    nearly_flat = torch.full((1, INPUT, INPUT), 100, dtype=torch.uint8)
    nearly_flat[0, ::2] = 101
    assert standardise(nearly_flat).abs().max() < 0.2
    face = standardise(torch.arange(INPUT * INPUT).reshape(1, INPUT, INPUT) % 256)
    assert float(face.mean()) == pytest.approx(0, abs=1e-4) and float(face.std()) == pytest.approx(1, abs=1e-3)


def test_same_picture_same_answer(network, crops):
    for result, other in zip(read_emotions(network, crops), read_emotions(network, crops), strict=True):
        np.testing.assert_array_equal(result, other)


def test_the_astronaut_is_happy(network, astronaut_crop):
    emotion = Emotion(read_emotions(network, astronaut_crop[None])[0][0])
    assert emotion.name == "happy" and emotion.probability > 0.6


def test_portraits(network, landmarker, data_dir):
    """Of sixteen people, most are read as neutral when they are; nearly all look happier when they smile at all."""
    read = {}
    for folder in ("neutral", "smiling"):
        crops = []
        for path in sorted((data_dir / "london" / folder).glob("*.jpg"))[::5][:16]:
            picture = np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])
            crops.append(crop_face(picture, landmarker.find(picture)[0].mesh_px, INPUT))
        read[folder] = read_emotions(network, np.stack(crops))[0]
    happy, neutral = EMOTIONS.index("happy"), EMOTIONS.index("neutral")
    assert (read["neutral"].argmax(1) == neutral).mean() > 0.7
    assert (read["smiling"][:, happy] > read["neutral"][:, happy]).mean() > 0.85
    assert (read["smiling"].argmax(1) == happy).mean() > 0.25


@pytest.fixture
def weights_copy(tmp_path) -> Path:
    """A copy of the shipped weights, in a folder with a copy of their index."""
    for name in (WEIGHTS, assets.INDEX_NAME):
        shutil.copy(assets.WEIGHTS_DIR / name, tmp_path)
    return tmp_path / WEIGHTS


def test_missing_weights(weights_copy):
    weights_copy.unlink()
    with pytest.raises(AssetError, match=WEIGHTS) as caught:
        load_emotion_net(weights_copy.parent)
    assert caught.value.remedy


def test_damaged_weights(weights_copy):
    data = bytearray(weights_copy.read_bytes())
    data[-100] ^= 1
    weights_copy.write_bytes(data)
    with pytest.raises(AssetError, match="damaged"):
        load_emotion_net(weights_copy.parent)


@pytest.mark.parametrize("change", ["a tensor is missing", "a tensor of another shape", "no safetensors file"])
def test_weights_of_another_version(weights_copy, change):
    tensors = load_file(weights_copy)
    name = "classify.weight"
    if change == "a tensor is missing":
        tensors.pop(name)
    else:
        tensors[name] = tensors[name][:-1].clone()
    save_file(tensors, weights_copy)
    if change == "no safetensors file":
        weights_copy.write_bytes(b"not a tensor file")
    assets.register_weights(weights_copy)
    with pytest.raises(AssetError, match="does not fit") as caught:
        load_emotion_net(weights_copy.parent)
    assert caught.value.remedy


def test_weights_are_half_precision_and_small():
    path = assets.find_weights(WEIGHTS)
    assert path.stat().st_size < 3.5e6
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}
