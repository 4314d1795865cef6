# SPDX-License-Identifier: GPL-3.0-or-later
"""A head in a Blender file that follows pins: what it remembers of them, its new shape, and its new skin."""

from collections.abc import Generator, Iterator
from pathlib import Path

import bpy

from ..core.detail.types import EXPRESSION_GROUPS
from ..core.errors import FaceDetailError, OutputError
from ..core.face_model.model import FaceModel
from ..core.fit.types import HeadFit
from ..core.result.files import RECORD_FILE
from ..core.result.pictures import Pictures, decode_share
from ..core.result.record import HeadRecord, result_key
from ..names import (
    HEAD_LIGHT_PROPERTY,
    HEAD_STAGE_PROPERTY,
    PHOTO_EXPRESSION_PROPERTY,
    PINS_PROPERTY,
    RESULT_KEY_PROPERTY,
    RESULT_PROPERTY,
    STALE_PROPERTY,
)
from .camera import camera_matrix, check_lens, set_lens
from .frames import set_in_frame
from .head_object import HeadObject
from .images import is_painted, map_of, repack
from .relief.wrinkles import update_wrinkles
from .shape import HeadShape, expression_values
from .units import units_of

_RECONSTRUCT = "Reconstruct the photo again."
_SAME_VALUE = 1e-4


def remember_result(head: HeadObject, folder: str, record: HeadRecord) -> None:
    """Note on a head where its result lies, and what was pinned there.

    Args:
        folder: as Blender writes paths, ``//`` for the folder of the file itself.
    """
    for item in _rememberers(head):
        item[RESULT_PROPERTY], item[RESULT_KEY_PROPERTY] = folder, result_key(record)


def result_folder_of(head: HeadObject) -> Path:
    """Where the head's result lies.

    Raises:
        OutputError: the head does not know, or there is none any more.
    """
    noted = head.root.get(RESULT_PROPERTY)
    if not isinstance(noted, str) or not noted:
        raise OutputError(f"{head.root.name} does not know its result folder: it is from an older file.", _RECONSTRUCT)
    folder = Path(bpy.path.abspath(noted))
    if not (folder / RECORD_FILE).is_file():
        raise OutputError(
            f"The result folder of {head.root.name}, {folder}, is not there any more.",
            f"Put it back there, or reconstruct the photo again. What you have pinned stays with {head.root.name}.",
        )
    return folder


def noted_key(head: HeadObject) -> str:
    """By what the head's result is known; empty where it does not know."""
    noted = head.root.get(RESULT_KEY_PROPERTY)
    return noted if isinstance(noted, str) else ""


def pins_of(head: HeadObject) -> str:
    """What was pinned on a head, as ``pins.json`` has it; empty where nothing was, or the artist has removed it."""
    noted = head.root.get(PINS_PROPERTY)
    return noted if isinstance(noted, str) else ""


def remember_pins(head: HeadObject, pins: str, *, stale: bool) -> None:
    """Note on a head what was pinned, and whether its skin is of the head before."""
    for item in _rememberers(head):
        item[PINS_PROPERTY], item[STALE_PROPERTY] = pins, stale


def is_stale(head: HeadObject) -> bool:
    """Whether light, textures and relief are of the head as it was before its pins were moved."""
    return bool(head.root.get(STALE_PROPERTY, False))


def follow_steps(head: HeadObject, model: FaceModel, fit: HeadFit) -> Generator[None, None, None]:
    """Give a head another shape, expression and views in place, pausing between short steps.

    What the artist has done stays: sliders that are not at the photo's values, keyframes, shape keys, materials.

    Raises:
        OutputError: as of :meth:`HeadObject.pose_steps`; nothing has changed then.
    """
    for pose in fit.poses:
        check_lens(pose.perspective)
    own = _own_values(head)
    shape = HeadShape(fit.vertices_neutral, fit.pose.vertices, fit.pose.beta)
    yield from head.pose_steps(model, shape, fit.pose.perspective)
    keys = head.keys
    for name, value in own.items():
        if keys is not None and name in keys.key_blocks:
            keys.key_blocks[name].value = value
    yield
    for camera, pose in zip(head.photo_cameras, fit.poses, strict=False):
        camera[PHOTO_EXPRESSION_PROPERTY] = expression_values(model, pose.beta)
        if camera != head.camera:
            set_lens(camera.data, pose.perspective, units_of(head.root))
            set_in_frame(camera, head.root, camera_matrix(pose.perspective))
    yield


def skin_steps(
    head: HeadObject, model: FaceModel, record: HeadRecord, pictures: Pictures, *, keep_painted: bool
) -> Generator[None, None, tuple[str, ...]]:
    """Give a head other maps, light and warnings in place, pausing between short steps.

    Args:
        keep_painted: maps that the artist has painted on stay.

    Returns:
        names of the images that stayed.
    """
    kept = []
    for image in list(images_of(head)):
        name = map_of(image)
        if name in pictures.files and name != "photo":
            if keep_painted and is_painted(image):
                kept.append(image.name)
            else:
                repack(image, name, pictures.files[name])
            yield
    skin = head.skin
    if skin is not None and pictures.has_relief:
        shares = {name: decode_share(pictures, f"expression_{name}") for name in EXPRESSION_GROUPS}
        update_wrinkles(skin, model, shares)
    yield
    for item in _rememberers(head):
        item[HEAD_LIGHT_PROPERTY] = record.light.radiance.ravel().tolist()
        if record.light.stage is not None:
            stage = record.light.stage
            item[HEAD_STAGE_PROPERTY] = [*stage.radiance.ravel().tolist(), *stage.ambient.ravel().tolist()]
    head.set_notices([notice.message for notice in record.notices])
    return tuple(kept)


def images_of(head: HeadObject) -> Iterator[bpy.types.Image]:
    """The images that a head's materials, modifiers and cameras show, each once."""
    seen = set()
    for image in _shown_images(head):
        if image is not None and image not in seen:
            seen.add(image)
            yield image


def _shown_images(head: HeadObject) -> Iterator[bpy.types.Image | None]:
    for part in head.parts.values():
        for slot in part.material_slots:
            if slot.material is not None and slot.material.node_tree is not None:
                yield from _node_images(slot.material.node_tree, set())
        for modifier in part.modifiers:
            yield getattr(getattr(modifier, "texture", None), "image", None)
    for camera in head.cameras:
        for background in camera.data.background_images:
            yield background.image


def _node_images(tree: bpy.types.NodeTree, seen: set) -> Iterator[bpy.types.Image | None]:
    if tree in seen:
        return
    seen.add(tree)
    for node in tree.nodes:
        if node.type == "TEX_IMAGE":
            yield node.image
        elif node.type == "GROUP" and node.node_tree is not None:
            yield from _node_images(node.node_tree, seen)


def _own_values(head: HeadObject) -> dict[str, float]:
    """Sliders that the artist has set to other than the photo's values."""
    keys, photo = head.keys, head.photo_expression
    if keys is None:
        return {}
    return {
        name: keys.key_blocks[name].value
        for name, value in photo.items()
        if name in keys.key_blocks and abs(keys.key_blocks[name].value - value) > _SAME_VALUE
    }


def _rememberers(head: HeadObject) -> set[bpy.types.Object]:
    """Its empty and its skin, for the empty may be deleted."""
    return {head.root, head.skin} - {None}


def require_editable(head: HeadObject) -> None:
    """Raises FaceDetailError where a head has lost what editing its fit needs."""
    if head.linked_file is not None:
        raise OutputError(f"{head.root.name} is linked from {head.linked_file}.", "Make it local first.")
    if head.losses:
        raise FaceDetailError(head.losses[0], "Undo, or reconstruct the photo again.")
    if head.camera is None:
        raise FaceDetailError(f"The camera of {head.root.name} has been removed.", "Undo, or reconstruct it again.")
