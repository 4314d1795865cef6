# SPDX-License-Identifier: GPL-3.0-or-later
"""A head and how its pictures are made in a Blender file of its own, for a second Blender that renders them."""

import json
from dataclasses import asdict
from pathlib import Path

import bpy
import numpy as np

from ...core.errors import OutputError
from ..head_object import LINKED_REMEDY, HeadObject
from ..relief.displacement import Relief
from .devices import Devices, chosen_devices, use_devices

_FILE = "head.blend"
_NOTE = "FaceDetail lookdev"
_ROOT = "root"
_PART, _DATA, _PAINTED, _COPY = "part {}", "data {}", "painted {}", "painted copy {}"


def write_head(folder: Path, head: HeadObject, relief: Relief) -> None:
    """Write a head, what hangs on it and all that they use, as they are in the open file, painted pictures included.

    Takes some hundredths of a second for each ten megabytes; pictures that were painted and not saved are copied first,
    which takes longer.

    Args:
        folder: an existing one, for this alone.
        head: any. relief: how it is shown.

    Raises:
        OutputError: the folder cannot be written to, or the head is linked: Blender writes such heads without their
            shape keys.
    """
    if head.linked_file is not None:
        raise OutputError(f"{head.root.name} is linked from {head.linked_file}.", LINKED_REMEDY)
    scene = bpy.context.scene
    note, copies = bpy.data.texts.new(_NOTE), []
    try:
        facts = {"relief": asdict(relief), "frame": scene.frame_current, "devices": asdict(chosen_devices(scene))}
        note.write(json.dumps(facts))
        note[_ROOT] = head.root
        for number, part in enumerate(head.objects):
            note[_PART.format(number)] = part
            if part.data is not None:  # else Blender finds the skin's mesh by its shape keys first, and says so
                note[_DATA.format(number)] = part.data
        for number, image in enumerate(_painted(head)):
            copies.append(_copy(image))
            note[_PAINTED.format(number)], note[_COPY.format(number)] = image, copies[-1]
        # The note is all that is asked for: it brings along what it names.
        bpy.data.libraries.write(str(folder / _FILE), {note}, path_remap="ABSOLUTE", fake_user=True)
    except (RuntimeError, OSError) as error:
        raise OutputError(
            f"The head cannot be written to {folder}: {error}.", "Make room for temporary files."
        ) from error
    finally:
        bpy.data.batch_remove([note, *copies])


def read_head(folder: Path) -> tuple[HeadObject, Relief]:
    """The head of :func:`write_head` and how it is shown. The open file is replaced; the scene renders as that one did.

    Raises:
        OutputError: there is no such file.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    try:
        with bpy.data.libraries.load(str(folder / _FILE)) as (there, wanted):
            wanted.texts = [name for name in there.texts if name.startswith(_NOTE)]
        (note,) = wanted.texts
        facts = json.loads(note.as_string())
        root = note[_ROOT]
        number = 0
        while _COPY.format(number) in note:
            note[_PAINTED.format(number)].user_remap(note[_COPY.format(number)])
            number += 1
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise OutputError(f"The head cannot be read from {folder}: {error}.", "Try again.") from error
    scene = bpy.context.scene
    scene.frame_current = facts["frame"]
    use_devices(scene, Devices(**facts["devices"]))
    return HeadObject(root), Relief(**facts["relief"])


def _copy(image: bpy.types.Image) -> bpy.types.Image:
    """A packed image with the pixels as they are; one that Blender copies would have those last saved."""
    width, height = image.size
    copy = bpy.data.images.new(image.name, width, height, alpha=True, float_buffer=image.is_float)
    copy.colorspace_settings.name, copy.alpha_mode = image.colorspace_settings.name, image.alpha_mode
    pixels = np.ones((width * height, 4), np.float32)
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    pixels[:, : image.channels] = flat.reshape(-1, image.channels)
    copy.pixels.foreach_set(pixels.ravel())
    copy.pack()
    return copy


def _painted(head: HeadObject) -> list[bpy.types.Image]:
    """Pictures of a head that were changed since they were saved or packed; the file would hold what they were."""
    found: set[bpy.types.Image] = set()
    for part in head.objects:
        for slot in part.material_slots:
            if slot.material is not None and slot.material.node_tree is not None:
                found |= _pictures(slot.material.node_tree)
        for modifier in part.modifiers:
            found.add(getattr(getattr(modifier, "texture", None), "image", None))
    return [image for image in found - {None} if image.is_dirty]


def _pictures(tree: bpy.types.NodeTree) -> set[bpy.types.Image]:
    found = {getattr(node, "image", None) for node in tree.nodes}
    return found.union(*(_pictures(node.node_tree) for node in tree.nodes if getattr(node, "node_tree", None)))
