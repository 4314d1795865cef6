# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of the user. Each function takes what it depends on, so that tests can use their own."""

from pathlib import Path

_RESULTS = "results"


def results_directory(chosen: str, user_folder: Path) -> Path:
    """Where result folders go: the folder chosen in the preferences, or one in the add-on's user folder."""
    return Path(chosen) if chosen else user_folder / _RESULTS


def user_folder(package: str) -> Path:
    """The add-on's own folder in Blender's user folder, which survives updates.

    Args:
        package: the name under which Blender loaded the add-on.
    """
    import bpy

    if package.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(package))
    return Path(bpy.utils.user_resource("DATAFILES", path=package))
