# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped detail networks on photos whose skin is known, and the photos' own truth.

Bounds are far from what the weights reach (model card): they fail for wrong weights, not for slightly other ones.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.space import BOX, SIDE
from facedetail_addon.core.detail.synthesis import DetailNet, make_detail
from facedetail_addon.core.detail.types import DetailMaps
from facedetail_addon.core.fit.types import PoseFit
from facedetail_addon.core.observe.masks.glasses import eye_region
from facedetail_addon.core.observe.masks.glasses_net import GLASSES_HIGH, GLASSES_WIDE
from facedetail_addon.core.observe.masks.types import GlassesMask
from facedetail_addon.core.observe.photo import Photo
from facedetail_addon.core.rendering.types import Transfer
from facedetail_addon.core.uv.frames import frames_on_skin
from facedetail_addon.settings import DRAFT
from scripts.benchmark.detail.heads import (
    NOISE,
    SEED,
    blank_inputs,
    load_net,
    load_studio,
    median_resolvable_mm,
    relief_of,
)
from scripts.benchmark.detail.measure import BANDS_MM, band_errors, band_pass
from scripts.benchmark.errors import rms
from scripts.training.glasses_net.drawing import draw_glasses
from scripts.training.heads.samples import HeadSample, sample_head
from scripts.training.skin.folds import random_person
from scripts.training.skin.relief import make_relief
from scripts.training.studio.camera import see_head
from scripts.training.studio.photos import (
    POSE,
    Example,
    Found,
    Shot,
    look,
    look_at_known,
    take_photo,
    true_relief,
)
from scripts.training.studio.studio import SETTINGS as STUDIO_SETTINGS
from scripts.training.studio.studio import Studio

SETTINGS = replace(STUDIO_SETTINGS, quality=DRAFT)
"""Nothing here is about the head's refinement."""
SKIN = 5
"""Seed of what the skin is drawn with."""


@pytest.fixture(scope="module")
def studio() -> Studio:
    return load_studio()


@pytest.fixture(scope="module")
def net() -> DetailNet:
    return load_net(WEIGHTS_DIR)


@pytest.fixture(scope="module")
def sample(studio) -> HeadSample:
    return sample_head(np.random.default_rng(11), studio.model, size=860, pose=POSE)


@pytest.fixture(scope="module")
def vertices(studio, sample) -> np.ndarray:
    return studio.model.vertices(sample.alpha, sample.beta)


@pytest.fixture(scope="module")
def bumps(studio) -> np.ndarray:
    """(H, W) mm: smooth bumps 5 mm apart all over the face."""
    y, x = np.mgrid[0 : studio.skin.shape[0], 0 : studio.skin.shape[1]]
    return (0.25 * np.sin(2 * np.pi * x / 25) * np.sin(2 * np.pi * y / 25)).astype(np.float32)


@pytest.fixture(scope="module")
def shot(studio, sample, vertices) -> Shot:
    beta = dict(zip(studio.model.expression_names, sample.beta, strict=True))
    return Shot(vertices, sample.camera, see_head(studio, vertices, sample.camera), beta)


@pytest.fixture(scope="module")
def photo(studio, shot, bumps) -> np.ndarray:
    return take_photo(studio, shot, bumps, np.random.default_rng(4))


@pytest.fixture(scope="module")
def found(studio, photo) -> Found:
    out = look(studio, Photo.of(photo), settings=SETTINGS)
    assert out is not None
    return out


def detail_of(photo: np.ndarray, studio: Studio, net: DetailNet, transfer: Transfer) -> tuple[DetailMaps, Found]:
    """``transfer``: of the same head, found on a good photo."""
    found = look(studio, Photo.of(photo), transfer, SETTINGS)
    assert found is not None
    return make_detail(found.inputs, net, found.head.vertices_neutral, studio.model, studio.models.atlas), found


def on_box(texture: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = BOX
    assert len(texture) == SIDE
    return texture[y0:y1, x0:x1]


@pytest.fixture(scope="module")
def known(studio, shot, found) -> tuple[Example, Example]:
    """One head in one light, with relief and without any; both have pigment."""
    rng, out = np.random.default_rng((SEED, SKIN)), []
    relief = make_relief(studio.skin, replace(random_person(rng, shot.beta), flat=False), rng)
    for height in (relief, np.zeros_like(relief)):
        photo = take_photo(studio, shot, height, np.random.default_rng((SEED, SKIN, 1)))
        out.append(look_at_known(studio, photo, height, shot, found.light.transfer, SETTINGS))
    assert all(one is not None for one in out)
    return tuple(out)


def where_sure(example: Example) -> np.ndarray:
    sure = (example.found.inputs.mask * example.valid) > 0.7
    assert sure.sum() > 20_000, "8 cm²"
    return sure


def test_known_skin_is_found(studio, net, known):
    """Heights the right way round in every band, and all together nearer to the truth than a smooth head."""
    example = known[0]
    where, truth = where_sure(example), example.medium + example.fine
    ours = relief_of(example.found, example.found.inputs, studio, net)
    bands = [band_errors(*(band_pass(part * where, band)[where] for part in (ours, truth))) for band in BANDS_MM]
    assert min(band.correlation for band in bands) > 0
    assert max(band.correlation for band in bands) > 0.2
    assert rms((ours - truth)[where]) < rms(truth[where])


def test_pigment_makes_no_relief(studio, net, known):
    example = known[1]
    where = where_sure(example)
    assert rms(relief_of(example.found, example.found.inputs, studio, net)[where]) < 0.03, "mm"
    noisy = blank_inputs(example.found.inputs, median_resolvable_mm(example.found.inputs))[NOISE]
    assert rms(relief_of(example.found, noisy, studio, net)[where]) < 0.02


@pytest.mark.parametrize("harm", ["blurred", "coded", "half hidden", "tiny"])
def test_bad_photos_give_bounded_relief(studio, net, photo, found, harm):
    if harm == "blurred":
        harmed = cv2.GaussianBlur(photo, (0, 0), 4)
    elif harm == "coded":
        harmed = cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 5])[1], cv2.IMREAD_COLOR)
    elif harm == "half hidden":
        harmed = photo.copy()
        harmed[:, int(0.55 * photo.shape[1]) :] //= 8
    else:
        harmed = cv2.resize(cv2.resize(photo, (100, 100), interpolation=cv2.INTER_AREA), photo.shape[1::-1])
    maps, seen = detail_of(harmed, studio, net, found.light.transfer)
    for part in (maps.medium, maps.fine):
        assert np.isfinite(part).all() and np.abs(part).max() <= 1.5
        assert np.abs(np.diff(part, axis=0)).max() < 0.25 and np.abs(np.diff(part, axis=1)).max() < 0.25, "cliffs"
    if harm in ("blurred", "tiny"):
        assert not maps.fine.any()
        assert np.median(seen.inputs.resolvable_mm[seen.inputs.mask > 0.5]) > 1


def test_rims_of_glasses_are_no_grooves(studio, net, photo, found):
    """Drawn before the same face: nothing is carved where they are, and they are what would have been."""
    face = studio.models.landmarker.find(photo)[0]
    region, first = eye_region(face.sparse_px), (GLASSES_WIDE - GLASSES_HIGH) // 2
    square = region.crop(photo, GLASSES_WIDE, cv2.BORDER_REPLICATE)
    marks = region.from_photo(face.sparse_px) * GLASSES_WIDE
    eyes = np.stack([marks[36:42].mean(axis=0), marks[42:48].mean(axis=0)]) - [0, first]
    change = np.zeros(square.shape, np.float32)
    band = slice(first, first + GLASSES_HIGH)
    drawn, cover = draw_glasses(square[band], eyes, np.random.default_rng(3))
    change[band] = drawn.astype(np.float32) - square[band]
    y, x = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]] + 0.5
    at = (region.from_photo(np.stack([x, y], axis=-1)) * GLASSES_WIDE - 0.5).astype(np.float32)
    worn = (photo + cv2.remap(change, at, None, cv2.INTER_LINEAR)).clip(0, 255).astype(np.uint8)
    maps, seen = detail_of(worn, studio, net, found.light.transfer)
    points = seen.head.pose.perspective.project(studio.model.skin.of(seen.head.pose.vertices))
    rims = on_box(frames_on_skin(cover, GlassesMask(region, 1.0, cover).on_photo(points), studio.models.atlas)) > 0.9
    rims &= found.inputs.mask > 0.9
    assert rims.mean() > 0.003
    height = on_box(maps.medium) + on_box(maps.fine)
    assert np.sqrt((height[rims] ** 2).mean()) < 0.05, "mm"
    assert seen.inputs.mask[rims].mean() < 0.25


def test_truth_lies_where_the_fit_sees_it(studio, sample, vertices, bumps, shot):
    """A fit without error finds the relief in its own place; one that is 2 mm off, shifted."""

    def truth(shift_mm: float) -> tuple[np.ndarray, np.ndarray]:
        moved = vertices + np.float32([shift_mm, 0, 0])
        pose = PoseFit(sample.beta, None, sample.camera, moved, studio.model.landmarks68.points(moved), 0.0)
        (medium, fine), valid = true_relief(studio, pose, bumps, shot.seen)
        return medium + fine, valid

    height, valid = truth(0.0)
    sure = valid > 0
    assert sure.mean() > 0.2
    assert np.corrcoef(height[sure], bumps[sure])[0, 1] > 0.97
    shifted, valid = truth(2.0)
    sure = valid > 0
    assert np.corrcoef(shifted[sure], bumps[sure])[0, 1] < 0.5


def test_bumps_are_brighter_towards_the_light_that_the_pipeline_finds(found, studio, shot, bumps):
    """Photo, fit, unwrap and light channels agree on which side of a bump is lit: signs of all of them at once."""
    inputs: DetailInputs = found.inputs
    (medium, fine), valid = true_relief(studio, found.head.pose, bumps, shot.seen)
    down, right = np.gradient(medium + fine)
    expected = inputs.light_x * right + inputs.light_y * down
    sure, strength = (inputs.mask > 0.8) & (valid > 0), np.hypot(inputs.light_x, inputs.light_y)
    strong = sure & (strength > np.median(strength[sure]))
    assert np.corrcoef(inputs.value[strong], expected[strong])[0, 1] > 0.15
