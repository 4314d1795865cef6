# SPDX-License-Identifier: GPL-3.0-or-later
"""The sliders of the pins that are edited: what they say goes to the pins, and what undo says comes back."""

from collections.abc import Callable

import bpy

from .. import session
from ..core.editing import EditSession
from ..core.fit.pins import RIGIDITY
from ..names import EDIT_PROPERTY
from ..scene.camera import SENSOR_MM
from .edit_draw import CLAY, CLAY_AND_WIRE, WIRE

_DIGITS = 4  # Blender's sliders are single floats
_SAME_LENS = 1e-3
_LENSES_MM = (5.0, 1000.0)
_LOOKS = (
    (WIRE, "Wire", "The edges of the head's faces"),
    (CLAY_AND_WIRE, "Clay and Wire", "The head in grey clay with its edges"),
    (CLAY, "Clay", "The head in grey clay"),
)


def _sent(name: str) -> Callable[[bpy.types.PropertyGroup, bpy.types.Context], None]:
    """Hands a slider's value to the pins."""

    def send(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
        edit = session.current().edit
        value = getattr(settings, name)
        if edit is not None and edit.is_ready:
            edit.set(**{name: value if isinstance(value, bool) else round(value, _DIGITS)})

    return send


def _send_focal(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    edit = session.current().edit
    if edit is not None and edit.is_ready:
        focal_px = settings.focal_mm * max(edit.image_size) / SENSOR_MM
        if abs(focal_px / _focal_px(edit) - 1) > _SAME_LENS:
            edit.set_focal(round(focal_px, _DIGITS))


def _focal_px(edit: EditSession) -> float:
    """The chosen lens of the photo that is looked at, or the automatic one."""
    chosen = edit.edit.settings.focal_of(edit.photo)
    return chosen or edit.base.record.automatic.poses[edit.photo].perspective.focal_px


def _look_changed(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    for area in context.screen.areas if context.screen else ():
        if area.type == "VIEW_3D":
            area.tag_redraw()


def _rigidity(name: str, label: str, what: str) -> object:
    return bpy.props.FloatProperty(
        name=label,
        description=f"How strongly {what} as it was found; less gives way to pins sooner",
        default=1.0,
        min=RIGIDITY[0],
        max=RIGIDITY[1],
        soft_min=0.1,
        soft_max=10.0,
        options={"SKIP_SAVE"},
        update=_sent(name),
    )


def _switch(name: str, label: str, description: str, default: bool = False) -> object:
    return bpy.props.BoolProperty(
        name=label, description=description, default=default, options={"SKIP_SAVE"}, update=_sent(name)
    )


class FaceDetailEdit(bpy.types.PropertyGroup):
    """How the head follows pins, while they are edited. Never saved: the head remembers it with its pins."""

    shape_rigidity: _rigidity("shape_rigidity", "Shape Rigidity", "the shape stays")
    expression_rigidity: _rigidity("expression_rigidity", "Expression Rigidity", "the expression stays")
    pose_rigidity: _rigidity("pose_rigidity", "Pose Rigidity", "the head's place and turn stay")
    lock_expression: _switch("lock_expression", "Lock Expression", "Pins change shape and pose alone")
    lock_eyes: _switch("lock_eyes", "Lock Eyes", "Gaze and lids stay as they are; else eyes follow the photo's irises")
    mirror: _switch("mirror", "Mirror Pins", "What a pin does to one side of the head happens to the other, too")
    lock_focal: _switch("lock_focal", "Lock Focal Length", "Pins do not change the lens", default=True)
    focal_mm: bpy.props.FloatProperty(
        name="Focal Length",
        description="Of this photo's lens, on 36 mm along the longer side; the head stays as large on the photo",
        default=50.0,
        min=_LENSES_MM[0],
        max=_LENSES_MM[1],
        soft_min=18.0,
        soft_max=200.0,
        step=100,
        precision=1,
        options={"SKIP_SAVE"},
        update=_send_focal,
    )
    look: bpy.props.EnumProperty(
        name="Head", description="How the head is drawn", items=_LOOKS, default=CLAY, update=_look_changed
    )
    opacity: bpy.props.FloatProperty(
        name="Opacity",
        description="Of the head over the photo",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_look_changed,
    )


def show_settings(manager: bpy.types.WindowManager, edit: EditSession) -> None:
    """Set the sliders to what the pins have, as after undo."""
    shown, settings = getattr(manager, EDIT_PROPERTY), edit.edit.settings
    for name in ("shape_rigidity", "expression_rigidity", "pose_rigidity"):
        if round(getattr(shown, name), _DIGITS) != round(getattr(settings, name), _DIGITS):
            setattr(shown, name, getattr(settings, name))
    for name in ("lock_expression", "lock_eyes", "mirror", "lock_focal"):
        if getattr(shown, name) != getattr(settings, name):
            setattr(shown, name, getattr(settings, name))
    focal_px = _focal_px(edit)
    if not settings.lock_focal and settings.focal_of(edit.photo) is None and edit.fit is not None:
        return  # what pins have found shows in the camera; the slider is the artist's
    focal_mm = focal_px * SENSOR_MM / max(edit.image_size)
    if abs(shown.focal_mm / focal_mm - 1) > _SAME_LENS:
        shown.focal_mm = focal_mm
