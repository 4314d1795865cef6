# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit Fit and Update Skin by their operators, on a head that was reconstructed, and whatever may be wrong with it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage

import facedetail_addon
from blender_tests.conftest import make_reconstruction
from facedetail_addon import session
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.fit.pin_places import PinSurface
from facedetail_addon.core.fit.pins import Pin, PinnedEdit
from facedetail_addon.core.fit.points import embedded_points
from facedetail_addon.core.result.files import PINS_FILE, read_record, read_result, write_result
from facedetail_addon.core.result.pin_file import parse_pins, pins_text
from facedetail_addon.names import PINS_PROPERTY, RESULT_KEY_PROPERTY, RESULT_PROPERTY
from facedetail_addon.scene.build.scene import build_scene
from facedetail_addon.scene.head_object import HeadObject
from facedetail_addon.scene.images import map_of
from facedetail_addon.scene.pinned import follow_steps, images_of, is_stale, pins_of, remember_result
from facedetail_addon.scene.steps import run_through

PHOTO = Path(skimage.__file__).parent / "data" / "astronaut.png"
LEFT_JAW = 13


@pytest.fixture
def addon(blender):
    facedetail_addon.register()
    yield blender.ops.facedetail
    facedetail_addon.unregister()


def pinned(model, record, by_px: tuple[float, float], landmark: int = LEFT_JAW) -> PinnedEdit:
    place = model.landmarks68
    part, uv = PinSurface.of(model).place_of(place.vertices[landmark], place.weights[landmark])
    px = record.pose.perspective.project(record.pose.landmarks68_mm[landmark][None].astype(np.float64))[0]
    return PinnedEdit((Pin(0, uv, tuple(float(value) for value in px + by_px), part),))


def basis_of(head: HeadObject) -> np.ndarray:
    points = head.keys.reference_key.points
    out = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", out)
    return out.reshape(-1, 3)


@pytest.fixture(scope="module")
def result(model, tmp_path_factory) -> Path:
    """A made-up result whose landmarks are on its head."""
    made, calibration = make_reconstruction(model), load_calibration()
    record = made.record
    camera, beta = record.pose.perspective, record.pose.beta
    points = embedded_points(model, calibration).posed(record.fit.alpha.astype(float), beta.astype(float))
    depth = (points @ camera.rotation.T)[:, 2:] * camera.focal_px / camera.translation[2]
    mesh_px = np.concatenate([camera.project(points), depth - depth.mean()], axis=1).astype(np.float32)
    landmarks = replace(record.observation.landmarks, mesh_px=mesh_px, yaw_deg=0.0)
    observation = replace(record.observation, landmarks=landmarks)
    made = replace(made, record=replace(record, observations=(observation,)))
    return write_result(made, tmp_path_factory.mktemp("results"), model)


@pytest.fixture
def head(addon, blender, result, model, tmp_path) -> HeadObject:
    """A made-up head that knows its result."""
    folder = Path(shutil.copytree(result, tmp_path / "made up"))
    made = read_result(folder)
    built = build_scene(made, model)
    remember_result(built, str(folder), made.record)
    built.select(blender.context.view_layer)
    return built


def test_pins_move_the_head_and_stay_with_it_and_taking_them_away_brings_it_back(addon, head, result, model):
    before, record = basis_of(head), read_record(result)
    edit = pinned(model, record, (8, 0))
    assert addon.edit_fit(pins=pins_text(edit)) == {"FINISHED"}
    assert parse_pins(pins_of(head), "") == edit
    assert is_stale(head)
    moved = np.linalg.norm(basis_of(head) - before, axis=1)
    assert moved.max() > 0.002
    assert moved[before[:, 0] < -0.012].max() < 0.001  # metres; +X is the left
    assert addon.edit_fit(pins=pins_text(PinnedEdit())) == {"FINISHED"}
    np.testing.assert_array_equal(basis_of(head), before)
    assert not is_stale(head)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda head, folder: shutil.rmtree(folder), "not there any more"),
        (lambda head, folder: head.root.__delitem__(RESULT_PROPERTY), "older file"),
        (lambda head, folder: head.root.__setitem__(RESULT_KEY_PROPERTY, "0" * 16), "another photo"),
        (lambda head, folder: (folder / "observation.npz").unlink(), "does not hold the landmarks"),
        (lambda head, folder: (folder / "reconstruction.json").write_text("{}"), "cannot be read"),
        (lambda head, folder: head.root.__setitem__(PINS_PROPERTY, "{}"), "cannot be used"),
        (lambda head, folder: head.skin.shape_key_clear(), "no shape keys"),
    ],
)
def test_what_cannot_be_edited_is_told_and_nothing_changes(addon, blender, head, spoil, why):
    folder = Path(head.root[RESULT_PROPERTY])
    spoil(head, folder)
    keys = head.keys
    before = None if keys is None else basis_of(head)
    with pytest.raises(RuntimeError, match=why):
        addon.edit_fit()
    assert session.current().edit is None
    assert keys is None or np.array_equal(basis_of(head), before)


def test_nothing_is_edited_without_a_head_or_in_edit_mode(addon, blender, head):
    blender.ops.object.mode_set(mode="EDIT")
    assert not addon.edit_fit.poll() and not addon.update_skin.poll()
    blender.ops.object.mode_set(mode="OBJECT")
    assert addon.edit_fit.poll() and addon.update_skin.poll()
    blender.context.view_layer.objects.active = None
    assert not addon.edit_fit.poll() and not addon.update_skin.poll()


def test_a_head_in_edit_mode_is_not_half_changed(addon, blender, head, result, model):
    record, before = read_record(result), basis_of(head)
    fit = replace(record.fit, vertices_neutral=record.fit.vertices_neutral + np.float32(3))
    blender.ops.object.mode_set(mode="EDIT")
    with pytest.raises(OutputError, match="Edit Mode"):
        run_through(follow_steps(head, model, fit))
    blender.ops.object.mode_set(mode="OBJECT")
    np.testing.assert_array_equal(basis_of(head), before)


def test_the_skin_is_made_anew_for_the_pinned_head_and_what_was_painted_stays(addon, blender, model, tmp_path):
    addon.reconstruct(filepath=str(PHOTO), output=str(tmp_path), resolution="512", quality="draft")
    head = HeadObject.of(blender.context.active_object)
    folder = Path(head.root[RESULT_PROPERTY])
    record = read_record(folder)
    (folder / "scene.blend").write_bytes(b"the artist's")
    addon.edit_fit(pins=pins_text(pinned(model, record, (4, 0))))
    assert is_stale(head)
    images = {map_of(image): image for image in images_of(head) if map_of(image)}
    before = {name: np.array(image.pixels[:]) for name, image in images.items() if name in ("albedo", "roughness")}
    images["roughness"].pixels[:] = (1 - before["roughness"]).tolist()
    shape, material = basis_of(head), head.skin.material_slots[0].material
    assert addon.update_skin() == {"FINISHED"}
    assert not is_stale(head)
    np.testing.assert_allclose(basis_of(head), shape, atol=1e-6)
    assert head.skin.material_slots[0].material == material
    after = read_record(folder)
    assert len(after.edit.pins) == 1 and (folder / PINS_FILE).is_file()
    np.testing.assert_array_equal(after.automatic.vertices_neutral, record.fit.vertices_neutral)
    assert (folder / "scene.blend").read_bytes() == b"the artist's"
    assert not np.array_equal(np.array(images["albedo"].pixels[:]), before["albedo"])
    np.testing.assert_allclose(np.array(images["roughness"].pixels[:40]), 1 - before["roughness"][:40], atol=0.01)
