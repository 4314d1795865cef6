# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of the user and of packages. Each function takes what it depends on, so that tests can use their own."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_RESULTS = "results"


def results_directory(chosen: str, user_folder: Path) -> Path:
    """Where result folders go: the folder chosen in the preferences, or one in the add-on's user folder."""
    return Path(chosen) if chosen else user_folder / _RESULTS


def assets_directory(chosen: str, user_folder: Path) -> Path:
    """Where Blender keeps imported face models and weights: the folder chosen, or the add-on's user folder."""
    return Path(chosen) if chosen else user_folder


def user_assets_directory(platform: str = sys.platform, environment: Mapping[str, str] = os.environ) -> Path:
    """Where face models and weights go that are imported outside of Blender."""
    home = Path.home()
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "FaceDetail"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "FaceDetail"
    return Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share") / "facedetail"


def user_folder(package: str) -> Path:
    """The add-on's own folder in Blender's user folder, which survives updates.

    Args:
        package: the name under which Blender loaded the add-on.
    """
    import bpy

    if package.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(package))
    return Path(bpy.utils.user_resource("DATAFILES", path=package))


def site_directories(paths: list[str]) -> list[str]:
    """Those of a Python's search paths that hold installed packages, an extension's own among them."""
    return [path for path in paths if Path(path).name in ("site-packages", "dist-packages")]
