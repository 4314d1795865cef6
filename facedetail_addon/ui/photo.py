# SPDX-License-Identifier: GPL-3.0-or-later
"""The chosen photo in the panel: its field, a thumbnail and its name."""

from pathlib import Path

import bpy

from .. import session

_SCALE = 6.0
"""Of the thumbnail, in heights of a row."""


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
    icon = session.current().thumbnails.icon(path)
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
