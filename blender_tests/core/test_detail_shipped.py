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
from facedetail_addon.core.observe.photo import Photo
from facedetail_addon.core.rendering.types import Transfer
from facedetail_addon.settings import DRAFT
from scripts.benchmark.detail.heads import (
    EVERYWHERE,
    NOTHING,
    OURS,
    FalseRelief,
    SkinErrors,
    load_net,
    load_studio,
    measure_head,
)
from scripts.training.heads.samples import HeadSample, sample_head
from scripts.training.studio.camera import see_head
from scripts.training.studio.photos import POSE, Found, Shot, look, take_photo, true_relief
from scripts.training.studio.studio import SETTINGS as STUDIO_SETTINGS
from scripts.training.studio.studio import Studio

HEAD, HEADS, SKINS = 5, 8, 2
"""Of the benchmark: sharp photos, without glasses."""
SETTINGS = replace(STUDIO_SETTINGS, quality=DRAFT)
"""Nothing here is about the head's refinement."""


@pytest.fixture(scope="module")
def measured() -> tuple[list[SkinErrors], list[FalseRelief]]:
    return measure_head(HEAD, HEADS, SKINS, WEIGHTS_DIR, settings=SETTINGS)


@pytest.fixture(scope="module")
def studio() -> Studio:
    return load_studio()


@pytest.fixture(scope="module")
def net() -> DetailNet:
    return load_net(WEIGHTS_DIR)


@pytest.fixture(scope="module")
def sample(studio) -> HeadSample:
    return sample_head(np.random.default_rng(11), studio.model, size=640, pose=POSE)


@pytest.fixture(scope="module")
def vertices(studio, sample) -> np.ndarray:
    return studio.model.vertices(sample.alpha, sample.beta)


@pytest.fixture(scope="module")
def bumps(studio) -> np.ndarray:
    """(H, W) mm: smooth bumps 5 mm apart all over the face."""
    y, x = np.mgrid[0 : studio.skin.shape[0], 0 : studio.skin.shape[1]]
    return (0.25 * np.sin(2 * np.pi * x / 25) * np.sin(2 * np.pi * y / 25)).astype(np.float32)


@pytest.fixture(scope="module")
def photo(studio, sample, vertices, bumps) -> np.ndarray:
    shot = Shot(vertices, sample.camera, see_head(studio, vertices, sample.camera), {})
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


def test_known_skin_is_found(measured):
    """Heights the right way round in every band, and all together nearer to the truth than a smooth head."""
    errors, _ = measured
    assert len(errors) == SKINS
    for one in errors:
        assert min(band.correlation for band in one.methods[OURS].bands) > 0
        assert max(band.correlation for band in one.methods[OURS].bands) > 0.2
    ours, nothing = (np.hypot.reduce([one.methods[name].rmse_mm for one in errors]) for name in (OURS, NOTHING))
    assert ours < nothing


def test_pigment_makes_no_relief(measured):
    _, false = measured
    assert len(false) == SKINS
    for one in false:
        assert one.places[EVERYWHERE] < 0.03, "RMS, mm"
    assert max(false[0].blank.values()) < 0.02


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


def test_truth_lies_where_the_fit_sees_it(studio, sample, vertices, bumps):
    """A fit without error finds the relief in its own place; one that is 2 mm off, shifted."""
    seen = see_head(studio, vertices, sample.camera)

    def truth(shift_mm: float) -> tuple[np.ndarray, np.ndarray]:
        moved = vertices + np.float32([shift_mm, 0, 0])
        pose = PoseFit(sample.beta, None, sample.camera, moved, studio.model.landmarks68.points(moved), 0.0)
        (medium, fine), valid = true_relief(studio, pose, bumps, seen)
        return medium + fine, valid

    height, valid = truth(0.0)
    sure = valid > 0
    assert sure.mean() > 0.2
    assert np.corrcoef(height[sure], bumps[sure])[0, 1] > 0.97
    shifted, valid = truth(2.0)
    sure = valid > 0
    assert np.corrcoef(shifted[sure], bumps[sure])[0, 1] < 0.5


def test_bumps_are_brighter_towards_the_light_that_the_pipeline_finds(found, studio, sample, vertices, bumps):
    """Photo, fit, unwrap and light channels agree on which side of a bump is lit: signs of all of them at once."""
    inputs: DetailInputs = found.inputs
    (medium, fine), valid = true_relief(studio, found.head.pose, bumps, see_head(studio, vertices, sample.camera))
    down, right = np.gradient(medium + fine)
    expected = inputs.light_x * right + inputs.light_y * down
    sure, strength = (inputs.mask > 0.8) & (valid > 0), np.hypot(inputs.light_x, inputs.light_y)
    strong = sure & (strength > np.median(strength[sure]))
    assert np.corrcoef(inputs.value[strong], expected[strong])[0, 1] > 0.15
