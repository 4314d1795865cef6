# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape keys as formats know them: offsets from the mesh at rest, each with a value, and nothing that limits them."""

import bpy
import numpy as np

from ...names import LIMIT_KEY


def plain_keys(original: bpy.types.Object, made: bpy.types.Object) -> None:
    """Bake the shape keys of a copy as Blender shows them, and give them the values that the original shows.

    A key that a vertex group limits, or that is relative to another key, becomes the offset that it shows by itself.
    Keys that Blender takes one after the other (*Relative* switched off) become the shape that they show now.

    Args:
        original: with a mesh. made: another object with a copy of that mesh.
    """
    keys = made.data.shape_keys
    if keys is None:
        return
    keys.animation_data_clear()
    if not keys.use_relative:
        points = _mix(made)
        made.shape_key_clear()
        made.data.vertices.foreach_set("co", points.ravel())
        return
    values = {key.name: _shown_value(original.data.shape_keys, key) for key in original.data.shape_keys.key_blocks}
    _drop_limit(made, values)
    _bake(made)
    for key in keys.key_blocks[1:]:
        key.value = values[key.name]


def _drop_limit(made: bpy.types.Object, values: dict[str, float]) -> None:
    """Other programs know no driver: what limits mouthClose in Blender goes into its value."""
    limit = made.data.shape_keys.key_blocks.get(LIMIT_KEY)
    if limit is not None:
        if "mouthClose" in values:
            values["mouthClose"] -= values[LIMIT_KEY]
        made.shape_key_remove(limit)


def _bake(made: bpy.types.Object) -> None:
    keys = made.data.shape_keys
    rest = keys.reference_key
    limited = [key for key in keys.key_blocks if key != rest and (key.vertex_group or key.relative_key != rest)]
    if not limited:
        return
    for key in keys.key_blocks:
        key.slider_min, key.slider_max = min(key.slider_min, 0.0), max(key.slider_max, 1.0)
        key.value = 0.0
    baked = []
    for key in limited:
        muted, key.mute, key.value = key.mute, False, 1.0
        baked.append(_mix(made))
        key.mute, key.value = muted, 0.0
    for key, points in zip(limited, baked, strict=True):  # now, since keys are relative to each other
        key.points.foreach_set("co", points.ravel())
        key.relative_key, key.vertex_group = rest, ""


def _mix(made: bpy.types.Object) -> np.ndarray:
    """(N, 3) float32 m, of all shape keys together."""
    key = made.shape_key_add(name="mix", from_mix=True)
    points = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", points)
    made.shape_key_remove(key)
    return points.reshape(-1, 3)


def _shown_value(keys: bpy.types.Key, key: bpy.types.ShapeKey) -> float:
    """Of a key; of one that follows another key that one's: Blender evaluates nothing that is hidden."""
    if key.mute:
        return 0.0
    curves = keys.animation_data.drivers if keys.animation_data is not None else ()
    path = f'key_blocks["{bpy.utils.escape_identifier(key.name)}"].value'
    driver = next((curve.driver for curve in curves if curve.data_path == path and not curve.mute), None)
    if driver is None or driver.type != "SUM" or len(driver.variables) != 1:
        return key.value
    target = driver.variables[0].targets[0]
    if not isinstance(target.id, bpy.types.Key):
        return key.value
    try:
        return float(target.id.path_resolve(target.data_path))
    except ValueError:  # the artist has removed or renamed it
        return key.value
