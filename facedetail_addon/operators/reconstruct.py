# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo in, head in the scene: the operator that artists and scripts call."""

from pathlib import Path

import bpy

from .. import session
from ..core.errors import PhotoError
from ..core.face_model.store import find_installed
from ..jobs.job import Job, Loaded, reconstruct_job
from ..jobs.last_result import key_of, remember
from ..names import OP_RECONSTRUCT, PHOTO_FILTER, RECONSTRUCT_LABEL, SETTINGS_PROPERTY
from ..scene.build.scene import build_steps, check_scene
from ..scene.colour_management import view_notices
from ..scene.head_object import HeadObject
from ..scene.pinned import remember_result
from ..session import chosen_assets_directory, chosen_results_directory
from ..settings import BUILTIN, OPERATOR, SceneSettings, Settings, options
from .faces import look_for_faces
from .options import chosen, with_options
from .photos import paths_of
from .properties import photo_path
from .view import look_at_new_head
from .work import Steps, WorkOperator


@with_options(OPERATOR)
class FACEDETAIL_OT_reconstruct(WorkOperator, bpy.types.Operator):
    """Make a posed, textured head and the photo's camera from a photo of a face, or from several of one person"""

    bl_idname = OP_RECONSTRUCT
    bl_label = RECONSTRUCT_LABEL
    bl_options = {"REGISTER", "UNDO"}
    changes_scene = True

    filepath: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=PHOTO_FILTER, options={"HIDDEN"})
    output: bpy.props.StringProperty(
        name="Output",
        description="Folder for the result; empty: as in the preferences",
        subtype="DIR_PATH",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    more_photos: bpy.props.StringProperty(
        name="More Photos",
        description="Other photos of the same person, a JSON list of paths",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("A head is added in Object Mode.")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return self.execute(context)

    def draw(self, context: bpy.types.Context) -> None:
        """In the file browser, and to adjust what was done: first what is there at once."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene = layout.column()
        for option in options(SceneSettings, OPERATOR):
            scene.prop(self, option.name)
        result = layout.column()
        if context.space_data is None or context.space_data.type != "FILE_BROWSER":
            result.label(text="Computed again:")
        for option in options(Settings, OPERATOR):
            result.prop(self, option.name)

    def known(self, context: bpy.types.Context) -> Loaded | None:
        self._asked(context)
        last = session.current().last_result
        return last.loaded if last is not None and last.answers(self._key) else None

    def start(self, context: bpy.types.Context) -> Job[Loaded]:
        return reconstruct_job(session.current().worker, **self._asked(context))

    def _asked(self, context: bpy.types.Context) -> dict[str, object]:
        """What :func:`reconstruct_job` takes; everything that the result depends on.

        Raises:
            FaceDetailError: there is no such photo, or no such face model.
        """
        photo = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not photo.is_file():
            raise PhotoError(f"The photo {photo} is not there.", "Choose an image file with a face.")
        check_scene(context.scene)
        output = Path(bpy.path.abspath(self.output)) if self.output else chosen_results_directory(context)
        assets = chosen_assets_directory(context)
        settings = chosen(Settings, self)
        if settings.face_model != BUILTIN:
            find_installed(settings.face_model, assets)  # before anything is loaded
        more = paths_of(self.more_photos)
        asked = {"photo": photo, "output": output, "assets": assets, "settings": settings, "more_photos": more}
        self._key = key_of(**asked)
        return asked

    def steps(self, context: bpy.types.Context, result: Loaded) -> Steps:
        head = yield from build_steps(
            result.record,
            result.model,
            result.pictures,
            scene=context.scene,
            use_camera=self.use_camera,
            use_light=self.use_light,
            light=self.light,
        )
        if head.relief_settings.strength != self.relief_strength:  # setting it begins a drag, which evaluates the mesh
            head.relief_settings.strength = self.relief_strength
        session.current().last_result = remember(self._key, result)
        remember_result(head, str(result.folder), result.record)
        head.select(context.view_layer)
        if not bpy.app.background and context.window is not None:
            self._show_in_window(context, head)
        scene_notices = view_notices(context.scene) if self.use_light else ()
        head.set_notices([notice.message for notice in (*result.record.notices, *scene_notices)])
        for message in head.notices:
            self.report({"WARNING"}, message)
        self.report({"INFO"}, f"{head.collection.name} is in the scene; files in {result.folder}")
        return {"FINISHED"}

    def _show_in_window(self, context: bpy.types.Context, head: HeadObject) -> None:
        """The head in the view, and in the panel the photo where it was chosen in the file browser."""
        look_at_new_head(context.window, head, through_camera=self.use_camera)
        settings = getattr(context.scene, SETTINGS_PROPERTY)
        if not settings.photo:
            settings.photo, settings.face = self.filepath, self.face
        look_for_faces(photo_path(settings))
