# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of Live Link Face: keyed as they are, and refused with a reason where they are not what they should be."""

import numpy as np
import pytest

from facedetail_addon.core.errors import PerformanceError
from facedetail_addon.core.face_model import live_link
from facedetail_addon.core.face_model.arkit import ARKIT_NAMES
from facedetail_addon.core.face_model.live_link import read_performance
from facedetail_addon.scene.steps import run_through

ANGLES = ("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw",
          "RightEyePitch", "RightEyeRoll")  # fmt: skip
NAMES = (*(name[0].upper() + name[1:] for name in ARKIT_NAMES), *ANGLES)
HEADER = ",".join(("Timecode", "BlendShapeCount", *NAMES))


def row(second: int, frame: float, **values: float) -> str:
    cells = [f"{values.get(name, 0.0):.6f}" for name in NAMES]
    return ",".join((f"23:59:{second:02d}:{frame:06.3f}", "61", *cells))


def take(frames: int = 90, begin: int = 10) -> list[str]:
    """At 60 frames a second: the jaw opens and shuts, one brow and the head go up and to the side."""
    rows = []
    for number in range(frames):
        phase = number / (frames - 1)
        rows.append(
            row(
                begin + number // 60,
                number % 60 + 0.25,
                JawOpen=np.sin(np.pi * phase),
                BrowInnerUp=0.5 * phase,
                CheekPuff=0.2,
                EyeLookInLeft=phase,
                TongueOut=0.1,
                HeadYaw=0.3 * phase,
                HeadPitch=0.1,
            )
        )
    return rows


@pytest.fixture
def write(tmp_path):
    """The function that writes a file and gives its path."""

    def to(*rows: str, header: str = HEADER, name: str = "take.csv"):
        path = tmp_path / name
        path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
        return path

    return to


def read(path):
    return run_through(read_performance(path))


def curves(owner) -> dict:
    """Animation curves by data path and index."""
    animation = owner.animation_data
    action = animation.action
    if hasattr(action, "slots"):
        found = action.layers[0].strips[0].channelbag(animation.action_slot).fcurves
    else:
        found = action.fcurves
    return {(one.data_path, one.array_index): one for one in found}


def test_rows_become_seconds_weights_and_angles(write):
    found = read(write(*take()))
    assert found.rate == 60 and found.damaged == 0
    np.testing.assert_allclose(found.seconds, np.arange(90) / 60, atol=1e-9)
    assert found.weights[-1, ARKIT_NAMES.index("browInnerUp")] == pytest.approx(0.5)
    np.testing.assert_allclose(found.rotation[-1], (0.3, 0.1, 0.0), atol=1e-6)


@pytest.mark.parametrize(("frames", "rate"), [(24, 24), (25, 25), (30, 30), (60, 60)])
def test_the_frame_rate_is_that_of_the_timecodes(write, frames, rate):
    rows = [row(second, frame) for second in (1, 2) for frame in range(frames)]
    found = read(write(*rows))
    assert found.rate == rate
    np.testing.assert_allclose(found.seconds, np.arange(2 * frames) / rate, atol=1e-9)


def test_a_take_over_midnight_goes_on(write):
    rows = [row(59, 58), row(59, 59), row(0, 0).replace("23:59", "00:00")]
    np.testing.assert_allclose(read(write(*rows)).seconds * 60, (0, 1, 2), atol=1e-9)


def test_damaged_rows_are_left_out_and_counted(write):
    rows = take()
    damaged = (
        "16:35:41", rows[0] + ",0.5", rows[1].rsplit(",", 1)[0], rows[2].replace("0.200000", "nan"),
        rows[3].replace("0.200000", "much"), rows[4].replace("0.200000", "1e30"),
        "99:99:99:99," + rows[5].split(",", 1)[1],
        "\x00" * 40, "ü" * 20000, rows[10],
    )  # fmt: skip
    found = read(write(*rows[:60], *damaged, *rows[60:]))
    assert len(found.seconds) == 90
    assert found.damaged >= len(damaged)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("", "no Timecode"),
        ("a,b,c", "no Timecode"),
        (
            HEADER.replace("JawOpen,", "").replace("TongueOut,", ""),
            "lacks 2 of .* blend shapes: JawOpen, TongueOut",
        ),
        (HEADER + ",JawOpen", "a column twice"),
    ],
)
def test_files_with_other_columns_say_so(write, header, text):
    with pytest.raises(PerformanceError, match=text):
        read(write(*take(), header=header))


def test_files_that_are_no_takes_say_so(write, tmp_path, monkeypatch):
    with pytest.raises(PerformanceError, match="0 frames that can be used"):
        read(write())
    with pytest.raises(PerformanceError, match="damaged ones"):
        read(write(*take(3), *["x"] * 30))
    with pytest.raises(PerformanceError, match="cannot be read"):
        read(tmp_path / "none.csv")
    with pytest.raises(PerformanceError, match="cannot be read"):
        read(tmp_path)
    backwards = write(*[row(59 - second, 0) for second in range(40)])
    with pytest.raises(PerformanceError, match="do not go on"):
        read(backwards)
    monkeypatch.setattr(live_link, "MOST_ROWS", 50)
    with pytest.raises(PerformanceError, match="more than 50 frames"):
        read(write(*take()))
    monkeypatch.setattr(live_link, "MOST_BYTES", 5000)
    with pytest.raises(PerformanceError, match="MB"):
        read(write(*take()))


def test_random_bytes_are_refused(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(30):
        path = tmp_path / f"{number}.csv"
        path.write_bytes((HEADER[: 100 * number].encode() if number % 2 else b"") + rng.bytes(3000))
        with pytest.raises(PerformanceError):
            read(path)


def test_columns_may_stand_in_another_order_and_without_the_head(write):
    names = ["Timecode", "BlendshapeCount", *reversed(NAMES[:52])]
    rows = [",".join([f"10:00:00:{frame:02d}", "52", *(["0.0"] * 51), "0.7"]) for frame in range(30)]
    found = read(write(*rows, header=",".join(names)))
    assert found.rotation is None
    assert found.weights[3, 0] == pytest.approx(0.7) and found.weights[3, 1:].max() == 0


def test_the_first_frame_can_be_the_neutral_one(write):
    found = read(write(*take())).from_neutral()
    cheek = found.weights[:, ARKIT_NAMES.index("cheekPuff")]
    assert cheek.max() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found.rotation[-1], (0.3, 0.0, 0.0), atol=1e-6)


def test_sliders_and_the_head_are_keyed_at_the_scenes_rate(blender, build, write):
    head = build()
    scene = blender.context.scene
    scene.render.fps, scene.frame_end = 30, 20
    before = head.root.rotation_euler.copy()
    assert blender.ops.facedetail.live_link(filepath=str(write(*take())), start=11.0) == {"FINISHED"}
    found = curves(head.keys)
    jaw = found['key_blocks["jawOpen"].value', 0]
    assert len(found) == 52 and len(jaw.keyframe_points) == 90
    assert jaw.keyframe_points[0].co.x == pytest.approx(11) and jaw.keyframe_points[-1].co.x == pytest.approx(11 + 44.5)
    assert scene.frame_end == 56
    scene.frame_set(11 + 22)
    assert head.keys.key_blocks["jawOpen"].value == pytest.approx(1, abs=0.01)
    scene.frame_set(56)
    assert head.keys.key_blocks["eyeLookInLeft"].value == pytest.approx(1, abs=0.02), "eyes turn by their sliders"
    assert head.parts["eye_left"].data.shape_keys.key_blocks["eyeLookInLeft"].value == pytest.approx(1, abs=0.02)
    assert head.root.delta_rotation_euler.z == pytest.approx(0.3, abs=0.01)
    assert head.root.rotation_euler == before, "the artist's own rotation stays"


def test_the_photos_expression_is_not_added_and_earlier_keys_stay_in_the_file(blender, build, write):
    head = build()
    head.keys.key_blocks["browInnerUpLeft"].value = 0.4
    head.keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    old = head.keys.animation_data.action
    blender.ops.facedetail.live_link(filepath=str(write(*take())), turn=0.0)
    assert head.keys.key_blocks["browInnerUpLeft"].value == 0
    assert old.use_fake_user and head.keys.animation_data.action != old
    assert head.root.animation_data is None, "no rotation is wanted"


def test_a_head_without_whole_sliders_gets_both_sides(blender, build, write):
    head = build()
    for name in ("browInnerUp", "cheekPuff", "tongueOut"):
        head.skin.shape_key_remove(head.keys.key_blocks[name])
    blender.ops.facedetail.live_link(filepath=str(write(*take())))
    found = curves(head.keys)
    assert len(found) == 49 + 4
    ends = [found[f'key_blocks["browInnerUp{side}"].value', 0].keyframe_points[-1].co.y for side in ("Left", "Right")]
    assert ends == pytest.approx([0.5, 0.5])


def test_a_rigs_head_bone_turns_instead_of_the_object(blender, build, write):
    from facedetail_addon.scene.rig.bones import HEAD_BONE, rig_of

    head = build()
    blender.ops.facedetail.rig()
    blender.ops.facedetail.live_link(filepath=str(write(*take())))
    rig = rig_of(head)
    blender.context.scene.frame_set(1000)
    bone = rig.pose.bones[HEAD_BONE]
    nose = bone.matrix.to_3x3() @ bone.bone.matrix_local.to_3x3().inverted()
    # Yaw about the axis up: the nose, which points to -Y, goes to the head's own left, +X.
    direction = np.array(nose) @ (0, -1, 0)
    assert direction[0] == pytest.approx(np.sin(0.3), abs=0.02)
    assert direction[2] == pytest.approx(-np.sin(0.1), abs=0.02), "and a positive pitch nods"
    assert head.root.animation_data is None


def test_what_is_wrong_with_a_file_is_told_and_nothing_is_keyed(blender, build, write):
    head = build()
    with pytest.raises(RuntimeError, match="no Timecode.*Export the take"):
        blender.ops.facedetail.live_link(filepath=str(write("x", header="y")))
    assert head.keys.animation_data is None or head.keys.animation_data.action is None


def test_ten_minutes_are_read_and_keyed_within_seconds(blender, build, write):
    import time

    head = build()
    line = take(2)[1].split(",", 1)[1]
    rows = [f"10:{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}.000,{line}" for n in range(36000)]
    path = write(*rows)
    begun = time.process_time()
    blender.ops.facedetail.live_link(filepath=str(path))
    assert len(curves(head.keys)['key_blocks["jawOpen"].value', 0].keyframe_points) == 36000
    assert time.process_time() - begun < 15


def test_it_is_in_the_import_menu_and_in_the_panel(blender, build):
    from types import SimpleNamespace

    from blender_tests.operators.recording_layout import RecordingLayout, draw
    from facedetail_addon import names
    from facedetail_addon.ui.panel import draw_import_entry

    build()
    layout = RecordingLayout()
    draw_import_entry(SimpleNamespace(layout=layout), blender.context)
    assert names.OP_LIVE_LINK in layout.of("operator")
    assert {names.OP_LIVE_LINK, names.OP_RIG} <= set(draw("FACEDETAIL_PT_expression").of("operator"))
