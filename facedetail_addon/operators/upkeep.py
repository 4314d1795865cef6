# SPDX-License-Identifier: GPL-3.0-or-later
"""What heads need after commands of Blender's own, which tell nobody but through a handler."""

import bpy

from ..names import SIZE_PROPERTY
from ..scene.relief.displacement import follow_applied_scale


@bpy.app.handlers.persistent
def _scene_has_changed(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Applying a scale changes an object's transform and its mesh at once; nothing else is looked at.

    Blender calls it after changes, not in playback.
    """
    changed = [update.id for update in depsgraph.updates if update.is_updated_transform and update.is_updated_geometry]
    for item in changed:
        if isinstance(item, bpy.types.Object) and SIZE_PROPERTY in item and item.type == "MESH":
            original = item.original
            if original.mode == "OBJECT" and original.is_editable:
                follow_applied_scale(original)


def attach() -> None:
    """Begin, with the add-on."""
    bpy.app.handlers.depsgraph_update_post.append(_scene_has_changed)


def detach() -> None:
    """End."""
    bpy.app.handlers.depsgraph_update_post.remove(_scene_has_changed)
