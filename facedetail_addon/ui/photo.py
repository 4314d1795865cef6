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


def draw_photo(
    layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, path: Path, faces: tuple[Path, ...] | None
) -> None:
    """The field for the photo, what is in it, and beside it the chosen one of its faces, where it shows several.

    Args:
        path: of the chosen photo.
        faces: their pictures; None where they are not known yet. Nothing below moves when they are.
    """
    layout.prop(settings, "photo", text="", placeholder="Photo of a face")
    if not settings.photo:
        return
    icon = thumbnail(path)
    if icon is None:
        layout.label(text=f"{path.name} is not there", icon="ERROR")
        return
    pictures = layout.row()
    photo = pictures.column(align=True)
    photo.template_icon(icon, scale=_SCALE)
    name = photo.row()
    name.alignment = "CENTER"
    if faces == ():
        name.label(text=f"No face in {path.name}", icon="ERROR")
    else:
        name.label(text=path.name)
    if faces and (len(faces) > 1 or settings.face > 1):
        face = pictures.column(align=True)
        face.template_icon_view(settings, "face_picture", show_labels=True, scale=_SCALE, scale_popup=_SCALE)
        number = face.row()
        number.alignment = "CENTER"
        number.label(text=f"Face {settings.face or 1} of {len(faces)}")
