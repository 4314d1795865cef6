# SPDX-License-Identifier: GPL-3.0-or-later
"""A head in a Blender file: which one an object belongs to, what there is of it, and another pose for it."""

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..core.errors import OutputError
from ..core.face_model.model import FaceModel
from ..core.geometry.camera import PerspectiveCamera
from ..core.rendering.stage import COUNT, LightStage
from ..names import (
    CAMERA_PART,
    EMOTION_PROBABILITY_PROPERTY,
    EMOTION_PROPERTY,
    FINE_LEVEL_PROPERTY,
    HEAD_LIGHT_PROPERTY,
    HEAD_STAGE_PROPERTY,
    NOTICES_PROPERTY,
    PHOTO_EXPRESSION_PROPERTY,
    RELIEF_PROPERTY,
    SKIN_PART,
    SOCKET_ATTRIBUTE,
)
from .camera import camera_matrix, check_lens, set_lens
from .frames import set_in_frame
from .ownership import is_root, number_in, part_of, root_of
from .pose import fits_meshes, shape_steps
from .shape import HeadShape
from .steps import run_through
from .units import units_of

LINKED_REMEDY = "Change it in that file, or make it this file's: Object, Relations, Make Local, All."
_REMEDY = "Reconstruct the photo again."


@dataclass(frozen=True)
class HeadObject:
    """A head, known by its root: an empty that carries its parts and remembers what was found in the photo.

    ``ownership.py`` says which objects belong to it. Its skin remembers the same, and is its root where the artist has
    deleted the empty. Nothing is kept here: every question looks at the file as it is.

    Attributes:
        root: the empty, or the skin where there is none any more.
    """

    root: bpy.types.Object

    @classmethod
    def of(cls, item: bpy.types.Object | None) -> "HeadObject | None":
        """The head that an object belongs to, be it root, part, camera, lamp, or something the artist hung on one."""
        root = None if item is None else root_of(item)
        return None if root is None else cls(root)

    @classmethod
    def moved_by(cls, rig: bpy.types.Object | None) -> "HeadObject | None":
        """The only head that hangs on an armature or is deformed by it, as after Ctrl P."""
        if rig is None or rig.type != "ARMATURE":
            return None  # panels ask at every drawing, and this asks all objects
        roots = {root_of(item) for item in bpy.data.objects if _is_moved_by(item, rig)}
        roots.discard(None)
        return cls(roots.pop()) if len(roots) == 1 else None

    @classmethod
    def named(cls, root_name: str) -> "HeadObject":
        """The head whose root has a name.

        Raises:
            OutputError: it is gone.
        """
        objects = bpy.data.objects
        root = objects.get((root_name, None)) or objects.get(root_name)  # this file's before those of other files
        if root is None:
            raise OutputError(f"The head {root_name} is not there any more.", "Select a head and try again.")
        return cls(root)

    @property
    def objects(self) -> tuple[bpy.types.Object, ...]:
        """All that belongs to it but its empty: parts, cameras, lamps, and what the artist has hung on any of them."""
        return tuple(item for item in bpy.data.objects if not is_root(item) and root_of(item) == self.root)

    @property
    def parts(self) -> dict[str, bpy.types.Object]:
        """Its meshes by the names of the face model's parts; of two duplicates of a part the first.

        Where nothing is marked the last words of their names count, so things that the artist has hung on it have some.
        """
        meshes = [item for item in self.objects if item.type == "MESH"]
        found: dict[str, bpy.types.Object] = {}
        for name_of in (part_of,) if any(map(part_of, meshes)) else (_mesh_name, _object_name):
            for item in meshes:
                found.setdefault(name_of(item), item)
        found.pop("", None)
        skin = self.skin
        return found if skin is None else {**found, SKIN_PART: skin}

    @property
    def skin(self) -> bpy.types.Object | None:
        """The mesh whose shape keys the other parts follow; None where the artist has removed it."""
        meshes = [item for item in self.objects if item.type == "MESH"]
        best = max(map(_skin_evidence, meshes), default=())
        if not any(best):
            return None
        skins = [item for item in meshes if _skin_evidence(item) == best]
        followed = _followed_keys(meshes) if len(skins) > 1 else set()
        return next((item for item in skins if item.data.shape_keys in followed), skins[0])

    @property
    def cameras(self) -> tuple[bpy.types.Object, ...]:
        """Its cameras, those of its photos first."""
        found = [item for item in self.objects if item.type == "CAMERA"]
        return tuple(sorted(found, key=_camera_evidence, reverse=True))

    @property
    def camera(self) -> bpy.types.Object | None:
        """The photo's camera; None where the artist has removed it."""
        return next(iter(self.cameras), None)

    @property
    def photo_cameras(self) -> tuple[bpy.types.Object, ...]:
        """Those of its photos, in their order, as far as they are still there."""
        numbers = {camera: _photo_number(camera) for camera in self.cameras}
        found = [camera for camera, number in numbers.items() if number is not None]
        return tuple(sorted(found, key=lambda camera: (numbers[camera], camera.name)))

    @property
    def collection(self) -> bpy.types.Collection | None:
        """The collection that it is in; of several the one that has its skin, too."""
        there, skin = self.root.users_collection, self.skin
        return next((one for one in there if skin is not None and skin in one.objects[:]), next(iter(there), None))

    @property
    def keys(self) -> bpy.types.Key | None:
        """The shape keys that move it, its skin's; None where there are none any more."""
        skin = self.skin
        return None if skin is None else skin.data.shape_keys

    @property
    def emotion(self) -> tuple[str, float] | None:
        """The emotion found in the photo, a word, and its probability; None where the artist has changed them."""
        emotion, probability = self.root.get(EMOTION_PROPERTY), self.root.get(EMOTION_PROBABILITY_PROPERTY)
        known = isinstance(emotion, str) and isinstance(probability, float)
        return (emotion, probability) if known else None

    @property
    def photo_expression(self) -> dict[str, float]:
        """The photo's expression weights by the sliders' names; empty where they are not known."""
        keys = self.keys
        return {} if keys is None else _noted_values(keys)

    @property
    def notices(self) -> tuple[str, ...]:
        """Warnings of its reconstruction that the artist has not dismissed."""
        noted = self.root.get(NOTICES_PROPERTY)
        return tuple(noted.splitlines()) if isinstance(noted, str) else ()

    def set_notices(self, messages: Sequence[str]) -> None:
        """Keep other warnings, none where there are none."""
        for item in {self.root, self.skin} - {None}:
            item[NOTICES_PROPERTY] = "\n".join(" ".join(message.split()) for message in messages)

    @property
    def radiance(self) -> np.ndarray:
        """(B², 3) float32 spherical harmonics of the photo's light, head frame.

        Raises:
            OutputError: the artist has written over it.
        """
        try:
            radiance = np.array(self.root[HEAD_LIGHT_PROPERTY], np.float32).reshape(-1, 3)
        except (KeyError, TypeError, ValueError) as error:
            raise OutputError("The head does not remember its photo's light.", _REMEDY) from error
        bands = round(len(radiance) ** 0.5)
        if bands < 1 or bands**2 != len(radiance) or not np.isfinite(radiance).all():
            raise OutputError("The head does not remember its photo's light.", _REMEDY)
        return radiance

    @property
    def light_stage(self) -> LightStage | None:
        """The photo's light as lamps; None where it was not estimated, or the artist has written over it."""
        try:
            values = np.array(self.root[HEAD_STAGE_PROPERTY], np.float32).reshape(COUNT + 1, 3)
        except (KeyError, TypeError, ValueError):
            return None
        if not (np.isfinite(values).all() and values.min() >= 0):
            return None
        return LightStage(values[:COUNT], values[COUNT])

    @property
    def relief_settings(self) -> bpy.types.PropertyGroup | None:
        """The sliders of its relief; None where the add-on is not switched on."""
        return getattr(self.root, RELIEF_PROPERTY, None)

    @property
    def linked_file(self) -> str | None:
        """The file that it, or what shows its expression and relief, is linked from; None for a head of this file.

        What is changed on it is gone when the file is opened again; a library override keeps little more.
        """
        skin = self.skin
        materials = () if skin is None else (slot.material for slot in skin.material_slots)
        for item in (self.root, skin, None if skin is None else skin.data, self.keys, *materials):
            source = item
            if item is not None and item.override_library is not None:
                source = item.override_library.reference
            if source is not None and source.library is not None:
                return source.library.filepath
        return None

    @property
    def losses(self) -> tuple[str, ...]:
        """What editing has taken from it that buttons need, each with its remedy; empty for most."""
        skin = self.skin
        if skin is None:
            return ("The skin of this head is not there any more: undo, or reconstruct the photo again.",)
        others = [item.name for item in self.objects if item != skin and part_of(item) == SKIN_PART]
        return (
            *_mesh_losses(skin.data),
            *(f"{name} was made from the skin, and has sliders of its own: Ctrl J joins it again." for name in others),
        )

    @property
    def keeps_expression(self) -> bool:
        """Whether its sliders keep what they are set to: those of this file and of an override of the skin's mesh."""
        return self.keys is not None and self.keys.is_editable

    def select(self, view_layer: bpy.types.ViewLayer) -> None:
        """Select its skin only and make it active, so that its shape keys can be edited."""
        for item in view_layer.objects.selected:
            item.select_set(False, view_layer=view_layer)
        skin = self.skin
        skin.select_set(True, view_layer=view_layer)
        view_layer.objects.active = skin

    def set_photo_expression(self, share: float, camera: bpy.types.Object | None = None) -> None:
        """Set the sliders to the photo's expression; those that the artist has added stay as they are.

        Args:
            share: 1 for the photo's, 0 for the neutral face. camera: of another photo of the person.
        """
        values = self.photo_expression if camera is None else _noted_values(camera)
        for name, value in values.items():
            key = self.keys.key_blocks.get(name)
            if key is not None:
                key.value = share * value

    def set_pose(self, model: FaceModel, shape: HeadShape, camera: PerspectiveCamera) -> None:
        """Run :meth:`pose_steps` through; its arguments and errors."""
        run_through(self.pose_steps(model, shape, camera))

    def pose_steps(self, model: FaceModel, shape: HeadShape, camera: PerspectiveCamera) -> Generator[None, None, None]:
        """Give it another shape, expression and view in place, as building it with them would; the rest stays.

        What the artist has removed stays away, and what they have added (sliders, objects, modifiers) stays. No mesh of
        it may be in Edit Mode. Duplicates that share its meshes or its camera's data change with it.

        Args:
            model: the face model it was made with.
            shape: neutral and posed vertices and expression weights.
            camera: of the photo, head frame mm to photo px.

        Raises:
            OutputError: the model or the shape does not fit, the skin is gone, Blender knows no such lens, or it is
                linked from another file; nothing has changed then.
        """
        if self.linked_file is not None:
            raise OutputError(f"{self.root.name} is linked from {self.linked_file}.", LINKED_REMEDY)
        parts = self.parts
        if not (shape.fits(model) and fits_meshes(parts, model)):
            raise OutputError(f"{self.root.name} has not the vertices of the face model {model.name}.", _REMEDY)
        check_lens(camera)
        if any(part.data.is_editmode for part in parts.values()):
            raise OutputError(f"{self.root.name} is in Edit Mode.", "Leave Edit Mode (Tab), and do it again.")
        yield from shape_steps(self.root, parts, model, shape)
        item = self.camera
        if item is not None:
            set_lens(item.data, camera, units_of(self.root))
            set_in_frame(item, self.root, camera_matrix(camera))


def _mesh_losses(mesh: bpy.types.Mesh) -> Iterator[str]:
    if mesh.shape_keys is None:
        yield (
            "The skin has no shape keys any more, so there are no expressions. Remeshing and applying modifiers remove "
            "them: undo, and do that to a duplicate."
        )
    if not mesh.uv_layers:
        yield "The skin has no UV map any more, so its colours and relief are lost. Remeshing removes it: undo."


def _is_moved_by(item: bpy.types.Object, rig: bpy.types.Object) -> bool:
    deformed = any(modifier.type == "ARMATURE" and modifier.object == rig for modifier in item.modifiers)
    return item.parent == rig or deformed


def _mesh_name(item: bpy.types.Object) -> str:
    return _last_word(item.data.name)


def _object_name(item: bpy.types.Object) -> str:
    return _last_word(item.name)


def _last_word(name: str) -> str:
    """``somebody eye_left.001`` is ``eye_left``."""
    return name.removesuffix(number_in(name)).rpartition(" ")[2]


def _skin_evidence(item: bpy.types.Object) -> tuple[bool, bool, bool, bool]:
    """What speaks for a mesh as a head's skin, the strongest first."""
    keys = item.data.shape_keys
    return (
        part_of(item) == SKIN_PART,
        FINE_LEVEL_PROPERTY in item,
        keys is not None and PHOTO_EXPRESSION_PROPERTY in keys,
        SOCKET_ATTRIBUTE in item.data.attributes,
    )


def _followed_keys(meshes: list[bpy.types.Object]) -> set[bpy.types.ID | None]:
    """The shape keys that drive those of other meshes."""
    driven = [item.data.shape_keys.animation_data for item in meshes if item.data.shape_keys is not None]
    curves = [curve for data in driven if data is not None for curve in data.drivers]
    return {target.id for curve in curves for variable in curve.driver.variables for target in variable.targets}


def _noted_values(item: bpy.types.ID) -> dict[str, float]:
    """A photo's expression weights by the sliders' names, as far as the artist has left them."""
    noted = item.get(PHOTO_EXPRESSION_PROPERTY)
    values = noted.to_dict() if hasattr(noted, "to_dict") else {}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _photo_number(camera: bpy.types.Object) -> int | None:
    """Of the photo that a camera belongs to, from 1; None for other cameras."""
    found = re.fullmatch(rf"{CAMERA_PART}(?: (\d+))?", part_of(camera))
    return None if found is None else int(found[1] or 1)


def _camera_evidence(item: bpy.types.Object) -> tuple[bool, int]:
    return part_of(item) == CAMERA_PART, len(item.data.background_images)
