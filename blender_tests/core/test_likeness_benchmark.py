# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulers of likeness and of dressed heads: people and outlines whose distance is known."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from skimage.color import lab2rgb

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.masks.types import MASK_SIDE, PhotoMasks
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.rendering.normals import vertex_normals
from scripts.benchmark.geometry.dressed import DressedHead, face_on, load_studio
from scripts.benchmark.likeness.identity import (
    IN_PHOTO,
    MEAN_ON_GREY,
    MEAN_THREE_QUARTER,
    ON_GREY,
    OTHER_PHOTO,
    PHOTO,
    RENDERS,
    THREE_QUARTER,
    drawings,
    identity_table,
    orbited,
)
from scripts.benchmark.likeness.measure import compare, radius
from scripts.benchmark.likeness.outline import outline_gaps
from scripts.benchmark.likeness.portraits import face_vertices
from scripts.benchmark.recognition import skin_tone, summary

SIDE_PX = 512


@pytest.fixture(scope="module")
def face(model):
    """The mean face's points and normals."""
    mean, which = model.skin.of(model.mean), face_vertices(model)
    return mean[which], vertex_normals(mean, model.skin.triangles())[which]


@pytest.fixture(scope="module")
def people(face):
    """(5, F, 3) faces that differ by 1 mm along the normals, without a scale or turn in common."""
    mean, normals = face
    return mean + normals * np.random.default_rng(1).normal(size=(5, len(mean), 1)) * np.sqrt(np.pi) / 2


def moved(faces, scale=1.0):
    """Each somewhere else."""
    turns = Rotation.random(len(faces), random_state=2).as_matrix()
    return np.array([scale * one @ turn.T + [3, 4, 5] for one, turn in zip(faces, turns, strict=True)])


def test_people_are_told_apart_wherever_their_heads_are(people, face):
    found = compare(people, moved(people), *face)
    assert found.within_mm < 1e-4 and found.rank1 == 1 and found.size_sigma < 1e-6
    # Of two normal heights σ = √π / 2 the mean distance is √2 σ · √(2/π) = 1.
    assert found.between_mm == pytest.approx(1, abs=0.05)


def test_another_persons_head_is_not_the_nearest(people, face):
    found = compare(people, moved(np.roll(people, 1, axis=0)), *face)
    assert found.rank1 == 0 and found.within_mm == pytest.approx(1, abs=0.05)


def test_sizes_count_apart_from_shapes(people, face):
    found = compare(people, moved(people, 1.1), *face)
    assert found.within_mm < 1e-4
    assert found.size_sigma == pytest.approx(np.log(1.1) / np.sqrt(2), abs=1e-6)
    own = np.mean([np.log(radius(one) / radius(face[0])) for one in people])
    assert found.size_bias == pytest.approx(own + np.log(1.1) / 2, abs=1e-6)


def camera() -> PerspectiveCamera:
    """Of a frontal photo whose every pixel is 1 / 1.6 mm at the face."""
    rotation, at = np.diag([1.0, -1.0, -1.0]), np.array([0.0, 20.0, 60.0])
    middle = np.full(2, SIDE_PX / 2)
    return PerspectiveCamera(rotation, [0, 0, 1000.0] - rotation @ at, 1600.0, middle, (SIDE_PX, SIDE_PX))


def masks_of(model, wider_px: int) -> PhotoMasks:
    """A photo of the bald mean head, drawn by its triangles and then wider on all sides by mask pixels."""
    fine = 8  # OpenCV fills the border's pixels, too
    drawn = np.zeros((fine * MASK_SIDE, fine * MASK_SIDE), np.uint8)
    at = camera().project(model.skin.of(model.mean).astype(np.float64)) * MASK_SIDE / SIDE_PX * fine
    for corners in at[model.skin.triangles()]:
        cv2.fillConvexPoly(drawn, np.round(corners * 16 - 8).astype(np.int32), 255, shift=4)
    person = cv2.resize(drawn, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * wider_px + 1, 2 * wider_px + 1))
    person = cv2.GaussianBlur(cv2.dilate(person, disk), (0, 0), 0.8)
    region = Region(np.full(2, SIDE_PX / 2), float(SIDE_PX), 0.0)
    return PhotoMasks(region, (SIDE_PX, SIDE_PX), person, np.zeros_like(person), person)


@pytest.mark.parametrize("wider_px", [0, 4])
def test_outlines_are_measured_in_millimetres(model, wider_px):
    gaps = outline_gaps(model, model.mean, camera(), masks_of(model, wider_px))
    assert len(gaps.mm) > 100
    px_in_mm = SIDE_PX / MASK_SIDE / 1.6
    assert np.median(gaps.mm) == pytest.approx(wider_px * px_in_mm, abs=0.6 * px_in_mm)
    names = {model.region_names[index] for index in gaps.region}
    assert {"ears", "scalp"} <= names and "neck" not in names


def test_a_face_found_beside_the_head_is_not_its_face(model):
    head = DressedHead(model.mean, model.mean, camera(), np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8))
    marks = camera().project(model.landmarks68.points(model.mean).astype(np.float64))

    def found(by_px):
        return SimpleNamespace(mesh_px=np.c_[marks + [by_px, 0], np.zeros(len(marks))])

    here, there = found(10), found(250)
    assert face_on(head, (here, there), model) is here
    assert face_on(head, (there,), model) is None and face_on(head, (), model) is None


def test_without_skins_an_error_names_the_option(model, tmp_path):
    with pytest.raises(AssetError, match=tmp_path.name) as caught:
        load_studio(model, model, tmp_path, tmp_path)
    assert "--make-skins" in caught.value.remedy


def test_an_orbit_keeps_the_head_where_it_is_in_the_picture(model):
    middle = model.landmarks68.points(model.mean).mean(0).astype(np.float64)
    moved_camera = orbited(camera(), middle, 40.0)
    np.testing.assert_allclose(moved_camera.project(middle[None]), camera().project(middle[None]), atol=1e-9)
    np.testing.assert_allclose(
        np.linalg.norm(moved_camera.position() - middle), np.linalg.norm(camera().position() - middle)
    )
    # To the subject's right, who then looks to the picture's right: the nose is right of its root.
    root, tip = moved_camera.project(model.landmarks68.points(model.mean)[[27, 30]].astype(np.float64))
    assert tip[0] - root[0] > 10


def test_drawings_are_found_where_their_landmarks_are(model, made_up_result):
    models = SimpleNamespace(model=model)
    drawn = drawings(made_up_result[0], models)
    assert {kind: len(pictures) for kind, pictures in drawn.items()} == {ON_GREY: 1, IN_PHOTO: 1, THREE_QUARTER: 2}
    for picture, marks in (one for kind in drawn.values() for one in kind):
        height, width = picture.shape[:2]
        assert (marks > 0).all() and (marks < [width, height]).all()
    front, over = (drawn[kind][0] for kind in (ON_GREY, IN_PHOTO))
    assert np.ptp(front[1][:17, 0]) == pytest.approx(300, rel=0.1), "ear to ear, as the photo's landmarks say it"
    nose = tuple(front[1][30].astype(int)[::-1])
    np.testing.assert_array_equal(front[0][nose], over[0][nose])
    assert (front[0][2, 2] != over[0][2, 2]).any(), "the photo, or black beyond it, around the head"


def test_identity_distances_of_known_descriptors():
    """Three people on axes of their own; pictures of each a known way from the photo."""
    photos = np.eye(3, 128)

    def person(number, sides):
        beside = np.zeros(128)
        beside[100] = 1
        kinds = {PHOTO: photos[number][None], OTHER_PHOTO: (photos[number] + 0.1 * beside)[None]}
        kinds |= dict.fromkeys((ON_GREY, IN_PHOTO, MEAN_ON_GREY), (photos[number] + 0.2 * beside)[None])
        turned = np.array([photos[number] + step * beside for step in sides])
        return kinds | dict.fromkeys((THREE_QUARTER, MEAN_THREE_QUARTER), turned)

    people = [person(0, (0.2, 0.4)), person(1, (0.3, 0.4)), person(2, (0.5, 0.7))]
    lines, figures = identity_table(people)
    assert len(lines) == 2 + len(RENDERS) + 2
    assert figures[OTHER_PHOTO]["mean"] == 0.1
    assert figures[ON_GREY] == {
        "mean": 0.2, "median": 0.2, "largest": 0.2, "to_other_photo": 0.1, "rank1_percent": 100.0,
        "within_target_percent": 100.0,
    }  # fmt: skip
    assert figures[THREE_QUARTER]["median"] == 0.35 and figures[THREE_QUARTER]["mean"] == pytest.approx(0.417, abs=1e-3)
    assert figures[THREE_QUARTER]["within_target_percent"] == pytest.approx(66.7)
    assert figures[THREE_QUARTER]["to_front"] == pytest.approx(0.217, abs=1e-3), "what turning alone costs"
    swapped = [people[1] | {PHOTO: people[0][PHOTO], OTHER_PHOTO: people[0][OTHER_PHOTO]}, *people[1:]]
    assert identity_table(swapped)[1][ON_GREY]["rank1_percent"] == pytest.approx(66.7)


def test_people_are_told_apart_by_group():
    """Of four people the second smiles like the first."""
    photos = np.zeros((4, 2, 128))
    photos[:, :, :4] = np.eye(4)[:, None]
    photos[1, 1] = photos[0, 0] + 0.3 * np.eye(128)[10]
    photos[0, 1] = photos[0, 0] + 0.1 * np.eye(128)[10]
    found = summary(photos, np.array([True, True, False, False]))
    assert found["people"] == 2 and found["different_below_percent"] == 50.0
    assert found["same_largest"] == pytest.approx(np.sqrt(2 + 0.09), abs=1e-3)
    assert found["rank1_percent"] == 50.0, "person 1 has other people nearer both ways"
    assert summary(photos, np.array([False, False, True, True]))["rank1_percent"] == 100.0


@pytest.mark.parametrize(
    ("lightness", "yellow", "degrees"), [(70.0, 16.0, 51.3), (50.0, 18.0, 0.0), (35.0, 15.0, -45.0)]
)
def test_skin_tone_is_the_typology_angle(lightness, yellow, degrees):
    colour = lab2rgb([lightness, 10.0, yellow])
    picture = np.broadcast_to((255 * colour + 0.5).astype(np.uint8), (300, 300, 3))
    mesh = np.random.default_rng(1).uniform(50, 250, (478, 2))
    assert skin_tone(picture, mesh) == pytest.approx(degrees, abs=2)
