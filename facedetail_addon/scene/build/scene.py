# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction becomes objects: one collection with head, camera and photo."""

import uuid
from collections.abc import Generator
from pathlib import Path

import bpy

from ...core.detail.types import EXPRESSION_GROUPS
from ...core.errors import OutputError
from ...core.face_model.model import FaceModel
from ...core.rendering.stage import LightStage
from ...core.result.pictures import Pictures, decode_share, encode_pictures
from ...core.result.record import HeadRecord, Reconstruction
from ...names import (
    CAMERA_PART,
    COLLECTION_PREFIX,
    EMOTION_PROBABILITY_PROPERTY,
    EMOTION_PROPERTY,
    HEAD_LIGHT_PROPERTY,
    HEAD_STAGE_PROPERTY,
    PHOTO_EXPRESSION_PROPERTY,
    PHOTO_SIZE_PROPERTY,
    ROOT_PART,
    SKIN_PART,
    UNITS_PROPERTY,
    WORLD_LIGHT,
)
from ..camera import look_through, make_camera, show_photo
from ..head_object import HeadObject
from ..images import packed_file, packed_map
from ..ownership import mark
from ..relief.displacement import add_relief
from ..relief.nodes import ReliefImages
from ..relief.order import pin_last
from ..rollback import undone_on_failure
from ..shape import HeadShape, expression_values
from ..steps import run_through
from ..units import remember_size, units_per_metre
from .eyes import color_eye
from .head import head_steps
from .light import light_scene
from .material import SkinImages
from .place import place_beside_others
from .stem import name_stem

_ROOT_SIZE_M = 0.05


def build_scene(
    reconstruction: Reconstruction,
    model: FaceModel,
    *,
    scene: bpy.types.Scene | None = None,
    **choices: object,
) -> HeadObject:
    """Encode the maps, and run :func:`build_steps` through; its arguments, errors and result."""
    record = reconstruction.record
    _check(record, model)
    more = [observation.pixels for observation in record.observations[1:]]
    return run_through(build_steps(record, model, encode_pictures(reconstruction.maps, more), scene=scene, **choices))


def build_steps(
    record: HeadRecord,
    model: FaceModel,
    pictures: Pictures,
    *,
    scene: bpy.types.Scene | None = None,
    use_camera: bool = True,
    use_light: bool = True,
    light: str = WORLD_LIGHT,
) -> Generator[None, None, HeadObject]:
    """Build the head in real size, the photo's camera, light and materials, in a collection of their own.

    An empty, the first object of the collection, is the parent of everything, the camera too: moving it moves the
    head and keeps it on the photo. It stands at the 3D cursor, beside the heads that are there, and carries the
    photo's emotion as custom properties. The skin's shape keys hold the
    photo's expression; all at zero is the neutral face. Albedo and light are apart, and together show the photo. The
    skin's relief is shown as ``Relief()`` says; ``set_relief`` changes it.

    Args:
        record: of a reconstruction.
        model: the face model it was made with.
        pictures: its maps, encoded.
        scene: the scene to build in, the current one by default.
        use_camera: make the photo's camera the scene's, and the photo's size the render's.
        use_light: make the photo's light the scene's world, and the view transform Standard.
        light: with ``use_light``, what it is there: a world, a world and a sun lamp, or a light stage.

    Yields:
        between steps of some milliseconds, so that Blender's window stays alive. Nothing shows before the last one;
        nobody may undo or load a file in between. Closing the generator removes what was made.

    Returns:
        the head; its collection is linked to the scene.

    Raises:
        OutputError: the reconstruction does not belong to the model, or the scene to another file. Whatever goes
            wrong, everything made so far is removed and the scene's settings are given back.
    """
    scene = scene or bpy.context.scene
    _check(record, model)
    check_scene(scene)
    stem = name_stem(Path(record.observation.photo_name).stem, model)
    with undone_on_failure(scene):
        collection = bpy.data.collections.new(f"{COLLECTION_PREFIX} {stem}")
        head = yield from _build(stem, record, model, pictures, collection, units_per_metre(scene))
        place_beside_others(head, scene)
        if use_camera:
            look_through(scene, head.camera, record.pose.perspective.image_size)
        if use_light:
            light_scene(scene, head, light)
        scene.collection.children.link(collection)
        return head


def check_scene(scene: bpy.types.Scene) -> None:
    """Raises OutputError where nothing can be added to a scene."""
    if scene.library is not None:
        raise OutputError(
            f"The scene {scene.name} is linked from {scene.library.filepath}: nothing can be added to it here.",
            "Switch to a scene of this file, or open the other file.",
        )


def _build(
    stem: str,
    record: HeadRecord,
    model: FaceModel,
    pictures: Pictures,
    collection: bpy.types.Collection,
    units: float,
) -> Generator[None, None, HeadObject]:
    head_id = uuid.uuid4().hex
    images = _skin_images(stem, pictures)
    root = bpy.data.objects.new(f"{stem} {ROOT_PART}", None)
    root.empty_display_size = _ROOT_SIZE_M
    mark(root, head_id, ROOT_PART)
    collection.objects.link(root)
    camera = make_camera(f"{stem} {CAMERA_PART}", record.pose.perspective, units)
    show_photo(camera, packed_map(stem, pictures, "photo"))
    cameras = {CAMERA_PART: camera, **_more_cameras(stem, record, pictures, units)}
    for made, pose in zip(cameras.values(), record.fit.poses, strict=False):
        made[PHOTO_EXPRESSION_PROPERTY] = expression_values(model, pose.beta)
        made[PHOTO_SIZE_PROPERTY] = list(pose.perspective.image_size)
    yield
    parts = yield from head_steps(stem, model, _shape(record), images)
    for part in model.eyes.values():
        color_eye(stem, part.name, parts[part.name], record.eyes)
        yield
    root.scale = (units,) * 3
    for item in (root, parts[SKIN_PART]):  # the empty may be deleted
        _remember(item, record, units)
    for part in parts.values():
        remember_size(part)
    for name, made in {**parts, **cameras}.items():
        mark(made, head_id, name)
        made.parent = root
        collection.objects.link(made)
    yield
    head = HeadObject(root)
    head.set_notices([notice.message for notice in record.notices])
    if pictures.has_relief:
        shares = {name: decode_share(pictures, f"expression_{name}") for name in EXPRESSION_GROUPS}
        add_relief(head, model, _relief_images(stem, pictures), shares)
    for part in parts.values():
        pin_last(part)
    yield
    return head


def _remember(item: bpy.types.Object, record: HeadRecord, units: float) -> None:
    """Note on an object what was found in the photo, and how many units of the scene a metre is."""
    item[UNITS_PROPERTY] = units
    item[EMOTION_PROPERTY] = record.observation.emotion.name
    item[EMOTION_PROBABILITY_PROPERTY] = record.observation.emotion.probability
    item[HEAD_LIGHT_PROPERTY] = record.light.radiance.ravel().tolist()
    if record.light.stage is not None:
        item[HEAD_STAGE_PROPERTY] = _stage_values(record.light.stage)


def _more_cameras(stem: str, record: HeadRecord, pictures: Pictures, units: float) -> dict[str, bpy.types.Object]:
    """Of other photos of the person, each before its photo, by the names of their parts."""
    made = {}
    for number, (pose, photo) in enumerate(zip(record.fit.poses[1:], pictures.more_photos, strict=False), 2):
        name = f"{CAMERA_PART} {number}"
        made[name] = make_camera(f"{stem} {name}", pose.perspective, units)
        show_photo(made[name], packed_file(f"{stem} photo {number}", photo))
    return made


def _stage_values(stage: LightStage) -> list[float]:
    return [*stage.radiance.ravel().tolist(), *stage.ambient.tolist()]


def _shape(record: HeadRecord) -> HeadShape:
    return HeadShape(record.fit.vertices_neutral, record.pose.vertices, record.pose.beta)


def _skin_images(stem: str, pictures: Pictures) -> SkinImages:
    return SkinImages(
        packed_map(stem, pictures, "albedo"),
        packed_map(stem, pictures, "roughness"),
        packed_map(stem, pictures, "specular"),
    )


def _relief_images(stem: str, pictures: Pictures) -> ReliefImages:
    return ReliefImages(
        medium=packed_map(stem, pictures, "displacement_medium"),
        fine=packed_map(stem, pictures, "displacement_fine"),
        normal=packed_map(stem, pictures, "normal"),
        normal_fine=packed_map(stem, pictures, "normal_fine"),
        unseen=packed_map(stem, pictures, "displacement_unseen") if pictures.has_unseen else None,
        normal_unseen=packed_map(stem, pictures, "normal_unseen") if pictures.has_unseen else None,
    )


def _check(record: HeadRecord, model: FaceModel) -> None:
    if record.expression_names != model.expression_names or not _shape(record).fits(model):
        raise OutputError(
            f"{record.observation.photo_name} was reconstructed with another face model than {model.name}.",
            "Reconstruct the photo again with this version.",
        )
