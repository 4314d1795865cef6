# SPDX-License-Identifier: GPL-3.0-or-later
"""Several photos of one person: who belongs together, how photos lie on each other, one skin, relief and result."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from blender_tests.made_up import assert_same
from facedetail_addon.core.alignment import correlation, is_mirrored, moved, shift_between
from facedetail_addon.core.colour import LUMINANCE, to_linear, to_srgb8
from facedetail_addon.core.detail.expression_shares import expression_shares
from facedetail_addon.core.detail.merge import ReliefLayer, joined_relief, shares_by_photos
from facedetail_addon.core.errors import OutputError, PhotoError
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.pin_places import PinSurface
from facedetail_addon.core.fit.pins import Pin, PinnedEdit
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.person import faces_of, strangers
from facedetail_addon.core.person import reconstruct_person
from facedetail_addon.core.result.files import read_result, write_result
from facedetail_addon.core.result.record import (
    MORE_OBSERVATIONS,
    MORE_PHOTOS,
    MOST_PHOTOS,
    ByHand,
    HeadRecord,
    Reconstruction,
)
from facedetail_addon.core.skin.merge import SkinLayer, joined, seam_contrast
from facedetail_addon.core.skin.types import SkinMaps
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.settings import NO_DETAIL, Settings

SIDE = 512
SETTINGS = Settings(resolution=512, detail=NO_DETAIL)


@pytest.fixture(scope="module")
def atlas(model):
    return make_atlas(model, SIDE)


@pytest.fixture(scope="module")
def models():
    return Models.load(SETTINGS)


def descriptors(*groups: int) -> np.ndarray:
    """Of as many photos of each person, people 0.9 apart and photos of one 0.3."""
    rng = np.random.default_rng(0)
    out = []
    for person, count in enumerate(groups):
        for _ in range(count):
            offset = rng.normal(size=128)
            out.append(0.9 / np.sqrt(2) * np.eye(128)[person] + 0.21 * offset / np.linalg.norm(offset))
    return np.array(out)


def waves(side: int = SIDE, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return 0.1 * soft / soft.std()


def test_who_is_not_the_person_is_found_by_the_majority():
    facing = np.zeros(5)
    assert strangers(descriptors(3), facing[:3]) == []
    assert strangers(descriptors(3, 1), facing[:4]) == [3]
    assert strangers(descriptors(1, 1), facing[:2]) == [1]
    mixed = descriptors(1, 3)
    assert strangers(mixed, facing[:4]) == [0]
    assert strangers(descriptors(3, 1, 1), facing) == [3, 4]


def test_turned_faces_are_judged_more_mildly():
    pair = np.zeros((2, 128))
    pair[1, 0] = 0.68
    assert strangers(pair, np.zeros(2)) == [1]
    assert strangers(pair, np.array([0.0, 60.0])) == []


def test_in_a_group_the_face_like_the_first_is_taken_and_bystanders_are_not():
    person, other = descriptors(2, 1)[:2], descriptors(2, 1)[2]
    found = faces_of([person[:1], np.array([other, person[1]])], [np.array([200.0]), np.array([150.0, 120.0])], 0)
    assert found == [0, 1]
    found = faces_of([person[:1], np.array([other, person[1]])], [np.array([200.0]), np.array([150.0, 40.0])], 0)
    assert found == [0, 0]


def test_a_shift_is_found_where_both_are_seen():
    one = waves()
    flow = np.zeros((SIDE, SIDE, 2), np.float32)
    flow[..., 0], flow[..., 1] = 1.6, -0.9
    other = moved(one, -flow)
    both = np.zeros((SIDE, SIDE), np.float32)
    both[100:400, 100:400] = 1
    found = shift_between(one, other, both)
    inside = found[150:350, 150:350].reshape(-1, 2)
    np.testing.assert_allclose(inside.mean(axis=0), [1.6, -0.9], atol=0.25)
    assert np.abs(found[:20]).max() < 0.05
    np.testing.assert_allclose(moved(other, found)[150:350, 150:350], one[150:350, 150:350], atol=0.12)


def test_mirror_images_are_told_from_others():
    one, seen = waves(), np.ones((SIDE, SIDE), np.float32)
    noisy = one + 0.5 * waves(seed=1)
    assert is_mirrored(one, noisy[:, ::-1], seen, seen)
    assert not is_mirrored(one, noisy, seen, seen)
    assert not is_mirrored(one, waves(seed=2), seen, seen)
    assert correlation(one, noisy, np.zeros_like(seen)) == 0


def maps_of(colour: np.ndarray, known: np.ndarray) -> SkinMaps:
    plain = np.full((SIDE, SIDE), 128, np.uint8)
    return SkinMaps(to_srgb8(colour), plain, plain, known, None, known)


def test_two_halves_become_one_skin_in_the_first_ones_light(model, atlas):
    skin = (np.float32([0.35, 0.22, 0.16]) * np.exp(waves())[..., None]).clip(0, 1)
    across = np.linspace(0, 1, SIDE, dtype=np.float32)[None].repeat(SIDE, axis=0)
    left, right = (across < 0.62).astype(np.float32), (across > 0.38).astype(np.float32)
    blank = np.float32([0.3, 0.2, 0.15])
    one = np.where(left[..., None] > 0, skin, blank)
    other = np.where(right[..., None] > 0, skin * np.float32([0.8, 0.9, 1.1]), blank)  # another idea of its light
    layers = [SkinLayer(maps_of(colour, known), known) for colour, known in ((one, left), (other, right))]
    both, joint = joined(*layers, model, atlas)
    found = to_linear(both.maps.albedo)
    face = atlas.covered & (np.abs(across - 0.5) < 0.3)
    error = np.abs(np.log(found[face] + 0.01) - np.log(skin[face] + 0.01))
    assert error.mean() < 0.03
    assert both.weight[face].min() > 0.5 and both.maps.known[face].min() > 0.5
    border, beside = seam_contrast(both.maps.albedo, joint.share, face)
    assert border < 1.2 * beside
    mixed = face & (joint.share > 0.2) & (joint.share < 0.8)
    sharp = [np.std(np.log(part @ LUMINANCE + 0.01)[mixed]) for part in (found, skin)]
    assert sharp[0] > 0.8 * sharp[1], "nothing is blurred by being there twice"


def relief_layer(medium: np.ndarray, known: float = 1.0) -> ReliefLayer:
    zero = np.zeros_like(medium)
    return ReliefLayer(medium, zero, zero + 0.01, np.full_like(medium, known))


def test_the_first_photos_lines_stay_and_others_fill_in():
    line, other = (np.zeros((SIDE, SIDE), np.float32) for _ in range(2))
    line[100:104], other[300:304] = 0.1, 0.1
    first = relief_layer(line)
    first.weight[250:] = 0
    both = joined_relief(first, relief_layer(other), first=True)
    assert both.medium[100:104].min() > 0.09 and np.abs(both.medium[:200]).max() <= 0.1
    assert both.medium[301:303].min() > 0.09
    assert np.abs(both.unseen).max() < 1e-6, "what another photo shows is not unseen"


def test_lines_that_a_calmer_photo_lacks_are_the_expressions(model):
    names = list(model.expression_names)
    raised, calm = np.zeros(len(names), np.float32), np.zeros(len(names), np.float32)
    for name in names:
        if name.startswith(("browInnerUp", "browOuterUp")):
            raised[names.index(name)] = 0.5
    uv = model.landmarks68.points(model.skin.vertex_uv())
    row = int((1 - uv[19, 1] - 0.04) * SIDE)
    folded = np.zeros((SIDE, SIDE), np.float32)
    folded[row - 12 : row + 12] = 0.08 * np.sin(np.arange(24))[:, None]
    alone = expression_shares(model, raised)
    where = alone[:, 0] > 0.5
    texel = model.skin.vertex_uv()
    where &= np.abs((1 - texel[:, 1]) * SIDE - row) < 8
    assert where.any()
    gone, kept = (
        shares_by_photos(alone, [relief_layer(folded), relief_layer(there)], [raised, calm], model)[where, 0].mean()
        for there in (np.zeros_like(folded), folded)
    )
    assert gone > 0.8 > 0.2 > kept
    others = [(relief_layer(np.zeros_like(folded)), calm), (relief_layer(0.5 * folded), 0.5 * raised)]
    orders = [
        shares_by_photos(alone, [relief_layer(folded), *layers], [raised, *betas], model)
        for layers, betas in (zip(*others, strict=True), zip(*others[::-1], strict=True))
    ]
    np.testing.assert_allclose(*orders, atol=1e-6, err_msg="the order of the other photos")
    same = shares_by_photos(alone, [relief_layer(folded), relief_layer(folded)], [raised, raised], model)
    np.testing.assert_allclose(same, alone, atol=1e-6)


def test_a_person_by_two_photos_comes_back_from_its_folder(models, data_dir, tmp_path):
    photos = [data_dir / "london" / kind / "029.jpg" for kind in ("neutral", "smiling")]
    stranger = data_dir / "london" / "neutral" / "064.jpg"
    mirrored = tmp_path / "selfie.png"
    cv2.imwrite(str(mirrored), cv2.imread(str(photos[0]))[:, ::-1])
    again = tmp_path / "again.jpg"
    shutil.copy(photos[0], again)
    alone = reconstruct_person(photos[:1], models, SETTINGS, lambda text, share: None)
    done, every = [], [*photos, stranger, again, mirrored]
    edit = PinnedEdit((_pin(models.model, alone.record, (9.0, 4.0)),))
    pinned = replace(alone.record, by_hand=ByHand(edit, alone.record.fit))
    found = reconstruct_person(every, models, SETTINGS, lambda text, share: done.append(share), pinned)
    assert found.record.edit == edit, "a photo that is added goes on with what was pinned"
    assert not np.array_equal(found.record.fit.vertices_neutral, found.record.automatic.vertices_neutral)
    assert done == sorted(done) and done[-1] == 1
    told = {notice.code: notice.message for notice in found.record.notices}
    assert "064.jpg" in told["another_person"] and "again.jpg" in told["same_photo"]
    assert "selfie.png" in told["mirrored_photo"]
    assert [one.photo_name for one in found.record.observations] == ["029.jpg", "029.jpg"]
    assert len(found.record.fit.poses) == len(found.record.lights) == 2
    folder = write_result(found, tmp_path, models.model, name="somebody")
    assert folder.name == "somebody"
    assert {MORE_PHOTOS[0], MORE_OBSERVATIONS[0]} <= {path.name for path in folder.iterdir()}
    back = read_result(folder)
    assert_same(_as_kept(back, back.maps["confidence"]), _as_kept(found, back.maps["confidence"]))
    assert all(one.masks is not None for one in back.record.observations)
    (folder / MORE_PHOTOS[0]).unlink()
    with pytest.raises(OutputError, match="photo_2"):
        read_result(folder)


def _pin(model: FaceModel, record: HeadRecord, by_px: tuple[float, float]) -> Pin:
    """On the jaw's left."""
    place, number = model.landmarks68, 13
    part, uv = PinSurface.of(model).place_of(place.vertices[number], place.weights[number])
    px = record.pose.perspective.project(record.pose.landmarks68_mm[number][None].astype(np.float64))[0]
    return Pin(0, uv, tuple((px + by_px).tolist()), part)


def _as_kept(found: Reconstruction, confidence: np.ndarray) -> Reconstruction:
    """Glasses are not kept, masks and confidence nearly."""
    observations = tuple(replace(one, glasses=None, masks=None) for one in found.record.observations)
    return Reconstruction(replace(found.record, observations=observations), {**found.maps, "confidence": confidence})


def test_too_many_photos_and_photos_without_faces_are_named(models, data_dir, tmp_path):
    photo = data_dir / "london" / "neutral" / "029.jpg"
    with pytest.raises(PhotoError, match=str(MOST_PHOTOS)):
        reconstruct_person([photo] * (MOST_PHOTOS + 1), models, SETTINGS, lambda text, share: None)
    grey = tmp_path / "wall.png"
    cv2.imwrite(str(grey), np.full((300, 300, 3), 128, np.uint8))
    with pytest.raises(PhotoError, match="wall.png"):
        reconstruct_person([photo, grey], models, SETTINGS, lambda text, share: None)
