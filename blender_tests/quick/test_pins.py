# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads that follow pins: exactly, on their own side, and back again to the last bit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from blender_tests.conftest import look_at_head
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.eyeball import pupil_vertex
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.pin_notices import notices
from facedetail_addon.core.fit.pinned import PinnedFit, PinnedStart, prepare_pins, refit
from facedetail_addon.core.fit.pins import NO_PINS, Pin, PinError, PinnedEdit, PinSettings
from facedetail_addon.core.fit.points import embedded_points
from facedetail_addon.core.fit.prepared import PreparedModel, prepare
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.types import CameraPrior, Observation

SIZE = (800, 800)
LEFT_JAW, LEFT_BROW, LEFT_MOUTH, RIGHT_MOUTH, NOSE, CHIN = 13, 24, 54, 48, 30, 8
ASIDE_MM = 12.0


@pytest.fixture(scope="module")
def prepared(model) -> PreparedModel:
    return prepare(model, load_calibration())


def photographed(prepared: PreparedModel, alpha: np.ndarray, beta: np.ndarray, yaw_deg: float) -> Observation:
    """A photo whose landmarks are where the calibration says that they are seen."""
    model, camera = prepared.model, look_at_head(SIZE, (400, 400), yaw_deg)
    points = embedded_points(model, prepared.calibration).posed(alpha.astype(np.float64), beta.astype(np.float64))
    depth = (points @ camera.rotation.T)[:, 2:] * camera.focal_px / camera.translation[2]
    mesh_px = np.concatenate([camera.project(points), depth - depth.mean()], axis=1).astype(np.float32)
    sparse_px = camera.project(model.landmarks68.points(model.vertices(alpha, beta)).astype(np.float64))
    box = np.array([*mesh_px[:, :2].min(0), *mesh_px[:, :2].max(0)], np.float32)
    landmarks = FaceLandmarks(mesh_px, sparse_px.astype(np.float32), box, 1.0, 0, yaw_deg)
    return Observation(landmarks, CameraPrior.centred(SIZE, camera.focal_px), photo_name=f"at {yaw_deg}.png")


@pytest.fixture(scope="module")
def observations(prepared) -> tuple[Observation, ...]:
    model = prepared.model
    alpha = np.random.default_rng(7).normal(0, 0.7, len(model.identity_basis)).astype(np.float32)
    beta = np.zeros(len(model.expression_names), np.float32)
    beta[model.expression_names.index("jawOpen")] = 0.2
    return tuple(photographed(prepared, alpha, beta, yaw) for yaw in (0.0, 25.0))


@pytest.fixture(scope="module")
def start(prepared, observations) -> PinnedStart:
    one = observations[:1]
    head = fit_dense(one, prepared.model, prepared.calibration, prepared=prepared)
    return prepare_pins(one, head, prepared)


@pytest.fixture(scope="module")
def two_photos(prepared, observations) -> PinnedStart:
    head = fit_dense(observations, prepared.model, prepared.calibration, prepared=prepared)
    return prepare_pins(observations, head, prepared)


def pinned(start: PinnedStart, landmark: int, by_mm: tuple[float, float] = (0, 0), photo: int = 0) -> Pin:
    """A pin on one of iBUG's landmarks, dragged to the photo's right and downwards."""
    place, camera = start.model.landmarks68, start.cameras[photo]
    part, uv = start.surface.place_of(place.vertices[landmark], place.weights[landmark])
    rows, weights = start.surface.embedded(part, uv)
    at = camera.project((start.automatic.poses[photo].vertices[rows].T @ weights)[None].astype(np.float64))[0]
    px = at + np.array(by_mm) * camera.focal_px / camera.translation[2]
    return Pin(photo, uv, (float(px[0]), float(px[1])), part)


def drawn(fit: PinnedFit, pin: Pin) -> np.ndarray:
    """Where a pin's place is in its photo, by the head's vertices and its camera alone."""
    rows, weights = fit.start.surface.embedded(pin.part, pin.uv)
    head = fit.head().poses[pin.photo]
    return head.perspective.project((head.vertices[rows].T @ weights)[None].astype(np.float64))[0]


def moved_mm(fit: PinnedFit, left: bool, view: int = 0) -> np.ndarray:
    """How far each vertex of the skin on one side moves in space."""
    model, skin = fit.start.model, fit.start.model.skin
    side = skin.of(model.mean)[:, 0] * (1 if left else -1) > ASIDE_MM
    return np.linalg.norm(skin.of(fit.posed(view) - fit.start.automatic.poses[view].vertices), axis=1)[side]


def assert_automatic(fit: PinnedFit) -> None:
    """The automatic head, bit for bit."""
    head, automatic = fit.head(), fit.start.automatic
    np.testing.assert_array_equal(head.alpha, automatic.alpha)
    np.testing.assert_array_equal(head.vertices_neutral, automatic.vertices_neutral)
    for pose, before in zip(head.poses, automatic.poses, strict=True):
        np.testing.assert_array_equal(pose.beta, before.beta)
        np.testing.assert_array_equal(pose.vertices, before.vertices)
        np.testing.assert_array_equal(pose.landmarks68_mm, before.landmarks68_mm)
        assert pose.perspective is before.perspective


def test_without_pins_the_head_is_the_automatic_one_bit_for_bit(start, two_photos):
    assert_automatic(refit(start, NO_PINS))
    assert_automatic(refit(two_photos, NO_PINS))


def test_pins_added_dragged_and_removed_give_the_same_head_whatever_came_between(start):
    kept = pinned(start, NOSE, (3, 1))
    direct = refit(start, PinnedEdit((kept,))).head()
    other = pinned(start, LEFT_JAW)
    points = None
    for step in range(4):
        fit = refit(start, PinnedEdit((kept, other.moved((other.px[0] + 9 * step, other.px[1])))), points)
        points = fit.points
    again = refit(start, PinnedEdit((kept,)), points).head()
    np.testing.assert_array_equal(again.pose.vertices, direct.pose.vertices)
    np.testing.assert_array_equal(again.pose.beta, direct.pose.beta)
    np.testing.assert_array_equal(again.pose.perspective.rotation, direct.pose.perspective.rotation)
    assert_automatic(refit(start, NO_PINS, points))


def test_a_pin_where_its_place_is_already_moves_nothing(start):
    fit = refit(start, PinnedEdit((pinned(start, LEFT_MOUTH), pinned(start, RIGHT_MOUTH), pinned(start, CHIN))))
    assert np.abs(fit.posed(0) - start.automatic.pose.vertices).max() < 1e-3
    assert np.abs(fit.pulls_px).max() < 1e-2


@pytest.mark.parametrize("landmark", [LEFT_JAW, LEFT_BROW, LEFT_MOUTH, NOSE, CHIN])
def test_the_head_is_where_a_pin_was_dropped(start, landmark):
    pin = pinned(start, landmark, (5, 4))
    fit = refit(start, PinnedEdit((pin,)))
    assert np.linalg.norm(np.subtract(drawn(fit, pin), pin.px)) < 0.5
    assert np.abs(fit.pulls_px).max() < 0.5
    assert notices(fit, PinnedEdit((pin,))) == ()


@pytest.mark.parametrize("landmark", [LEFT_JAW, LEFT_BROW, LEFT_MOUTH])
def test_a_pin_on_the_left_leaves_the_right_alone(start, landmark):
    fit = refit(start, PinnedEdit((pinned(start, landmark, (6, -3)),)))
    assert moved_mm(fit, left=True).max() > 5
    assert moved_mm(fit, left=False).max() < 0.5
    assert moved_mm(fit, left=False).mean() < 0.05


def test_mirrored_pins_move_both_sides_alike(start):
    model = start.model
    fit = refit(start, PinnedEdit((pinned(start, LEFT_JAW, (6, 0)),), PinSettings(mirror=True)))
    change, rest = model.skin.of(fit.posed(0) - start.automatic.pose.vertices), model.skin.of(model.mean)
    away, across = cKDTree(rest).query(rest * [-1, 1, 1])
    pairs = np.flatnonzero((away < 1.0) & (rest[:, 0] > ASIDE_MM))
    left, right = change[pairs], change[across[pairs]] * [-1, 1, 1]
    assert np.linalg.norm(left, axis=1).max() > 5
    assert np.linalg.norm(left - right, axis=1).max() < 1.0
    assert np.linalg.norm(left - right, axis=1).mean() < 0.1


def test_what_no_head_does_is_told_as_what_is_left_of_the_pull(start):
    edit = PinnedEdit((pinned(start, LEFT_JAW, (150, 0)),))
    fit = refit(start, edit)
    left = np.subtract(edit.pins[0].px, drawn(fit, edit.pins[0]))
    np.testing.assert_allclose(fit.pulls_px[0], left, atol=0.05)
    assert np.linalg.norm(left) > 20
    assert [notice.code for notice in notices(fit, edit)] == ["pin_not_reached"]
    assert np.isfinite(fit.posed(0)).all()


def test_contradicting_pins_meet_between_and_are_named(start):
    one = pinned(start, LEFT_JAW)
    edit = PinnedEdit((one.moved((one.px[0] - 8, one.px[1])), one.moved((one.px[0] + 8, one.px[1]))))
    fit = refit(start, edit)
    np.testing.assert_allclose(drawn(fit, one), one.px, atol=0.2)
    (notice,) = notices(fit, edit)
    assert notice.code == "pins_contradict"
    assert "Pins 1, 2 lie" in notice.message


def test_many_pins_on_one_point_are_one_pin(start):
    pin = pinned(start, LEFT_JAW, (4, 0))
    one, many = (refit(start, PinnedEdit((pin,) * count)) for count in (1, 9))
    np.testing.assert_allclose(many.posed(0), one.posed(0), atol=0.05)
    assert notices(many, PinnedEdit((pin,) * 9)) == ()


def test_a_pin_behind_the_head_does_not_count_and_is_told(start):
    model = start.model
    back = int(model.skin.of(model.mean)[:, 2].argmin())
    part, uv = start.surface.place_of_vertex(back)
    edit = PinnedEdit((Pin(0, uv, (300, 300), part),))
    fit = refit(start, edit)
    assert fit.hidden.all()
    assert np.isnan(fit.pulls_px).all()
    assert [notice.code for notice in notices(fit, edit)] == ["pin_hidden"]
    assert_automatic(fit)


def test_locked_expression_and_eyes_stay(start):
    pins = (pinned(start, LEFT_MOUTH, (0, 5)), pinned(start, RIGHT_MOUTH, (0, 5)), pinned(start, CHIN, (0, 6)))
    before = start.automatic.pose.beta
    gaze = np.array([name.startswith("eyeLook") for name in start.model.expression_names])
    free = refit(start, PinnedEdit(pins)).betas[0]
    locked = refit(start, PinnedEdit(pins, PinSettings(lock_expression=True))).betas[0]
    assert np.abs(free - before)[~gaze].max() > 0.05
    np.testing.assert_array_equal(locked[~gaze], before[~gaze])
    lids = np.array([name.startswith(("eyeLook", "eyeBlink")) for name in start.model.expression_names])
    lid = pinned(start, 44, (0, 2)), pinned(start, 37, (0, 2))
    np.testing.assert_array_equal(
        refit(start, PinnedEdit(lid, PinSettings(lock_eyes=True))).betas[0][lids], before[lids]
    )


def test_rigidity_says_what_gives_way(start):
    pins = tuple(pinned(start, number, (5, 0)) for number in (1, 4, 8, 12, 15, 19, 24, 30, 36, 45, 48, 54))

    def shift_px(**rigid: float) -> tuple[float, float]:
        fit = refit(start, PinnedEdit(pins, PinSettings(**rigid)))
        return float(fit.cameras[0].translation[0] - start.cameras[0].translation[0]), float(
            np.abs(fit.left_alpha).mean()
        )

    posed, shaped = shift_px(pose_rigidity=0.01), shift_px(pose_rigidity=100.0)
    assert posed[0] > 4 > 1 > shaped[0]
    assert posed[1] < shaped[1]


def test_another_lens_keeps_the_head_on_its_photo(start, prepared):
    focal = 2 * start.cameras[0].focal_px
    settings = PinSettings().with_focal(0, focal)
    longer = prepare_pins(start.observations, start.automatic, prepared, settings=settings)
    fit = refit(longer, PinnedEdit((), settings))
    assert fit.cameras[0].focal_px == focal
    marks = start.automatic.pose.landmarks68_mm.astype(np.float64)
    apart = np.linalg.norm(fit.cameras[0].project(marks) - start.cameras[0].project(marks), axis=1)
    assert np.median(apart) < 3
    with pytest.raises(ValueError, match="other lenses"):
        refit(start, PinnedEdit((), settings))


def test_pins_may_change_the_lens_only_where_it_is_not_locked(start):
    pins = tuple(
        pinned(start, number, by) for number, by in ((1, (8, 0)), (15, (-8, 0)), (NOSE, (0, 2)), (CHIN, (0, -6)))
    )
    locked, free = (refit(start, PinnedEdit(pins, PinSettings(lock_focal=lock))) for lock in (True, False))
    assert locked.cameras[0].focal_px == start.cameras[0].focal_px
    assert free.cameras[0].focal_px != start.cameras[0].focal_px


def test_pins_of_several_photos_shape_one_head_and_each_has_its_own_view(two_photos):
    pins = (pinned(two_photos, LEFT_JAW, (4, 0), photo=0), pinned(two_photos, NOSE, (3, 0), photo=1))
    fit = refit(two_photos, PinnedEdit(pins))
    for pin in pins:
        assert np.linalg.norm(np.subtract(drawn(fit, pin), pin.px)) < 0.5
    alone = refit(two_photos, PinnedEdit(pins[:1]))
    assert alone.cameras[1] is two_photos.cameras[1]
    assert np.linalg.norm(alone.posed(1) - two_photos.automatic.poses[1].vertices, axis=1).max() > 3


def test_the_same_place_in_two_photos_goes_where_both_say(two_photos):
    pins = (pinned(two_photos, LEFT_JAW, (4, 0), photo=0), pinned(two_photos, LEFT_JAW, (6, 0), photo=1))
    fit = refit(two_photos, PinnedEdit(pins))
    for pin in pins:
        assert np.linalg.norm(np.subtract(drawn(fit, pin), pin.px)) < 0.5
    assert notices(fit, PinnedEdit(pins)) == ()


def test_pins_keep_eyes_on_the_irises(start):
    pins = tuple(pinned(start, number, (9, 0)) for number in (1, 8, 15, 19, 24, 30, 48, 54))
    fit = refit(start, PinnedEdit(pins, PinSettings(pose_rigidity=0.01)))
    still = refit(start, PinnedEdit(pins, PinSettings(pose_rigidity=0.01, lock_eyes=True)))
    assert [_pupils_off(one) for one in (fit, still)] == sorted(_pupils_off(one) for one in (fit, still))


def _pupils_off(fit: PinnedFit) -> float:
    """px between the middles of the pupils and the photo's irises."""
    model, camera = fit.start.model, fit.cameras[0]
    mesh_px, out = fit.start.observations[0].landmarks.mesh_px, []
    for part, at in ((model.eyes["right"], 468), (model.eyes["left"], 473)):
        eye = part.of(fit.posed(0)).astype(np.float64)
        pupil = eye[pupil_vertex(part, part.of(fit.start.model.mean))]
        out.append(np.linalg.norm(camera.project(pupil[None])[0] - mesh_px[at, :2]))
    return float(np.mean(out))


def test_places_survive_the_way_through_the_uv(start):
    surface, rng = start.surface, np.random.default_rng(1)
    for name in ("skin", "eye_left", "gums"):
        depth = start.model.mean[surface.triangles[name], 2].mean(axis=1)
        front = np.flatnonzero(depth > np.median(depth)) if name != "skin" else np.arange(len(depth))
        for row in rng.choice(front, 20):
            shares = rng.dirichlet(np.ones(3))
            rows, weights = surface.embedded(name, tuple(shares @ surface.uv[name][row]))
            before = shares @ start.model.mean[surface.triangles[name][row]]
            np.testing.assert_allclose(weights @ start.model.mean[rows], before, atol=1e-2)


def test_a_click_hits_the_nearest_surface(start):
    posed, camera = start.automatic.pose.vertices, start.cameras[0]
    nose = start.automatic.pose.landmarks68_mm[NOSE : NOSE + 1].astype(np.float64)
    part, uv = start.surface.place_under(posed, camera, tuple(camera.project(nose)[0]))
    rows, weights = start.surface.embedded(part, uv)
    assert np.linalg.norm(posed[rows].T @ weights - nose) < 0.5
    assert start.surface.place_under(posed, camera, (2.0, 2.0)) is None


def test_pins_are_the_same_places_on_another_model(start, model):
    """UV belongs to all face models; here one with its vertices in another order."""
    order = np.random.default_rng(2).permutation(model.skin.stop)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    skin = replace(model.skin, faces=np.where(model.skin.faces < 0, -1, place[model.skin.faces]))
    mean = model.mean.copy()
    mean[: len(order)] = model.mean[order]
    other: FaceModel = replace(model, mean=mean, parts=(skin, *model.parts[1:]))
    surface = type(start.surface).of(other)
    pin = pinned(start, LEFT_MOUTH)
    here, there = start.surface.embedded(pin.part, pin.uv), surface.embedded(pin.part, pin.uv)
    np.testing.assert_allclose(here[1] @ model.mean[here[0]], there[1] @ mean[there[0]], atol=1e-4)


@pytest.mark.parametrize(
    ("pin", "why"),
    [
        (Pin(3, (0.5, 0.5), (10, 10)), "is of photo 4"),
        (Pin(0, (0.5, 0.5), (10, 1e5)), "far beside its photo"),
        (Pin(0, (0.001, 0.001), (10, 10)), "where the head has no surface"),
        (Pin(0, (0.5, 0.5), (10, 10), part="beak"), "does not have"),
    ],
)
def test_pins_that_cannot_be_are_refused(start, pin, why):
    with pytest.raises(PinError, match=why):
        refit(start, PinnedEdit((pin,)))
