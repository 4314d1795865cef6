# SPDX-License-Identifier: GPL-3.0-or-later
"""Every button that a finished head has, pressed in a Blender in which FaceDetail is installed; each is a check.

Runs in that Blender: in the window's (``session.py``) and in the bare ones of the installed tests
(``blender_tests/installed/artist_session.py``).
"""

import importlib
from collections.abc import Callable
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.facedetail"
FORMATS = ("fbx", "glb", "usdz", "obj")
_LEAST_BYTES = 100_000
_ADD_ONS = {"fbx": "io_scene_fbx", "glb": "io_scene_gltf2"}


def press(button: str, folder: str) -> tuple[bool, str]:
    """Press a button of the first head of the scene.

    Args:
        button: of :data:`BUTTONS`. folder: where its files go.

    Returns:
        whether it did what it is for, and what it told.
    """
    _select(_first_skin())
    try:
        return BUTTONS[button](Path(folder))
    except RuntimeError as error:
        return False, str(error).strip()


def _first_skin() -> bpy.types.Object:
    """Of the head that was reconstructed; heads for game engines are made after it."""
    skins = [item for item in bpy.data.objects if item.get("facedetail_part") == "skin" and item.name.endswith(" skin")]
    return skins[0]


def _select(item: bpy.types.Object) -> None:
    bpy.context.view_layer.update()  # what was just linked cannot be active before
    for other in bpy.context.view_layer.objects:
        other.select_set(other == item)
    bpy.context.view_layer.objects.active = item


def _pose(_folder: Path) -> tuple[bool, str]:
    skin = _first_skin()
    before = [modifier.show_viewport for modifier in skin.modifiers]
    bpy.ops.facedetail.pose()
    posed = [modifier.show_viewport for modifier in skin.modifiers if modifier.type == "SUBSURF"]
    bpy.ops.facedetail.pose()
    return not any(posed) and [modifier.show_viewport for modifier in skin.modifiers] == before, ""


def _rig(_folder: Path) -> tuple[bool, str]:
    bpy.ops.facedetail.rig()
    bones = [bone.name for item in bpy.data.objects if item.type == "ARMATURE" for bone in item.data.bones]
    return {"Neck", "Head", "Jaw", "Eye.L", "Eye.R"} <= set(bones), ", ".join(bones)


def _live_link(folder: Path) -> tuple[bool, str]:
    names = importlib.import_module(f"{MODULE}.core.face_model.arkit").ARKIT_NAMES
    columns = [*(name[:1].upper() + name[1:] for name in names), "HeadYaw", "HeadPitch", "HeadRoll"]
    rows = [",".join(("Timecode", "BlendShapeCount", *columns))]
    for frame in range(30):
        values = [f"{frame / 29 if name == 'JawOpen' else 0.0:.4f}" for name in columns]
        rows.append(",".join((f"10:00:00:{frame:02d}.000", "61", *values)))
    path = folder / "take.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    bpy.ops.facedetail.live_link(filepath=str(path))
    keys = _first_skin().data.shape_keys
    bpy.context.scene.frame_set(30)
    return keys.key_blocks["jawOpen"].value > 0.9, f"jawOpen {keys.key_blocks['jawOpen'].value:.2f}"


def _game_ready(density: str) -> Callable[[Path], tuple[bool, str]]:
    def pressed(_folder: Path) -> tuple[bool, str]:
        bpy.ops.facedetail.game_ready(density=density)
        skin = bpy.context.view_layer.objects.active
        quads = len(skin.data.polygons)
        return abs(quads / (1000 * int(density[:-1])) - 1) < 0.05, f"{quads} quads"

    return pressed


def _export(ending: str) -> Callable[[Path], tuple[bool, str]]:
    def pressed(folder: Path) -> tuple[bool, str]:
        path = folder / f"head.{ending}"
        try:
            bpy.ops.facedetail.export(filepath=str(path))
        except RuntimeError as error:
            # A Blender that was built without a format must say so, and what to do.
            told = str(error).strip()
            return "was built without" in told and "Take another format" in told, told
        return path.stat().st_size > _LEAST_BYTES, f"{path.stat().st_size} bytes"

    return pressed


def _export_without_add_on(ending: str) -> Callable[[Path], tuple[bool, str]]:
    def pressed(folder: Path) -> tuple[bool, str]:
        path, add_on = folder / f"none.{ending}", _ADD_ONS[ending]
        bpy.ops.preferences.addon_disable(module=add_on)
        try:
            bpy.ops.facedetail.export(filepath=str(path))
            return False, "nothing was said"
        except RuntimeError as error:
            told = str(error).strip()
            return "is switched off" in told and "Switch the add-on" in told and not path.exists(), told
        finally:
            bpy.ops.preferences.addon_enable(module=add_on)

    return pressed


def _export_game_head(folder: Path) -> tuple[bool, str]:
    skin = next(item for item in bpy.data.objects if item.name.endswith("_8k_Skin"))
    _select(skin)
    path = folder / "game.fbx"
    bpy.ops.facedetail.export(filepath=str(path), centimetres=True)
    return path.stat().st_size > _LEAST_BYTES, f"{path.stat().st_size} bytes"


BUTTONS: dict[str, Callable[[Path], tuple[bool, str]]] = {
    "Pose, twice": _pose,
    "Add Rig": _rig,
    "Live Link Face": _live_link,
    **{f"Game-Ready {density}": _game_ready(density) for density in ("2k", "8k", "20k")},
    **{f"Export {ending}": _export(ending) for ending in FORMATS},
    "Export game-ready fbx": _export_game_head,
    **{f"Export {ending} without its add-on": _export_without_add_on(ending) for ending in _ADD_ONS},
}
"""By what they are called in the report, in the order in which they are pressed."""
