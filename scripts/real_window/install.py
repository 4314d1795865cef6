# SPDX-License-Identifier: GPL-3.0-or-later
"""Install and enable the zip in Blender's user folder, as Install from Disk does, and keep that for the next start.

blender --background --python install.py -- ZIP
"""

import sys

import bpy

NAME = "bl_ext.user_default.facedetail"


def main(archive: str) -> None:
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True, overwrite=True
    )
    if NAME not in bpy.context.preferences.addons:
        raise RuntimeError(f"{archive} was not installed: see above")
    bpy.context.preferences.view.show_splash = False
    bpy.ops.wm.save_userpref()


if __name__ == "__main__":
    main(sys.argv[-1])
