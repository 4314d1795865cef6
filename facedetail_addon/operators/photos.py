# SPDX-License-Identifier: GPL-3.0-or-later
"""More photos of the same person: the list beside the chosen photo, and the view of each photo of a head."""

import json
from pathlib import Path

import bpy

from ..core.errors import PhotoError
from ..core.result.record import MOST_PHOTOS
from ..names import (
    DOWN,
    FIRST,
    OP_ADD_PHOTOS,
    OP_MOVE_PHOTO,
    OP_PHOTO,
    OP_REMOVE_PHOTO,
    PHOTO_FILTER,
    PHOTO_SIZE_PROPERTY,
    SETTINGS_PROPERTY,
    UP,
)
from ..scene.camera import show_size
from .selection import allowed, expression_problem, selected_head
from .work import is_at_work

_WAYS = (
    (UP, "Up", "Move it up in the list"),
    (DOWN, "Down", "Move it down in the list"),
    (FIRST, "Make First", "Take camera and expression of the scene from this photo"),
)


class FaceDetailPhoto(bpy.types.PropertyGroup):
    """One more photo of the person; saved with the scene."""

    path: bpy.props.StringProperty(name="Photo", description="Photo of the same person", subtype="FILE_PATH")


class _ListOperator:
    bl_options = {"UNDO", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not is_at_work(context)


class FACEDETAIL_OT_add_photos(_ListOperator, bpy.types.Operator):
    """Add photos of the same person, from other sides or with another expression"""

    bl_idname = OP_ADD_PHOTOS
    bl_label = "Add Photos of the Person"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filter_glob: bpy.props.StringProperty(default=PHOTO_FILTER, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = getattr(context.scene, SETTINGS_PROPERTY)
        chosen = [str(Path(self.directory, file.name)) for file in self.files if file.name]
        known = {bpy.path.abspath(path) for path in (settings.photo, *(one.path for one in settings.more_photos))}
        fresh = [path for path in chosen if path not in known]
        if fresh and not settings.photo:
            settings.photo = fresh.pop(0)
        room = MOST_PHOTOS - 1 - len(settings.more_photos)
        for path in fresh[:room]:
            settings.more_photos.add().path = path
        if len(fresh) > room:
            self.report({"WARNING"}, f"A person can have {MOST_PHOTOS} photos; {len(fresh) - room} were left out.")
        settings.more_photos_index = max(0, len(settings.more_photos) - 1)
        return {"FINISHED"}


class FACEDETAIL_OT_remove_photo(_ListOperator, bpy.types.Operator):
    """Take the photo off the list; its file stays"""

    bl_idname = OP_REMOVE_PHOTO
    bl_label = "Remove Photo"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = getattr(context.scene, SETTINGS_PROPERTY)
        photos, index = settings.more_photos, settings.more_photos_index
        if not 0 <= index < len(photos):
            return {"CANCELLED"}
        photos.remove(index)
        settings.more_photos_index = max(0, min(index, len(photos) - 1))
        return {"FINISHED"}


class FACEDETAIL_OT_move_photo(_ListOperator, bpy.types.Operator):
    """Change the order of the photos"""

    bl_idname = OP_MOVE_PHOTO
    bl_label = "Move Photo"

    way: bpy.props.EnumProperty(name="Way", items=_WAYS, default=UP)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return next(text for way, _, text in _WAYS if way == properties.way)

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = getattr(context.scene, SETTINGS_PROPERTY)
        photos, index = settings.more_photos, settings.more_photos_index
        if not 0 <= index < len(photos):
            return {"CANCELLED"}
        if self.way == FIRST:
            photos[index].path, settings.photo = settings.photo, photos[index].path
            return {"FINISHED"}
        target = index + (1 if self.way == DOWN else -1)
        if not 0 <= target < len(photos):
            return {"CANCELLED"}
        photos.move(index, target)
        settings.more_photos_index = target
        return {"FINISHED"}


class FACEDETAIL_OT_photo(bpy.types.Operator):
    """Look at the head as one of its photos shows it: its camera, its size, and its expression"""

    bl_idname = OP_PHOTO
    bl_label = "Look Through Photo"
    bl_options = {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(name="Photo", description="Which of the photos, from 1", default=1, min=1)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = selected_head(context)
        lacking = "This head's cameras have been removed." if head is not None and not head.photo_cameras else ""
        return allowed(cls, expression_problem(context, head, lacking))

    def execute(self, context: bpy.types.Context) -> set[str]:
        head = selected_head(context)
        cameras = head.photo_cameras
        if self.number > len(cameras):
            self.report({"ERROR"}, f"This head has {len(cameras)} photos. Choose one from 1.")
            return {"CANCELLED"}
        camera = cameras[self.number - 1]
        context.scene.camera = camera
        size = camera.get(PHOTO_SIZE_PROPERTY)
        if size is not None and len(size) == 2:
            show_size(context.scene, tuple(int(side) for side in size))
        head.set_photo_expression(1.0, camera)
        return {"FINISHED"}


def more_photos(settings: bpy.types.PropertyGroup) -> str:
    """What the reconstruct operator takes: a list of paths, as JSON."""
    return json.dumps([bpy.path.abspath(photo.path) for photo in settings.more_photos if photo.path])


def paths_of(text: str) -> tuple[Path, ...]:
    """The paths of such a list; empty of nothing.

    Raises:
        PhotoError: it is no list of paths, or one of them is not there.
    """
    try:
        paths = json.loads(text) if text else []
    except ValueError:
        paths = None
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise PhotoError("The other photos are no JSON list of paths.", 'Write them like ["/a.jpg", "/b.jpg"].')
    found = tuple(Path(bpy.path.abspath(path)) for path in paths)
    for path in found:
        if not path.is_file():
            raise PhotoError(f"The photo {path} is not there.", "Take it off the list, or choose another.")
    return found
