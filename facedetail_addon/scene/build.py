# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction becomes objects: one collection with head, camera and photo."""

from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import bpy

from ..core.errors import OutputError
from ..core.face_model.model import FaceModel
from ..core.result.pictures import Pictures, encode_pictures
from ..core.result.record import HeadRecord, Reconstruction
from ..names import (
    CAMERA_SUFFIX,
    COLLECTION_PREFIX,
    EMOTION_PROBABILITY_PROPERTY,
    EMOTION_PROPERTY,
    HEAD_LIGHT_PROPERTY,
    HEAD_SUFFIX,
)
from .camera import look_through, make_camera, show_photo
from .displacement import add_relief
from .eye_material import color_eyes
from .head import Pose, head_steps
from .images import packed_map
from .light import light_scene
from .material import SkinImages
from .render import head_camera
from .rollback import undone_on_failure

_ROOT_SIZE_M = 0.05

Result = TypeVar("Result")


def build_scene(
    reconstruction: Reconstruction,
    model: FaceModel,
    *,
    scene: bpy.types.Scene | None = None,
    **choices: object,
) -> bpy.types.Collection:
    """Encode the maps, and run :func:`build_steps` through; its arguments, errors and result."""
    record = reconstruction.record
    _check(record, model)
    return run_through(build_steps(record, model, encode_pictures(reconstruction.maps), scene=scene, **choices))


def run_through(steps: Generator[object, None, Result]) -> Result:
    """What a generator returns in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def build_steps(
    record: HeadRecord,
    model: FaceModel,
    pictures: Pictures,
    *,
    scene: bpy.types.Scene | None = None,
    use_camera: bool = True,
    use_light: bool = True,
    use_sun: bool = False,
) -> Generator[None, None, bpy.types.Collection]:
    """Build the head in real size (metres), the photo's camera, light and materials, in a collection of their own.

    An empty, the first object of the collection, is the parent of everything, the camera too: moving it moves the
    head and keeps it on the photo. It carries the photo's emotion as custom properties. The skin's shape keys hold the
    photo's expression; all at zero is the neutral face. Albedo and light are apart, and together show the photo. The
    skin's relief is shown as ``displacement.Relief()`` says; ``displacement.set_relief`` changes it.

    Args:
        record: of a reconstruction.
        model: the face model it was made with.
        pictures: its maps, encoded.
        scene: the scene to build in, the current one by default.
        use_camera: make the photo's camera the scene's, and the photo's size the render's.
        use_light: make the photo's light the scene's world, and the view transform Standard.
        use_sun: with ``use_light``, make the strongest direction of the light a sun lamp instead.

    Yields:
        between steps of some milliseconds, so that Blender's window stays alive. Nothing shows before the last one;
        nobody may undo or load a file in between. Closing the generator removes what was made.

    Returns:
        the new collection, linked to the scene.

    Raises:
        OutputError: the reconstruction does not belong to the model. Whatever goes wrong, everything made so far is
            removed and the scene's settings are given back.
    """
    scene = scene or bpy.context.scene
    _check(record, model)
    stem = Path(record.observation.photo_name).stem
    with undone_on_failure(scene):
        collection = yield from _build(record, model, pictures)
        if use_camera:
            look_through(scene, head_camera(collection), record.pose.perspective.image_size)
        if use_light:
            light_scene(scene, collection, stem, record.light.radiance, use_sun)
        scene.collection.children.link(collection)
        return collection


def select_head(collection: bpy.types.Collection, view_layer: bpy.types.ViewLayer) -> None:
    """Select the head's skin only and make it active, so that its shape keys are at hand."""
    for item in view_layer.objects.selected:
        item.select_set(False, view_layer=view_layer)
    skin = next(item for item in collection.objects if item.type == "MESH")
    skin.select_set(True, view_layer=view_layer)
    view_layer.objects.active = skin


def _build(record: HeadRecord, model: FaceModel, pictures: Pictures) -> Generator[None, None, bpy.types.Collection]:
    stem = Path(record.observation.photo_name).stem
    collection = bpy.data.collections.new(f"{COLLECTION_PREFIX} {stem}")
    images = SkinImages(
        packed_map(stem, pictures, "albedo"),
        packed_map(stem, pictures, "roughness"),
        packed_map(stem, pictures, "specular"),
    )
    root = bpy.data.objects.new(f"{stem} {HEAD_SUFFIX}", None)
    root.empty_display_size = _ROOT_SIZE_M
    root[EMOTION_PROPERTY] = record.observation.emotion.name
    root[EMOTION_PROBABILITY_PROPERTY] = record.observation.emotion.probability
    root[HEAD_LIGHT_PROPERTY] = record.light.radiance.ravel().tolist()
    camera = make_camera(f"{stem} {CAMERA_SUFFIX}", record.pose.perspective)
    show_photo(camera, packed_map(stem, pictures, "photo"))
    pose = Pose(record.fit.vertices_neutral, record.pose.vertices, record.pose.beta)
    yield
    parts = yield from head_steps(stem, model, pose, images)
    color_eyes(parts, record.eyes)
    collection.objects.link(root)
    for made in (*parts, camera):
        made.parent = root
        collection.objects.link(made)
    yield
    add_relief(stem, root, parts[0], model, pictures)
    yield
    return collection


def _check(record: HeadRecord, model: FaceModel) -> None:
    same = (
        record.expression_names == model.expression_names
        and record.pose.vertices.shape == record.fit.vertices_neutral.shape == model.mean.shape
        and record.pose.beta.shape == (len(model.expression_names),)
    )
    if not same:
        raise OutputError(
            f"{record.observation.photo_name} was reconstructed with another face model than {model.name}.",
            "Reconstruct the photo again with this version.",
        )
