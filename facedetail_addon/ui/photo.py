# SPDX-License-Identifier: GPL-3.0-or-later
"""The chosen photo in the panel: its field, a thumbnail and its name."""

from pathlib import Path

import bpy
import bpy.utils.previews

_SCALE = 6.0
"""Of the thumbnail, in heights of a row."""
_MANY = 16


class Thumbnails:
    """Of photos, from :func:`attach` to :func:`detach`; Blender reads each file in the background, when it is drawn."""

    previews: bpy.utils.previews.ImagePreviewCollection | None = None


def attach() -> None:
    """Make room for thumbnails."""
    Thumbnails.previews = bpy.utils.previews.new()


def detach() -> None:
    """Free them."""
    previews, Thumbnails.previews = Thumbnails.previews, None
    if previews is not None:
        bpy.utils.previews.remove(previews)


def thumbnail(path: Path) -> int | None:
    """The icon of a photo, read anew when the file changes; None where there is no such file."""
    try:
        key = f"{path} {path.stat().st_mtime_ns}"
    except (OSError, ValueError):  # no path at all, such as one with a null character
        return None
    if not path.is_file():
        return None
    previews = Thumbnails.previews
    if key not in previews:
        if len(previews) >= _MANY:
            previews.clear()
        previews.load(key, str(path), "IMAGE")
    return previews[key].icon_id


def draw_photo(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """The field for the photo, and what is in it."""
    layout.prop(settings, "photo", text="", placeholder="Photo of a face")
    if not settings.photo:
        return
    path = Path(bpy.path.abspath(settings.photo))
    icon = thumbnail(path)
    if icon is None:
        layout.label(text=f"{path.name} is not there", icon="ERROR")
        return
    picture = layout.column(align=True)
    picture.template_icon(icon, scale=_SCALE)
    name = picture.row()
    name.alignment = "CENTER"
    name.label(text=path.name)
