# SPDX-License-Identifier: GPL-3.0-or-later
"""What clicks, drags and undo do to pins, and that the head follows without making anybody wait."""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from blender_tests.conftest import make_reconstruction
from blender_tests.quick.test_pins import NOSE, photographed
from facedetail_addon.core.editing import EditBase, EditSession, edit_base
from facedetail_addon.core.errors import FaceDetailError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.pins import NO_PINS, PinnedEdit
from facedetail_addon.core.fit.prepared import prepare

REACH_PX = 12.0


@pytest.fixture(scope="module")
def base(model) -> EditBase:
    calibration = load_calibration()
    prepared = prepare(model, calibration)
    alpha = np.random.default_rng(9).normal(0, 0.7, len(model.identity_basis)).astype(np.float32)
    beta = np.zeros(len(model.expression_names), np.float32)
    observations = tuple(photographed(prepared, alpha, beta, yaw) for yaw in (0.0, 25.0))
    head = fit_dense(observations, model, calibration, prepared=prepared)
    made = make_reconstruction(model).record
    lights = made.lights * 2
    record = replace(made, observations=observations, fit=head, lights=lights, expression_source="landmarks")
    return edit_base(record, model, calibration)


@pytest.fixture
def session(base) -> Iterator[EditSession]:
    made = EditSession(lambda: base)
    made.wait()
    yield made
    made.close()


def nose_px(session: EditSession) -> np.ndarray:
    return session.shown.handles[NOSE]


def dragged(session: EditSession, px: np.ndarray, by: tuple[float, float]) -> None:
    assert session.press(px, REACH_PX)
    session.drag(np.add(px, by))
    session.release()
    session.wait()


def test_a_click_on_a_handle_pins_that_very_place_and_a_drag_moves_the_head(session, base):
    at = nose_px(session)
    dragged(session, at + 3, (6, 0))
    (pin,) = session.edit.pins
    assert (pin.part, pin.uv) == base.handles[0][NOSE]
    np.testing.assert_allclose(pin.px, at + (6, 0), atol=1e-3)
    np.testing.assert_allclose(session.shown.placed[0], pin.px, atol=0.5)
    np.testing.assert_allclose(session.shown.handles[NOSE], pin.px, atol=0.5)


def test_a_click_on_bare_skin_pins_what_lies_under_the_mouse(session, base):
    cheek = (nose_px(session) + session.shown.handles[15]) / 2
    assert session.handle_at(cheek, REACH_PX) is None
    assert session.press(cheek, REACH_PX)
    session.release()
    session.wait()
    np.testing.assert_allclose(session.shown.placed[0], cheek, atol=0.1)
    assert np.abs(session.shown.posed - base.record.automatic.pose.vertices).max() < 0.01


def test_a_click_beside_the_head_pins_nothing(session):
    assert not session.press((3.0, 3.0), REACH_PX)
    assert session.edit == NO_PINS and not session.is_changed
    assert not session.undo()


def test_a_drag_is_one_step_of_undo_and_undoing_all_gives_the_automatic_head(session, base):
    at = nose_px(session)
    dragged(session, at, (8, 0))
    dragged(session, at + (8, 0), (0, 5))
    session.remove(0)
    session.wait()
    kept = session.edit
    assert [session.undo() for _ in range(4)] == [True, True, True, False]
    session.wait()
    assert session.edit == NO_PINS
    np.testing.assert_array_equal(session.fit.head().pose.vertices, base.record.automatic.pose.vertices)
    assert [session.redo() for _ in range(4)] == [True, True, True, False]
    assert session.edit == kept


def test_a_new_step_forgets_what_was_undone(session):
    at = nose_px(session)
    dragged(session, at, (8, 0))
    session.undo()
    dragged(session, nose_px(session), (0, 4))
    assert not session.redo()


def test_escape_in_a_drag_puts_the_pin_back(session):
    at = nose_px(session)
    dragged(session, at, (8, 0))
    before = session.edit
    session.press(at + (8, 0), REACH_PX)
    session.drag(at + (50, 50))
    assert session.cancel_drag()
    assert session.edit == before
    assert not session.cancel_drag()
    session.press(session.shown.handles[48], REACH_PX)  # a new pin goes again
    session.cancel_drag()
    assert session.edit == before


def test_sliders_are_one_step_however_often_they_move(session):
    for value in (2.0, 3.0, 4.0):
        session.set(shape_rigidity=value)
    session.set(mirror=True)
    session.undo()
    assert session.edit.settings.shape_rigidity == 4.0
    session.undo()
    assert session.edit == NO_PINS


def test_another_lens_is_followed_and_align_again_takes_it_back_with_the_photos_pins(session, base):
    dragged(session, nose_px(session), (5, 0))
    session.look_at(1)
    session.wait()
    dragged(session, nose_px(session), (4, 0))
    session.set_focal(1.5 * base.record.automatic.poses[1].perspective.focal_px)
    session.wait()
    assert session.fit.cameras[1].focal_px == pytest.approx(1.5 * base.record.automatic.poses[1].perspective.focal_px)
    session.align_again()
    session.wait()
    assert [pin.photo for pin in session.edit.pins] == [0]
    assert session.edit.settings.focal_of(1) is None
    session.undo()
    assert [pin.photo for pin in session.edit.pins] == [0, 1]


def test_photos_have_their_own_pins_under_the_mouse(session):
    at = nose_px(session)
    dragged(session, at, (5, 0))
    assert session.pin_at(at + (5, 0), REACH_PX) == 0
    session.look_at(1)
    session.wait()
    assert session.pin_at(at + (5, 0), REACH_PX) is None
    assert len(session.shown.pins) == 0


def test_a_drag_far_outside_the_photo_is_held_near_it_and_does_no_harm(session):
    dragged(session, nose_px(session), (1e7, -1e7))
    assert np.isfinite(session.shown.posed).all()
    assert session.notices[0].code == "pin_not_reached"


def test_moves_never_wait_for_the_head(session):
    at = nose_px(session)
    session.press(at, REACH_PX)
    began = time.perf_counter()
    for step in range(300):
        session.drag(at + (step / 30, 0))
    assert time.perf_counter() - began < 0.3
    session.release()
    session.wait()
    np.testing.assert_allclose(session.shown.placed[0], session.edit.pins[0].px, atol=0.5)
    assert session.refits < 300


def test_what_cannot_be_loaded_is_told_and_nothing_else_happens():
    def load() -> EditBase:
        raise FaceDetailError("The result is gone.", "Reconstruct again.")

    session = EditSession(load)
    with pytest.raises(FaceDetailError, match="gone"):
        session.wait()
    assert not session.press((1, 1), REACH_PX)
    session.close()


def test_editing_begins_with_what_was_pinned_before(base):
    first = EditSession(lambda: base)
    first.wait()
    dragged(first, nose_px(first), (5, 0))
    edit = first.edit
    first.close()
    again = EditSession(lambda: base, edit)
    again.wait()
    assert again.edit == edit and not again.is_changed
    np.testing.assert_array_equal(again.shown.posed, first.shown.posed)
    again.close()
    assert PinnedEdit(edit.pins) == edit
