# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scene remembers of the artist's choices, and what the window manager knows of the work under way."""

import zlib
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import bpy

from .. import session
from ..core.face_model.store import installed_models
from ..names import (
    ADAPTIVE,
    DISPLACE,
    EDIT_PROPERTY,
    NORMAL_MAP,
    RELIEF_PROPERTY,
    SETTINGS_PROPERTY,
    STATE_PROPERTY,
    STUDIO_NODE,
    STUDIO_PROPERTY,
    UNSEEN_MODIFIER,
)
from ..scene.head_object import HeadObject
from ..scene.relief.adaptive import adaptive_is_on
from ..scene.relief.displacement import Relief, known_fine_level, relief_skin
from ..session import chosen_assets_directory
from ..settings import BUILTIN, MAX_RELIEF_STRENGTH, PANEL
from . import relief
from .edit_settings import FaceDetailEdit
from .faces import found_faces, look_for_faces
from .options import with_options
from .photos import FaceDetailPhoto

_MAX_LEVEL = 5
_EASY_LEVEL_VIEWS, _EASY_LEVEL_RENDERS = 3, 4
"""Dragging stops here: at 5 the built-in head has 20 million quads, which many machines cannot hold. Typing goes on."""
_NOT_ANIMATABLE: set[str] = set()
"""Options without ANIMATABLE: playback calls no update function, so a keyframe would move the slider alone."""


def _model_items(settings: "FaceDetailSettings", context: bpy.types.Context) -> tuple[tuple, ...]:
    infos = installed_models(chosen_assets_directory(context))
    entries = [(BUILTIN, "Built-in", "FaceDetail's own full head", "NONE")]
    entries += [(info.id, info.id, f"{info.vertices:,} vertices; {info.licence}", "NONE") for info in infos]
    if settings.face_model not in {entry[0] for entry in entries}:
        missing = f"{settings.face_model} (not installed)"
        entries.append((settings.face_model, missing, "Import it in the preferences, or choose another", "ERROR"))
    return _kept_items(tuple((*entry, _number_of(entry[0])) for entry in entries))


@lru_cache(maxsize=8)
def _kept_items(items: tuple[tuple, ...]) -> tuple[tuple, ...]:
    """The entries of a menu. Blender keeps no references to the texts, so the cache does."""
    return items


def _number_of(face_model: str) -> int:
    """The same for a name in any session, whatever else is installed."""
    return zlib.crc32(face_model.encode()) & 0x7FFFFFFF


def _shown_model(settings: "FaceDetailSettings") -> int:
    return _number_of(settings.face_model)


def _choose_model(settings: "FaceDetailSettings", number: int) -> None:
    items = _model_items(settings, bpy.context)
    settings.face_model = next(item[0] for item in items if item[-1] == number)


def _photo_is_chosen(settings: "FaceDetailSettings", context: bpy.types.Context) -> None:
    """Its faces are others; who has chosen it in a window may want to choose among them."""
    settings.face = 0
    _look_at(settings)


@bpy.app.handlers.persistent
def _file_is_opened(*args: object) -> None:
    """The faces of its photo are not saved with it."""
    _look_at(getattr(bpy.context.scene, SETTINGS_PROPERTY))


def _look_at(settings: "FaceDetailSettings") -> None:
    """Begin to find the faces of the chosen photo, where somebody may choose among them."""
    if settings.photo and not bpy.app.background:
        look_for_faces(photo_path(settings))


def photo_path(settings: "FaceDetailSettings") -> Path:
    """The chosen photo."""
    return Path(bpy.path.abspath(settings.photo))


def _face_items(settings: "FaceDetailSettings", context: bpy.types.Context) -> tuple[tuple, ...]:
    pictures, icon = found_faces(photo_path(settings)) or (), session.current().thumbnails.icon
    items = [
        (
            str(number),
            f"Face {number}" if number > 1 else "Face 1, the largest",
            "",
            icon(picture) or 0,
            number,
        )
        for number, picture in enumerate(pictures, 1)
    ]
    shown = _shown_face(settings)
    if shown > len(pictures):
        items.append((str(shown), f"Face {shown}", "", "QUESTION", shown))
    return _kept_items(tuple(items))


def _shown_face(settings: "FaceDetailSettings") -> int:
    return settings.face or 1


def _choose_face(settings: "FaceDetailSettings", number: int) -> None:
    settings.face = number


@with_options(PANEL)
class FaceDetailSettings(bpy.types.PropertyGroup):
    """The artist's choices, saved with the scene: the options, and the photo with menus for face model and face."""

    photo: bpy.props.StringProperty(
        name="Photo", description="Photo with a face", subtype="FILE_PATH", update=_photo_is_chosen
    )
    more_photos: bpy.props.CollectionProperty(type=FaceDetailPhoto)
    more_photos_index: bpy.props.IntProperty(options={"SKIP_SAVE"})
    pose_while_playing: bpy.props.BoolProperty(
        name="While Playing",
        description="While an animation plays all heads of the scene are posed, and afterwards as they were",
        default=True,
    )
    face_model_menu: bpy.props.EnumProperty(
        name="Face Model",
        description="The face model that is fitted to the photo; more can be imported in the preferences",
        items=_model_items,
        get=_shown_model,
        set=_choose_model,
    )
    face_picture: bpy.props.EnumProperty(
        name="Face",
        description="Which face of the photo; click to choose another",
        items=_face_items,
        get=_shown_face,
        set=_choose_face,
    )


def _show_relief(settings: "FaceDetailRelief", context: bpy.types.Context) -> None:
    """A choice has changed: the head it belongs to follows."""
    _let_follow(settings, relief.show)


def _show_strength(settings: "FaceDetailRelief", context: bpy.types.Context) -> None:
    """A slider has moved, as before."""
    _let_follow(settings, relief.show_strength)


def _let_follow(settings: "FaceDetailRelief", show: Callable[[HeadObject, Relief], None]) -> None:
    head = _head_of(settings)
    if head is not None and head.linked_file is None:
        show(head, settings.chosen())
        skin = head.skin
        if skin is not None and skin != head.root:
            _copy_choice(settings, getattr(skin, RELIEF_PROPERTY))


def _copy_choice(settings: "FaceDetailRelief", others: "FaceDetailRelief") -> None:
    """Sliders of the skin, which nobody sees before the head's empty is deleted."""
    for name, value in asdict(settings.chosen()).items():
        if getattr(others, name) != value:
            setattr(others, name, value)


def _head_of(settings: "FaceDetailRelief") -> HeadObject | None:
    """The head whose sliders they are; other objects have some too, which nobody sees."""
    head = HeadObject.of(settings.id_data)
    return head if head is not None and head.root == settings.id_data else None


def _strength_property(name: str, description: str) -> object:
    return bpy.props.FloatProperty(
        name=name,
        description=description,
        default=1.0,
        min=0.0,
        max=MAX_RELIEF_STRENGTH,
        options=_NOT_ANIMATABLE,
        update=_show_strength,
    )


def _level_property(name: str, where: str, default: int, easy: int) -> object:
    return bpy.props.IntProperty(
        name=name,
        description=f"Subdivision of the skin in {where}; every level has four times the quads of the one before",
        default=default,
        min=0,
        max=_MAX_LEVEL,
        soft_max=easy,
        options=_NOT_ANIMATABLE,
        update=_show_relief,
    )


class FaceDetailRelief(bpy.types.PropertyGroup):
    """How one head shows its relief; saved with the head's empty, and with its skin for when that is deleted."""

    mode: bpy.props.EnumProperty(
        name="Relief",
        description="How wrinkles and pores are shown",
        items=[
            (
                DISPLACE,
                "Displace",
                "Wrinkles are geometry by modifiers, in every view and render engine; pores are shading",
            ),
            (
                ADAPTIVE,
                "Adaptive",
                "Pores are geometry too: Cycles, an add-on of Blender, divides the skin as finely as the picture needs",
            ),
            (NORMAL_MAP, "Normal Map", "Shading alone on a smooth mesh: the fastest"),
        ],
        default=Relief.mode,
        options=_NOT_ANIMATABLE,
        update=_show_relief,
    )
    strength: _strength_property("Relief Strength", "Of all relief: 1 as found in the photo, 0 none")
    medium: _strength_property("Medium", "Wrinkles and folds")
    fine: _strength_property("Fine", "Pores and lines")
    unseen: _strength_property("Unseen", "Of skin that the photo does not show: lines of the other side, and pores")
    viewport_level: _level_property("Subdivision in Views", "views", Relief.viewport_level, _EASY_LEVEL_VIEWS)
    render_level: _level_property("Subdivision in Renders", "renders", Relief.render_level, _EASY_LEVEL_RENDERS)

    def chosen(self) -> Relief:
        """The choice as the scene takes it."""
        strengths = self.strength, self.medium, self.fine, self.unseen
        return Relief(self.mode, *strengths, self.viewport_level, self.render_level)

    @property
    def skin(self) -> bpy.types.Object | None:
        """What shows the relief; None where there is none."""
        head = _head_of(self)
        return None if head is None else relief_skin(head)

    @property
    def fine_level(self) -> int | None:
        """From this Subdivision level on the skin can carry the fine relief; None where the artist has changed it."""
        skin = self.skin
        return None if skin is None else known_fine_level(skin)

    @property
    def has_unseen(self) -> bool:
        """Whether there is relief of skin that the photo does not show."""
        skin = self.skin
        return skin is not None and UNSEEN_MODIFIER in skin.modifiers

    def quads(self, level: int) -> int:
        """How many faces the skin has at a Subdivision level: first a quad for each corner, then four for each quad."""
        mesh = self.skin.data
        return len(mesh.loops) * 4 ** (level - 1) if level > 0 else len(mesh.polygons)

    def adaptive_is_on(self, scene: bpy.types.Scene) -> bool:
        """Whether Cycles would divide this head's skin further in the scene."""
        skin = self.skin
        return skin is not None and adaptive_is_on(skin, scene)


class FaceDetailState(bpy.types.PropertyGroup):
    """The work under way, and what the last work failed of, for the panel. Never saved."""

    running: bpy.props.BoolProperty(options={"SKIP_SAVE"})
    stage: bpy.props.StringProperty(options={"SKIP_SAVE"})
    fraction: bpy.props.FloatProperty(options={"SKIP_SAVE"}, min=0, max=1)
    remaining: bpy.props.StringProperty(options={"SKIP_SAVE"})
    error: bpy.props.StringProperty(options={"SKIP_SAVE"})
    remedy: bpy.props.StringProperty(options={"SKIP_SAVE"})
    error_code: bpy.props.StringProperty(options={"SKIP_SAVE"})


def _studio_is_on(world: bpy.types.World) -> bool:
    node = _studio_node(world)
    return node is not None and node.inputs["Factor"].default_value >= 0.5


def _switch_studio(world: bpy.types.World, on: bool) -> None:
    node = _studio_node(world)
    if node is not None:
        node.inputs["Factor"].default_value = float(on)


def _studio_node(world: bpy.types.World) -> bpy.types.Node | None:
    return None if world.node_tree is None else world.node_tree.nodes.get(STUDIO_NODE)


def attach() -> None:
    """Add the properties to Blender's scenes, objects, worlds and window manager; their classes are registered."""
    studio = bpy.props.BoolProperty(
        name="Studio Light",
        description="A neutral studio's light instead of the photo's",
        get=_studio_is_on,
        set=_switch_studio,
        options=_NOT_ANIMATABLE,
    )
    setattr(bpy.types.World, STUDIO_PROPERTY, studio)
    setattr(bpy.types.Scene, SETTINGS_PROPERTY, bpy.props.PointerProperty(type=FaceDetailSettings))
    setattr(bpy.types.Object, RELIEF_PROPERTY, bpy.props.PointerProperty(type=FaceDetailRelief))
    setattr(bpy.types.WindowManager, STATE_PROPERTY, bpy.props.PointerProperty(type=FaceDetailState))
    setattr(bpy.types.WindowManager, EDIT_PROPERTY, bpy.props.PointerProperty(type=FaceDetailEdit))
    bpy.app.handlers.load_post.append(_file_is_opened)


def detach() -> None:
    """Take them away again."""
    bpy.app.handlers.load_post.remove(_file_is_opened)
    delattr(bpy.types.WindowManager, EDIT_PROPERTY)
    delattr(bpy.types.WindowManager, STATE_PROPERTY)
    delattr(bpy.types.Object, RELIEF_PROPERTY)
    delattr(bpy.types.Scene, SETTINGS_PROPERTY)
    delattr(bpy.types.World, STUDIO_PROPERTY)
