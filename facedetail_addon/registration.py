# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender gets to know, in order; taken back in the opposite order."""

import bpy

from . import properties
from .names import COMMAND
from .operators.assets import (
    FACEDETAIL_OT_download,
    FACEDETAIL_OT_import_model,
    FACEDETAIL_OT_install,
    FACEDETAIL_OT_remove,
)
from .operators.export import FACEDETAIL_OT_export
from .operators.expression import FACEDETAIL_OT_expression
from .operators.faces import attach_finder, detach_finder
from .operators.lookdev import FACEDETAIL_OT_lookdev, FACEDETAIL_OT_turntable
from .operators.reconstruct import FACEDETAIL_OT_reconstruct
from .operators.view import FACEDETAIL_OT_view
from .operators.work import attach_worker, detach_worker
from .preferences import FaceDetailPreferences, chosen_assets_directory
from .properties import FaceDetailRelief, FaceDetailSettings, FaceDetailState
from .ui import photo
from .ui.export import FACEDETAIL_PT_export
from .ui.expression import FACEDETAIL_PT_expression
from .ui.head import FACEDETAIL_PT_detail, FACEDETAIL_PT_light, FACEDETAIL_PT_result
from .ui.panel import (
    FACEDETAIL_PT_advanced,
    FACEDETAIL_PT_face_model,
    FACEDETAIL_PT_reconstruct,
    draw_import_entry,
)
from .ui.requirements import FACEDETAIL_OT_copy_command

_CLASSES = (
    FaceDetailPreferences,
    FaceDetailSettings,
    FaceDetailRelief,
    FaceDetailState,
    FACEDETAIL_OT_reconstruct,
    FACEDETAIL_OT_export,
    FACEDETAIL_OT_expression,
    FACEDETAIL_OT_view,
    FACEDETAIL_OT_import_model,
    FACEDETAIL_OT_remove,
    FACEDETAIL_OT_download,
    FACEDETAIL_OT_install,
    FACEDETAIL_OT_lookdev,
    FACEDETAIL_OT_turntable,
    FACEDETAIL_OT_copy_command,
    FACEDETAIL_PT_reconstruct,
    FACEDETAIL_PT_face_model,
    FACEDETAIL_PT_advanced,
    FACEDETAIL_PT_result,
    FACEDETAIL_PT_expression,
    FACEDETAIL_PT_detail,
    FACEDETAIL_PT_light,
    FACEDETAIL_PT_export,
)


class _Command:
    """``blender --command facedetail``; Blender wants its handle back to take it away."""

    handle: object = None


def register() -> None:
    """Called by Blender when the add-on is switched on."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.attach()
    attach_worker()
    attach_finder()
    photo.attach()
    bpy.types.TOPBAR_MT_file_import.append(draw_import_entry)
    _Command.handle = bpy.utils.register_cli_command(COMMAND, _run_command)


def unregister() -> None:
    """Called by Blender when the add-on is switched off or Blender quits."""
    bpy.utils.unregister_cli_command(_Command.handle)
    bpy.types.TOPBAR_MT_file_import.remove(draw_import_entry)
    photo.detach()
    detach_finder()
    detach_worker()
    properties.detach()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)


def _run_command(argv: list[str]) -> int:
    from .cli.main import command

    return command(argv, chosen_assets_directory(bpy.context))
