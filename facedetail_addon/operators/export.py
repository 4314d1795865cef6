# SPDX-License-Identifier: GPL-3.0-or-later
"""A head for other programs."""

import os
from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ..core.errors import FaceDetailError
from ..core.result.files import EXPORT_FILES
from ..names import EXPORT_LABEL, OP_EXPORT
from ..scene.export.head import export_head
from ..settings import SceneSettings, option_of
from .selection import NO_HEAD, active_head
from .work import report_error

_CHOICES = option_of(SceneSettings, "export").choices
_SUFFIXES = tuple(Path(EXPORT_FILES[choice.value]).suffix for choice in _CHOICES)
_FORMATS = [
    (suffix[1:].upper(), choice.label, choice.description) for suffix, choice in zip(_SUFFIXES, _CHOICES, strict=True)
]


class FACEDETAIL_OT_export(ExportHelper, bpy.types.Operator):
    """Write the selected head for other programs: its meshes, expressions and pictures"""

    bl_idname = OP_EXPORT
    bl_label = EXPORT_LABEL

    filename_ext = _SUFFIXES[1]
    check_extension = None
    filter_glob: bpy.props.StringProperty(default=";".join(f"*{suffix}" for suffix in _SUFFIXES), options={"HIDDEN"})
    format: bpy.props.EnumProperty(name="Format", description="What the file is for", items=_FORMATS, default="GLB")

    centimetres: bpy.props.BoolProperty(
        name="Centimetres (Unreal)", description="FBX in centimetres, which Unreal takes as it is; else metres"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_head(context) is None:
            cls.poll_message_set(NO_HEAD)
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("A head is exported in Object Mode.")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        head = active_head(context)
        name = (head.collection or head.root).name.replace(" ", "_")
        self.filepath = self._with_ending(str(Path(self.filepath or name).with_name(name)))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context: bpy.types.Context) -> bool:
        """The file's ending follows the chosen format."""
        wanted = self._with_ending(self.filepath)
        changed, self.filepath = wanted != self.filepath, wanted
        return changed

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            path = export_head(
                active_head(context), Path(bpy.path.abspath(self.filepath)), centimetres=self.centimetres
            )
        except FaceDetailError as error:
            return report_error(self, error)
        self.report({"INFO"}, f"The head is in {path}")
        return {"FINISHED"}

    def _with_ending(self, path: str) -> str:
        """What comes after a point and is none of our endings belongs to the name."""
        stem, ending = os.path.splitext(path)
        return (stem if ending.lower() in _SUFFIXES else path) + f".{self.format.lower()}"
