# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit Fit: pins on the photo, and the head that follows while they are dragged."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import bpy

from .. import session
from ..core.editing import REACH, EditBase, EditSession, edit_base
from ..core.errors import FaceDetailError
from ..core.face_model.library import load_named_calibration, load_named_model
from ..core.fit.pins import PinnedEdit
from ..core.result.files import read_record, require_result
from ..core.result.pin_file import parse_pins, pins_text
from ..names import EDIT_FIT_LABEL, EDIT_PROPERTY, LABEL, OP_EDIT, OP_EDIT_FIT
from ..scene.head_object import HeadObject
from ..scene.pinned import (
    follow_steps,
    is_stale,
    noted_key,
    pins_of,
    remember_pins,
    require_editable,
    result_folder_of,
)
from ..scene.steps import run_through
from .edit_draw import EditDrawing
from .edit_settings import show_settings
from .edit_view import EditView
from .selection import active_head, allowed, refit_problem
from .work import redraw_all, report_error

_TIMER_S = 1 / 60
_STATUS = (
    f"{LABEL}: click adds a pin, drag moves it   Right click or X: remove   Ctrl Z: undo   Enter: keep   Esc: leave"
)
_ZOOM = ("WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM", "NUMPAD_PLUS", "NUMPAD_MINUS", "HOME")
_KEEP, _LEAVE = ("RET", "NUMPAD_ENTER"), "ESC"
_NO_RESULT_CHANGES = ("MOUSEMOVE", "INBETWEEN_MOUSEMOVE")


def load_base(folder: Path, key: str, assets: Path) -> EditBase:
    """What is edited of a result folder; half a second, in a thread.

    Raises:
        FaceDetailError: it is another photo's, was made without what a fit begins with, or its face model is gone.
    """
    record = read_record(folder)
    require_result(folder, record, key)
    model = load_named_model(record.face_model, assets)
    return edit_base(record, model, load_named_calibration(record.face_model, assets))


def edit_of(head: HeadObject) -> PinnedEdit | None:
    """What was pinned on a head; None where nothing was.

    Raises:
        PinError: somebody has written over it.
    """
    text = pins_of(head)
    return parse_pins(text, head.root.name) if text else None


def pinned_texts(head: HeadObject) -> tuple[bool, str]:
    """Whether the skin of a head is older than its shape, and what the panel says of its pins; empty of none."""
    if is_stale(head):
        return True, "Textures, light and relief are of the head as it was before: Update Skin makes them anew."
    try:
        edit = edit_of(head)
    except FaceDetailError as error:
        return False, error.message
    count = 0 if edit is None else len(edit.pins)
    return False, f"{count} pin{'s' * (count != 1)}" if count else ""


def keep_steps(head: HeadObject, edit: EditSession) -> Generator[None, None, None]:
    """Give a head the shape that its pins make, and let it remember them.

    Raises:
        OutputError: it cannot have it; nothing has changed then.
    """
    while not edit.is_up_to_date:
        edit.poll()
        yield
    # With many photos it takes longer than a window may wait.
    with ThreadPoolExecutor(1) as thread:
        whole = thread.submit(edit.fit.head)
        while not whole.done():
            yield
    yield from follow_steps(head, edit.base.model, whole.result())
    changed = edit.edit != edit.base.record.edit
    remember_pins(head, pins_text(edit.edit), stale=changed)


class FACEDETAIL_OT_edit_fit(bpy.types.Operator):
    """Put places of the selected head where its photo shows them: the head follows while you drag"""

    bl_idname = OP_EDIT_FIT
    bl_label = EDIT_FIT_LABEL
    bl_options = {"UNDO"}

    pins: bpy.props.StringProperty(
        name="Pins", description="What to pin without a window, as pins.json has it", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, refit_problem(context, active_head(context)))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Without a window: pin what is asked for."""
        head, edit = active_head(context), None
        try:
            asked = parse_pins(self.pins, "the operator") if self.pins else None
            edit = self._session(context, head, asked)
            edit.wait()
            run_through(keep_steps(head, edit))
            for notice in edit.notices:
                self.report({"WARNING"}, notice.message)
        except FaceDetailError as error:
            return report_error(self, error)
        finally:
            if edit is not None:
                edit.close()
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        view = None if bpy.app.background or context.window is None else EditView.of(context)
        if view is None:
            return self.execute(context)
        head = active_head(context)
        try:
            self._edit = self._session(context, head, None)
        except FaceDetailError as error:
            return report_error(self, error)
        self._name, self._view, self._drawing, self._steps = head.root.name, view, None, None
        self._remembered = pins_of(head), is_stale(head)
        self._warned: set[str] = set()
        self._told: tuple = ()
        self._to_zoom = False
        session.current().edit = self._edit
        self._timer = context.window_manager.event_timer_add(_TIMER_S, window=context.window)
        self._handler = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        self._saving = (partial(_before_saving, self), partial(_after_saving, self))
        bpy.app.handlers.save_pre.append(self._saving[0])
        bpy.app.handlers.save_post.append(self._saving[1])
        context.workspace.status_text_set(_STATUS)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            result = self._handle(context, event)
        except FaceDetailError as error:
            self._remember()
            self._finish(context)
            return report_error(self, error)
        except BaseException:
            self._remember()
            self._finish(context)
            raise
        if result & {"FINISHED", "CANCELLED"}:
            self._finish(context)
        return result

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: another file, or the window is closed."""
        self._finish(context)

    def _session(self, context: bpy.types.Context, head: HeadObject, asked: PinnedEdit | None) -> EditSession:
        """FaceDetailError where the head cannot be edited."""
        require_editable(head)
        folder, key = result_folder_of(head), noted_key(head)
        begun = asked if asked is not None else edit_of(head)
        return EditSession(partial(load_base, folder, key, session.chosen_assets_directory(context)), begun)

    def _handle(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self._steps is not None:
            return self._go_on(context, event)
        if event.type == "TIMER":
            return self._look(context)
        if not self._view.has_mouse(event) and self._edit.grabbed is None:
            return {"PASS_THROUGH"}
        if event.type in _ZOOM or (event.type == "MIDDLEMOUSE" and (event.shift or event.ctrl)):
            return {"PASS_THROUGH"}
        if event.type in _KEEP and event.value == "PRESS" and self._edit.is_ready:
            self._begin_keeping()
        elif event.type == _LEAVE and event.value == "PRESS":
            if not self._edit.cancel_drag():
                self._forget()
                self.report({"INFO"}, "The fit is as it was")
                return {"CANCELLED"}
        elif self._edit.is_ready:
            self._edit_by(event)  # what it changes is drawn when the head has followed
        return {"RUNNING_MODAL"}

    def _edit_by(self, event: bpy.types.Event) -> None:
        """Mouse and keys over the photo."""
        edit, place = self._edit, self._view.photo_place(event)
        if place is None:
            return
        reach = REACH * bpy.context.preferences.system.ui_scale / self._view.frame.scale
        pressed = event.value == "PRESS"
        if event.type in _NO_RESULT_CHANGES:
            edit.drag(place)
        elif event.type == "LEFTMOUSE":
            if event.value in ("PRESS", "DOUBLE_CLICK"):
                edit.press(place, reach)
            elif event.value == "RELEASE":
                edit.release()
        elif (event.type == "RIGHTMOUSE" or event.type in ("X", "DEL")) and pressed:
            number = edit.pin_at(place, reach)
            if number is not None and edit.grabbed is None:
                edit.remove(number)
        elif event.type == "Z" and event.ctrl and pressed:
            step = edit.redo if event.shift else edit.undo
            step()

    def _look(self, context: bpy.types.Context) -> set[str]:
        """What has come meanwhile."""
        head = self._head()
        if head is None:
            raise FaceDetailError(
                f"The head {self._name} is not there any more; editing its fit has ended.", "Undo brings it back."
            )
        if not self._view.is_there:
            if not self._edit.is_ready:
                return {"CANCELLED"}
            self.report({"INFO"}, "The view of the photo was left: the pins are kept")
            self._begin_keeping()
            return {"RUNNING_MODAL"}
        was_ready = self._edit.is_ready
        if self._edit.poll():
            if not was_ready:
                self._show(context)
            show_settings(context.window_manager, self._edit)
            self._warn()
            self._view.redraw()
        if self._to_zoom and self._view.frame is not None:
            drawn = self._edit.shown.drawn[:, :2]
            self._view.zoom_to(drawn.min(axis=0).astype(float), drawn.max(axis=0).astype(float))
            self._to_zoom = False
        if was_ready and context.scene.camera != self._camera(head):
            self._show(context)  # another photo was chosen
        return {"PASS_THROUGH"}

    def _show(self, context: bpy.types.Context) -> None:
        """The view through the photo's camera.

        Raises:
            FaceDetailError: the camera has been removed.
        """
        head = self._head()
        camera = self._camera(head)
        if camera is None:
            raise FaceDetailError(
                f"The camera of photo {self._edit.photo + 1} of {self._name} is not there any more.",
                "Undo brings it back.",
            )
        self._drawing = self._drawing or EditDrawing(self._edit.base)
        self._view.restore()
        self._view.show(context.scene, camera, self._edit.image_size)
        self._view.frame, self._to_zoom = None, True
        backgrounds = camera.data.background_images
        if not any(one.image is not None and one.image.size[0] for one in backgrounds):
            self.report({"WARNING"}, "The photo behind the head is not there any more: pins are put as on glass")
        show_settings(context.window_manager, self._edit)
        self._view.redraw_panel()

    def _warn(self) -> None:
        """Say once what an artist should know of the pins; the panel goes on saying it."""
        if self._edit.grabbed is None:
            for notice in self._edit.notices:
                if notice.code not in self._warned:
                    self.report({"WARNING"}, notice.message)
            self._warned = {notice.code for notice in self._edit.notices}
        told = (
            tuple(notice.message for notice in self._edit.notices),
            self._edit.edit.settings,
            len(self._edit.edit.pins),
        )
        if told != self._told:
            self._told = told
            self._view.redraw_panel()

    def _head(self) -> HeadObject | None:
        try:
            return HeadObject.named(self._name)
        except FaceDetailError:
            return None

    def _camera(self, head: HeadObject) -> bpy.types.Object | None:
        cameras = head.photo_cameras or head.cameras
        return cameras[self._edit.photo] if self._edit.photo < len(cameras) else None

    def _remember(self) -> None:
        """The pins stay with the head whatever went wrong; its shape follows when they are edited and kept again."""
        head = self._head()
        if head is not None and self._edit.is_ready and self._edit.is_changed:
            remember_pins(head, pins_text(self._edit.edit), stale=True)

    def _forget(self) -> None:
        """Saving may have noted pins that are left now."""
        head, (pins, stale) = self._head(), self._remembered
        if head is not None and pins_of(head) != pins:
            remember_pins(head, pins, stale=stale)

    def _begin_keeping(self) -> None:
        self._edit.release()
        self._steps = keep_steps(self._head(), self._edit)

    def _go_on(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """A step of keeping: nobody may undo in between."""
        if event.type == "TIMER":
            try:
                next(self._steps)
            except StopIteration:
                return {"FINISHED"}
        return {"RUNNING_MODAL"}

    def _draw(self) -> None:
        """Over the photo, whenever Blender draws a 3D view."""
        context, view = bpy.context, self._view
        if context.region != view.region or self._drawing is None or not self._edit.is_ready:
            return
        frame = view.measured(context.scene, self._edit.image_size)
        if frame is not None:
            look = getattr(context.window_manager, EDIT_PROPERTY)
            self._drawing.draw(self._edit.shown, frame, view.region, look.look, look.opacity, self._edit.grabbed)

    def _finish(self, context: bpy.types.Context) -> None:
        """The one way out: nothing of ours stays in window or scene."""
        if session.current().edit is not self._edit:
            return
        session.current().edit = None
        self._edit.close()
        self._view.restore()
        bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")
        handlers = bpy.app.handlers.save_pre, bpy.app.handlers.save_post
        for own, function in zip(handlers, self._saving, strict=True):
            if function in own:  # Blender drops them with another file
                own.remove(function)
        context.window_manager.event_timer_remove(self._timer)
        for workspace in bpy.data.workspaces:
            workspace.status_text_set(None)
        if self._drawing is not None:
            self._drawing.free()
        redraw_all(context.window_manager)


def _before_saving(operator: FACEDETAIL_OT_edit_fit, *args: object) -> None:
    """The file gets the view as it was, and the pins as they are now."""
    operator._view.restore()
    head = operator._head()
    if head is not None and operator._edit.is_ready:
        remember_pins(head, pins_text(operator._edit.edit), stale=True)


def _after_saving(operator: FACEDETAIL_OT_edit_fit, *args: object) -> None:
    if operator._edit.is_ready and operator._view.is_there:
        operator._show(bpy.context)


class FACEDETAIL_OT_edit(bpy.types.Operator):
    """What the panel's buttons do to the pins that are edited"""

    bl_idname = OP_EDIT
    bl_label = EDIT_FIT_LABEL
    bl_options = {"INTERNAL"}

    action: bpy.props.EnumProperty(
        name="Action",
        items=[
            ("ALIGN", "Align Face Again", "Take this photo's pins and its chosen lens away: its automatic alignment"),
            ("UNDO", "Undo", "One step of the pins back (Ctrl Z over the photo)"),
            ("REDO", "Redo", "One step forth again (Shift Ctrl Z)"),
            ("PHOTO", "Photo", "Look at this photo of the person, and at its pins"),
        ],
    )
    photo: bpy.props.IntProperty(name="Photo", default=1, min=1, options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        items = cls.bl_rna.properties["action"].enum_items
        return items[properties.action].description

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        edit = session.current().edit
        return allowed(cls, "" if edit is not None and edit.is_ready else "No fit is being edited.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        edit = session.current().edit
        if self.action == "PHOTO":
            edit.look_at(self.photo - 1)
        else:
            {"ALIGN": edit.align_again, "UNDO": edit.undo, "REDO": edit.redo}[self.action]()
        return {"FINISHED"}
