# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wears glasses, and where their rims lie: on real people, and drawn before the astronaut."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.masks.glasses import eye_region, find_glasses
from facedetail_addon.core.observe.masks.glasses_net import GLASSES_HIGH, GLASSES_WIDE
from facedetail_addon.core.observe.masks.networks import MaskNetworks
from facedetail_addon.core.observe.masks.types import GlassesMask
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.uv.frames import frames_on_skin
from scripts.training.glasses_net.drawing import draw_glasses

EYES = slice(36, 42), slice(42, 48)


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def network():
    return MaskNetworks.load().glasses


def test_the_astronaut_wears_none(landmarker, network):
    picture = astronaut()
    found = find_glasses(picture, landmarker.find(picture)[0], network)
    assert found.probability < 0.2
    assert found.frames.shape == (GLASSES_HIGH, GLASSES_WIDE) and not found.frames.any()


def test_drawn_frames_are_found_where_they_are(landmarker, network):
    """Ten pairs before one face: most of each frame, and hardly anything else."""
    picture, middle, first = astronaut(), GLASSES_WIDE / 2, (GLASSES_WIDE - GLASSES_HIGH) // 2
    face = landmarker.find(picture)[0]
    region = eye_region(face.sparse_px)
    square = region.crop(picture, GLASSES_WIDE, cv2.BORDER_REPLICATE)
    marks = region.from_photo(face.sparse_px) * GLASSES_WIDE
    eyes = np.stack([marks[eye].mean(axis=0) for eye in EYES]) - [0, first]
    assert np.allclose(eye_region(marks).center, middle)
    told, hit, false = [], [], []
    for seed in range(10):
        worn = square.copy()
        band = slice(first, first + GLASSES_HIGH)
        worn[band], cover = draw_glasses(square[band], eyes, np.random.default_rng(seed))
        found = find_glasses(worn, replace(face, sparse_px=marks), network)
        told.append(found.probability > 0.5)
        hit.append((found.frames > 0.4)[cover > 0.8].mean())
        false.append((found.frames > 0.4)[cover < 0.02].mean())
    assert np.mean(told) >= 0.9
    assert np.median(hit) > 0.8 and np.median(false) < 0.05


@pytest.mark.parametrize("photo", ["synthetic_portraits/female-69", "official_portraits/17", "official_portraits/49"])
def test_people_with_glasses(data_dir, landmarker, network, photo):
    """None of them was learned from."""
    found = look(data_dir, landmarker, network, photo)
    assert found.probability > 0.8
    assert 0.01 < (found.frames > 0.5).mean() < 0.25
    nose = found.frames[:, GLASSES_WIDE // 2 - 6 : GLASSES_WIDE // 2 + 6].max(axis=0)
    assert (nose > 0.5).mean() > 0.8, "a bridge crosses the nose"


@pytest.mark.parametrize(
    "photo",
    ["synthetic_portraits/female-24", "synthetic_portraits/male-73", "official_portraits/08", "official_portraits/36"],
)
def test_eye_bags_and_crows_feet_are_no_glasses(data_dir, landmarker, network, photo):
    found = look(data_dir, landmarker, network, photo)
    assert found.probability < 0.3 and not found.frames.any()


def look(data_dir, landmarker, network, photo: str) -> GlassesMask:
    pixels = read_photo(data_dir / f"{photo}.jpg").pixels
    return find_glasses(pixels, landmarker.find(pixels)[0], network)


def test_frames_lie_on_the_texels_that_the_photo_shows_behind_them(model, atlas):
    """Seen along the axis of a parallel camera that shows 1 mm in each pixel: a bar across the face."""
    skin = model.skin.of(model.mean)
    points = skin[:, :2] * [1, -1] + [100, 100]
    frames = np.zeros((GLASSES_HIGH, GLASSES_WIDE), np.float32)
    frames[60:64] = 1
    mask = GlassesMask(Region(np.array([100.0, 100.0]), 200.0), 1.0, frames)
    found = frames_on_skin(frames, mask.on_photo(points), atlas)
    covered, height = atlas.covered, np.zeros(atlas.covered.shape, np.float32)
    height[covered] = atlas.texels(points[:, 1:].astype(np.float32))[:, 0]
    middle = 100 + (62 - 64) * 200 / GLASSES_WIDE
    assert (found[covered & (np.abs(height - middle) < 1)] > 0.9).all()
    assert not found[covered & (np.abs(height - middle) > 7)].any()
    assert not frames_on_skin(0 * frames, mask.on_photo(points), atlas).any()
