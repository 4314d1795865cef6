# SPDX-License-Identifier: GPL-3.0-or-later
"""Face models and other files of the user's own: import, download, install, remove."""

from pathlib import Path

import bpy

from .. import session
from ..core.assets.user import USER_ASSETS, remove_user_asset, user_asset
from ..core.errors import AssetError, FaceDetailError, FaceModelError
from ..core.face_model.store import InstalledModel, remove_model
from ..jobs.job import Job, download_job, import_job, install_job
from ..jobs.runner import BUSY_MESSAGE
from ..names import (
    MODEL_FILTER,
    OFFLINE_TEXT,
    OP_DOWNLOAD,
    OP_IMPORT_MODEL,
    OP_INSTALL,
    OP_REMOVE,
    WEIGHTS_FILTER,
)
from ..session import chosen_assets_directory
from .layout import draw_text, megabytes
from .work import WorkOperator, is_at_work, redraw, report_error

_LICENCE_WIDTH = 400  # px of the dialog
_ASSET_HELP = "The file's id: " + ", ".join(asset.id for asset in USER_ASSETS)


class FACEDETAIL_OT_import_model(WorkOperator, bpy.types.Operator):
    """Import a face model that you have: a Basel Face Model of 2009, 2017 or 2019, or the folder of ICT-FaceKit"""

    bl_idname = OP_IMPORT_MODEL
    bl_label = "Import Face Model"

    filepath: bpy.props.StringProperty(name="File or Folder", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=MODEL_FILTER, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def start(self, context: bpy.types.Context) -> Job[InstalledModel]:
        return import_job(session.current().worker, _chosen(self, FaceModelError), chosen_assets_directory(context))

    def complete(self, context: bpy.types.Context, result: InstalledModel) -> set[str]:
        for text in result.missing:
            self.report({"WARNING"}, f"{result.id}: {text}")
        self.report({"INFO"}, f"{result.id} is installed. {result.licence}")
        return {"FINISHED"}


class FACEDETAIL_OT_download(WorkOperator, bpy.types.Operator):
    """Download a file that FaceDetail may not bring along from its author's site; broken off, it goes on from there"""

    bl_idname = OP_DOWNLOAD
    bl_label = "Download"

    asset: bpy.props.StringProperty(name="Asset", description=_ASSET_HELP, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not bpy.app.online_access:
            cls.poll_message_set(OFFLINE_TEXT)
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            title = f"Download {user_asset(self.asset).title}"
        except AssetError as error:
            return refuse(self, error)
        return context.window_manager.invoke_props_dialog(
            self, width=_LICENCE_WIDTH, title=title, confirm_text="Download"
        )

    def draw(self, context: bpy.types.Context) -> None:
        """What the user agrees to."""
        asset = user_asset(self.asset)
        column = self.layout.column(align=True)
        for text in (f"{megabytes(asset.size)} from {asset.url}", asset.licence):
            draw_text(column, text, _LICENCE_WIDTH)

    def start(self, context: bpy.types.Context) -> Job[Path]:
        assets = chosen_assets_directory(context)
        return download_job(session.current().worker, user_asset(self.asset), assets, online=bpy.app.online_access)

    def complete(self, context: bpy.types.Context, result: Path) -> set[str]:
        return _installed(self, result)


class FACEDETAIL_OT_install(WorkOperator, bpy.types.Operator):
    """Install a file that FaceDetail may not bring along, from where you have it"""

    bl_idname = OP_INSTALL
    bl_label = "Install"

    asset: bpy.props.StringProperty(name="Asset", description=_ASSET_HELP, options={"HIDDEN", "SKIP_SAVE"})
    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=WEIGHTS_FILTER, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def start(self, context: bpy.types.Context) -> Job[Path]:
        source = _chosen(self, AssetError)
        return install_job(session.current().worker, user_asset(self.asset), source, chosen_assets_directory(context))

    def complete(self, context: bpy.types.Context, result: Path) -> set[str]:
        return _installed(self, result)


class FACEDETAIL_OT_remove(bpy.types.Operator):
    """Delete this from FaceDetail's folder; the file it came from stays"""

    bl_idname = OP_REMOVE
    bl_label = "Remove"

    asset: bpy.props.StringProperty(
        name="Asset",
        description="A face model's id, the name of its folder where it is broken, or the id of a file of weights",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if is_at_work(context):
            cls.poll_message_set(BUSY_MESSAGE)
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        message = f"Delete {self.asset}? Heads in the scene stay as they are."
        return context.window_manager.invoke_confirm(
            self, event, title=self.bl_label, message=message, confirm_text="Remove"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.current().worker.close()  # it may hold what is removed
        assets = chosen_assets_directory(context)
        try:
            if any(asset.id == self.asset for asset in USER_ASSETS):
                remove_user_asset(user_asset(self.asset), assets)
            else:
                remove_model(self.asset, assets)
        except FaceDetailError as error:
            return report_error(self, error)
        redraw(context)
        return {"FINISHED"}


def _chosen(operator: bpy.types.Operator, kind: type[FaceDetailError]) -> Path:
    """The file or folder that was chosen."""
    path = Path(bpy.path.abspath(operator.filepath))
    if not operator.filepath or not path.exists():
        raise kind(f"{path} is not there.", "Choose the file again.")
    return path


def _installed(operator: bpy.types.Operator, path: Path) -> set[str]:
    operator.report({"INFO"}, f"{path.name} is installed in {path.parent}")
    return {"FINISHED"}
