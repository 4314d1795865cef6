# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender gets to know, in order; taken back in the opposite order."""

import bpy

from . import session
from .names import COMMAND
from .operators import edit_tool, pose, properties, relief, upkeep
from .operators.assets import (
    FACEDETAIL_OT_download,
    FACEDETAIL_OT_import_model,
    FACEDETAIL_OT_install,
    FACEDETAIL_OT_remove,
)
from .operators.copy_command import FACEDETAIL_OT_copy_command
from .operators.edit_fit import FACEDETAIL_OT_edit, FACEDETAIL_OT_edit_fit
from .operators.edit_settings import FaceDetailEdit
from .operators.export import FACEDETAIL_OT_export
from .operators.expression import FACEDETAIL_OT_expression
from .operators.faces import stop_looking
from .operators.game_ready import FACEDETAIL_OT_game_ready
from .operators.light import FACEDETAIL_OT_light
from .operators.lookdev import FACEDETAIL_OT_lookdev, FACEDETAIL_OT_turntable
from .operators.notices import FACEDETAIL_OT_dismiss_notices
from .operators.performance import FACEDETAIL_OT_live_link
from .operators.photos import (
    FACEDETAIL_OT_add_photos,
    FACEDETAIL_OT_move_photo,
    FACEDETAIL_OT_photo,
    FACEDETAIL_OT_remove_photo,
    FaceDetailPhoto,
)
from .operators.pose import FACEDETAIL_OT_pose
from .operators.properties import FaceDetailRelief, FaceDetailSettings, FaceDetailState
from .operators.reconstruct import FACEDETAIL_OT_reconstruct
from .operators.rig import FACEDETAIL_OT_rig
from .operators.update_skin import FACEDETAIL_OT_update_skin
from .operators.view import FACEDETAIL_OT_view
from .ui.edit import FACEDETAIL_PT_fit
from .ui.expression import FACEDETAIL_PT_expression
from .ui.head import FACEDETAIL_PT_detail, FACEDETAIL_PT_light, FACEDETAIL_PT_result
from .ui.panel import (
    FACEDETAIL_PT_advanced,
    FACEDETAIL_PT_face_model,
    FACEDETAIL_PT_reconstruct,
    draw_import_entry,
)
from .ui.photos import FACEDETAIL_UL_photos
from .ui.preferences import FaceDetailPreferences

_CLASSES = (
    FaceDetailPreferences,
    FaceDetailPhoto,
    FaceDetailSettings,
    FaceDetailRelief,
    FaceDetailState,
    FaceDetailEdit,
    FACEDETAIL_OT_edit_fit,
    FACEDETAIL_OT_edit,
    FACEDETAIL_OT_update_skin,
    FACEDETAIL_OT_reconstruct,
    FACEDETAIL_OT_export,
    FACEDETAIL_OT_expression,
    FACEDETAIL_OT_pose,
    FACEDETAIL_OT_live_link,
    FACEDETAIL_OT_rig,
    FACEDETAIL_OT_game_ready,
    FACEDETAIL_OT_add_photos,
    FACEDETAIL_OT_remove_photo,
    FACEDETAIL_OT_move_photo,
    FACEDETAIL_OT_photo,
    FACEDETAIL_OT_light,
    FACEDETAIL_OT_dismiss_notices,
    FACEDETAIL_OT_view,
    FACEDETAIL_OT_import_model,
    FACEDETAIL_OT_remove,
    FACEDETAIL_OT_download,
    FACEDETAIL_OT_install,
    FACEDETAIL_OT_lookdev,
    FACEDETAIL_OT_turntable,
    FACEDETAIL_OT_copy_command,
    FACEDETAIL_UL_photos,
    FACEDETAIL_PT_reconstruct,
    FACEDETAIL_PT_fit,
    FACEDETAIL_PT_face_model,
    FACEDETAIL_PT_advanced,
    FACEDETAIL_PT_result,
    FACEDETAIL_PT_expression,
    FACEDETAIL_PT_detail,
    FACEDETAIL_PT_light,
)


def register() -> None:
    """Called by Blender when the add-on is switched on."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.attach()
    upkeep.attach()
    pose.attach()
    relief.attach()
    edit_tool.attach()
    started = session.start()
    bpy.types.TOPBAR_MT_file_import.append(draw_import_entry)
    started.command = bpy.utils.register_cli_command(COMMAND, _run_command)


def unregister() -> None:
    """Called by Blender when the add-on is switched off or Blender quits."""
    bpy.utils.unregister_cli_command(session.current().command)
    bpy.types.TOPBAR_MT_file_import.remove(draw_import_entry)
    stop_looking()
    session.end()
    edit_tool.detach()
    relief.detach()
    pose.detach()
    upkeep.detach()
    properties.detach()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)


def _run_command(argv: list[str]) -> int:
    from .cli.main import command

    return command(argv, session.chosen_assets_directory(bpy.context))
