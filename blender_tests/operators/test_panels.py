# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar as the artist meets it: before a photo, during a job, after an error, with a head and without."""

import os
from pathlib import Path

import pytest

from facedetail_addon import names
from facedetail_addon.core.errors import FaceModelError, NoFaceError
from facedetail_addon.operators.eta import Eta

MAIN = "FACEDETAIL_PT_reconstruct"
OF_A_HEAD = ("FACEDETAIL_PT_result", "FACEDETAIL_PT_expression", "FACEDETAIL_PT_detail")


@pytest.fixture
def draw(blender, tmp_path, monkeypatch):
    """The function that draws a panel of the add-on, switched on as in the preferences, with folders of its own."""
    from blender_tests.operators import recording_layout

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no torch here"))
    blender.ops.preferences.addon_enable(module="facedetail_addon")
    preferences = blender.context.preferences.addons["facedetail_addon"].preferences
    preferences.assets, preferences.results = str(tmp_path / "assets"), str(tmp_path / "results")
    yield recording_layout.draw
    blender.ops.preferences.addon_disable(module="facedetail_addon")


@pytest.fixture
def state(blender, draw):
    return blender.context.window_manager.facedetail_state


@pytest.fixture
def photo(tmp_path) -> Path:
    from skimage import data, io

    path = tmp_path / "somebody.png"
    io.imsave(path, data.astronaut()[::8, ::8], check_contrast=False)
    return path


def without_spaces(text: str) -> str:
    """Lines are broken at spaces and after hyphens."""
    return text.replace(" ", "")


def test_little_stands_before_the_button(blender, draw):
    layout = draw(MAIN)
    assert layout.drawn == [
        ("prop", "photo"),
        ("prop_enum", "resolution = 1024"),
        ("prop_enum", "resolution = 2048"),
        ("prop_enum", "resolution = 4096"),
        ("operator", names.OP_RECONSTRUCT),
    ]
    assert blender.context.scene.facedetail.resolution == "2048"


def test_every_choice_has_its_place_and_goes_to_the_operator(blender, draw):
    from facedetail_addon.ui.panel import CHOICES

    blender.context.scene.facedetail.face = 2
    (button,) = draw(MAIN).buttons
    asked = blender.ops.facedetail.reconstruct.get_rna_type().properties
    assert all(name in asked for name in vars(button) if name != "operator")
    assert (button.face, button.resolution, button.filepath) == (2, "2048", "")
    drawn = draw("FACEDETAIL_PT_face_model").of("prop") + draw("FACEDETAIL_PT_advanced").of("prop")
    assert {name.removesuffix("_menu") for name in drawn} == set(CHOICES) - {"resolution"}
    for name in ("FACEDETAIL_PT_face_model", "FACEDETAIL_PT_advanced"):
        assert "DEFAULT_CLOSED" in getattr(blender.types, name).bl_options


def test_photo_is_shown_by_thumbnail_and_name(blender, draw, photo):
    from facedetail_addon import session

    thumbnails = session.current().thumbnails
    blender.context.scene.facedetail.photo = str(photo)
    layout = draw(MAIN)
    assert "template_icon" in dict(layout.drawn) and layout.of("label") == [photo.name]
    draw(MAIN)
    assert len(thumbnails) == 1, "loaded once"
    os.utime(photo, ns=(1, 1))
    draw(MAIN)
    assert len(thumbnails) == 2, "another photo under the same name"
    for index in range(40):
        os.utime(photo, ns=(index, index))
        thumbnails.icon(photo)
    assert len(thumbnails) <= 16


def test_photo_that_is_not_there_is_told_and_can_be_replaced(blender, draw, tmp_path):
    for path, name in ((tmp_path / "gone.png", "gone.png"), (tmp_path, tmp_path.name)):
        blender.context.scene.facedetail.photo = str(path)
        layout = draw(MAIN)
        assert layout.of("label") == [f"{name} is not there"]
        assert layout.of("operator") == [names.OP_RECONSTRUCT] and not layout.of("template_icon")


def test_progress_takes_the_place_of_the_button(draw, state):
    state.running, state.stage, state.fraction, state.remaining = True, "Fitting the head", 0.344, "about 12 s left"
    layout = draw(MAIN)
    assert layout.of("progress") == ["Fitting the head (34%)"]
    assert layout.of("label") == ["about 12 s left", "Esc: cancel"]
    assert not layout.buttons
    for name in ("FACEDETAIL_PT_face_model", "FACEDETAIL_PT_advanced"):
        assert not draw(name).enabled
    state.running = False
    assert draw("FACEDETAIL_PT_advanced").enabled


def test_error_stays_in_the_panel_until_the_next_job(blender, draw, state, photo):
    with pytest.raises(RuntimeError, match="not installed"):
        blender.ops.facedetail.reconstruct(filepath=str(photo), face_model="bfm2017-0a1b2c3d")
    assert state.error_code == FaceModelError.code
    layout = draw(MAIN)
    told = without_spaces("".join(layout.of("label")))
    assert without_spaces(state.error) in told and without_spaces(state.remedy) in told
    assert layout.of("operator") == [names.OP_RECONSTRUCT, "preferences.addon_show"]

    with pytest.raises(RuntimeError, match="not there"):
        blender.ops.facedetail.reconstruct(filepath=str(photo.with_name("gone.png")))
    layout = draw(MAIN)
    assert "gone.png" in " ".join(layout.of("label"))
    assert layout.of("operator") == [names.OP_RECONSTRUCT], "the photo's field stands above"


def test_what_is_missing_is_told_before_it_is_needed(blender, draw, state):
    blender.context.scene.facedetail.landmarker = "fan"
    state.error, state.remedy, state.error_code = "Broken.", "Mend it.", FaceModelError.code
    layout = draw(MAIN)
    assert "FAN" in " ".join(layout.of("label"))
    assert layout.of("operator") == ["preferences.addon_show", names.OP_RECONSTRUCT], "one button for both"


def test_codes_of_errors_are_known(draw):
    from facedetail_addon.ui.error import PREFERENCES_TEXTS

    assert NoFaceError.code not in PREFERENCES_TEXTS and {"asset", "face_model", "output"} == set(PREFERENCES_TEXTS)


def test_panels_of_a_head_show_with_a_head_only(blender, draw, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    def shown() -> list[str]:
        wanted = (*OF_A_HEAD, "FACEDETAIL_PT_light")
        return [name for name in wanted if getattr(blender.types, name).poll(blender.context)]

    assert shown() == []
    head = build_scene(reconstruction_of(model), model)
    assert shown() == ["FACEDETAIL_PT_light"], "nothing is selected"
    head.select(blender.context.view_layer)
    assert shown() == [*OF_A_HEAD, "FACEDETAIL_PT_light"]

    result = draw("FACEDETAIL_PT_result")
    assert result.of("label") == ["made up head"]
    fit = [names.OP_EDIT_FIT, names.OP_UPDATE_SKIN]
    assert result.of("operator") == [*fit, *[names.OP_VIEW] * 3, names.OP_LOOKDEV, names.OP_TURNTABLE, names.OP_EXPORT]
    assert not blender.types.FACEDETAIL_PT_fit.poll(blender.context), "it has the sliders of a fit that is edited"
    assert draw("FACEDETAIL_PT_expression").of("label")[0] == "In the photo: surprise (75 %)"
    assert draw("FACEDETAIL_PT_detail").of("prop")[:2] == ["mode", "strength"]
    assert draw("FACEDETAIL_PT_light").of("prop") == [names.STUDIO_PROPERTY, "default_value", "default_value"]


def test_warnings_stay_with_the_head_until_they_are_dismissed(blender, draw, model, reconstruction_of, tmp_path):
    """In its panel, in its file, and in its contact sheets."""
    from blender_tests.made_up import changed
    from facedetail_addon.core.io.images import read_png
    from facedetail_addon.core.notices import Notice
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.head_object import HeadObject

    texts = ("The head is turned about 40° to its left.", "The face is small.\nPores are missing.")
    warned = changed(reconstruction_of(model), notices=tuple(Notice("code", text) for text in texts))
    build_scene(warned, model).select(blender.context.view_layer)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))

    def sheet() -> int:
        path = tmp_path / "sheet.png"
        assert blender.ops.facedetail.lookdev(height=64, filepath=str(path)) == {"FINISHED"}
        return read_png(path).shape[0]

    panel = draw("FACEDETAIL_PT_result")
    told = without_spaces("".join(panel.of("label")))
    assert all(without_spaces(" ".join(text.split())) in told for text in texts)
    with_warnings = sheet()
    assert names.OP_DISMISS in panel.of("operator")
    assert blender.ops.facedetail.dismiss_notices() == {"FINISHED"}
    assert names.OP_DISMISS not in draw("FACEDETAIL_PT_result").of("operator")
    assert sheet() < with_warnings
    blender.data.objects.remove(HeadObject.of(blender.context.active_object).root)
    assert HeadObject.of(blender.context.active_object).notices == (), "nor do they come back"


def test_the_studio_is_a_switch_that_shows_its_state(blender, draw, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    build_scene(reconstruction_of(model), model)
    world = blender.context.scene.world
    factor = world.node_tree.nodes[names.STUDIO_NODE].inputs["Factor"]
    for on in (True, False):
        setattr(world, names.STUDIO_PROPERTY, on)
        assert factor.default_value == float(on) and getattr(world, names.STUDIO_PROPERTY) == on
    other = blender.data.worlds.new("another")
    setattr(other, names.STUDIO_PROPERTY, True)
    assert not getattr(other, names.STUDIO_PROPERTY)


def test_sliders_have_names_of_their_own(blender, draw, model, reconstruction_of):
    from facedetail_addon.operators.selection import selected_relief
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.ui.light import light_controls
    from facedetail_addon.ui.relief import RELIEF_CONTROLS

    build_scene(reconstruction_of(model), model).select(blender.context.view_layer)
    properties = selected_relief(blender.context).bl_rna.properties
    shown = [properties[name].name for name in RELIEF_CONTROLS]
    shown += [control.text for control in light_controls(blender.context.scene.world)]
    assert len(set(shown)) == len(shown) and "Strength" not in shown
    assert sum("Subdivision" in text for text in shown) == 2


def test_expression_is_open_and_next_to_result(blender, draw):
    from facedetail_addon.registration import _CLASSES  # Blender draws panels in the order of their registration

    order = [one for one in _CLASSES if getattr(one, "bl_parent_id", "") == MAIN and not hasattr(one, "draw_choices")]
    shown = order[1:3]  # the first one shows while a fit is edited
    assert [one.__name__ for one in shown] == ["FACEDETAIL_PT_result", "FACEDETAIL_PT_expression"]
    assert all("DEFAULT_CLOSED" not in getattr(one, "bl_options", set()) for one in order[:3])


def test_the_end_of_a_job_draws_everything(blender, draw, photo):
    """Also an end that is an error; Blender itself draws a panel when the mouse comes."""
    from types import SimpleNamespace

    from facedetail_addon.operators.work import redraw_all

    tagged = []
    regions = [SimpleNamespace(tag_redraw=lambda number=number: tagged.append(number)) for number in range(4)]
    screens = [SimpleNamespace(areas=[SimpleNamespace(regions=two)]) for two in (regions[:2], regions[2:])]
    redraw_all(SimpleNamespace(windows=[SimpleNamespace(screen=screen) for screen in screens]))
    assert tagged == [0, 1, 2, 3]


def test_grey_buttons_say_why(blender, draw):
    operators = blender.ops.facedetail
    for operator in (operators.export, operators.lookdev, operators.turntable):
        with pytest.raises(RuntimeError, match="Select a head first"):
            operator()
    assert operators.reconstruct.poll(), "without a photo it asks for one"
    blender.ops.mesh.primitive_cube_add()
    blender.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="Object Mode"):
        operators.reconstruct()


def test_preferences_show_the_folders_in_use(blender, draw, tmp_path):
    from blender_tests.operators.recording_layout import RecordingLayout
    from facedetail_addon.session import chosen_assets_directory, chosen_results_directory
    from facedetail_addon.ui.preferences import draw_preferences

    preferences = blender.context.preferences.addons["facedetail_addon"].preferences
    preferences.results = ""
    default = chosen_results_directory(blender.context)
    assert default.is_absolute() and default.name == "results"
    layout = RecordingLayout()
    draw_preferences(layout, preferences, default, chosen_assets_directory(blender.context), blender.context)
    assert layout.placeholders == {"results": str(default), "assets": str(tmp_path / "assets")}


def test_remaining_time_never_grows():
    """A stage that is slow after fast ones."""
    eta, told = Eta(0.0), []
    for at in range(4, 60):
        fraction = min(0.5, at / 20) if at < 40 else 0.5 + (at - 40) / 60
        text = eta.remaining(fraction, float(at))
        told += [int(text.split()[1])] if text else []
    assert len(set(told)) > 2 and told == sorted(told, reverse=True)


@pytest.mark.parametrize(
    ("reports", "now", "text"),
    [
        ([(0.5, 1.0)], 2.0, ""),
        ([(0.0, 1.0)], 10.0, ""),
        ([(0.25, 4.0)], 4.0, "about 12 s left"),
        ([(0.5, 8.0)], 12.0, "about 8 s left"),
        ([(0.25, 4.0), (0.5, 9.0)], 9.0, "about 9 s left"),
        ([(0.8, 8.0)], 9.0, "about 2 s left"),
        ([(0.8, 8.0)], 14.0, ""),
        ([(0.1, 4.0)], 4.0, "about 40 s left"),
        ([(0.01, 4.0)], 4.0, "about 7 min left"),
        ([(1.0, 4.0)], 4.0, ""),
    ],
)
def test_remaining_time_is_guessed_late_and_calm(reports, now, text):
    eta = Eta(0.0)
    for fraction, at in reports:
        eta.remaining(fraction, at)
    assert eta.remaining(reports[-1][0], now) == text


def test_the_sliders_of_pins_show_while_a_fit_is_edited_and_tell_the_pins(blender, draw, model, made_up_result):
    from types import SimpleNamespace

    from facedetail_addon import session
    from facedetail_addon.core.fit.pins import NO_PINS, PinnedEdit, PinSettings
    from facedetail_addon.core.notices import Notice

    told = []
    record = made_up_result[0].record
    session.current().edit = SimpleNamespace(
        is_ready=True, photos=2, photo=0, edit=NO_PINS, fit=None, notices=(Notice("pin", "Pin 1 lies far off."),),
        image_size=(320, 240), base=SimpleNamespace(record=record), set=lambda **what: told.append(what),
        set_focal=lambda focal_px: told.append(focal_px), close=lambda: None,
    )  # fmt: skip
    try:
        panel = draw("FACEDETAIL_PT_fit")
        assert "Pin 1 lies far off." in " ".join(panel.of("label"))
        assert panel.of("operator") == [names.OP_EDIT] * 5
        assert {"look", "opacity", "shape_rigidity", "pose_rigidity", "mirror", "focal_mm"} <= set(panel.of("prop"))
        sliders = getattr(blender.context.window_manager, names.EDIT_PROPERTY)
        sliders.shape_rigidity, sliders.mirror, sliders.focal_mm = 2.5, True, 85.0
        assert told == [{"shape_rigidity": 2.5}, {"mirror": True}, pytest.approx(85 * 320 / 36, rel=1e-4)]
        from facedetail_addon.operators.edit_settings import show_settings

        told.clear()
        session.current().edit.edit = PinnedEdit((), PinSettings(pose_rigidity=4.0))
        show_settings(blender.context.window_manager, session.current().edit)
        assert (sliders.pose_rigidity, sliders.shape_rigidity, sliders.mirror) == (4.0, 1.0, False)
    finally:
        session.current().edit = None
