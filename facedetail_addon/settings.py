# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option, once, as data: what a photo's result is made with, and what becomes of it in a scene.

The arguments of the command line, Blender's properties, the worker's messages, and the keys by which results and loaded
models are kept are derived from it. Nothing is imported here that has to be installed.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from .names import MAX_FRAMES, MIN_FRAMES, STAGE_LIGHT, SUN_LIGHT, WORLD_LIGHT

COMMAND_LINE, OPERATOR, PANEL = "command line", "operator", "panel"
"""Where an option is offered. The panel hands its choice to the operator."""
EVERYWHERE = (COMMAND_LINE, OPERATOR, PANEL)
IN_BLENDER = (OPERATOR, PANEL)

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Choice:
    """One of an option's values, with its label and a sentence for artists.

    Blender's files remember a choice by its place among the others: a new one comes last.
    """

    value: str | int
    label: str
    description: str


@dataclass(frozen=True)
class Option:
    """What is known of one field of :class:`Settings` or :class:`SceneSettings`.

    Attributes:
        name, default: of the field. The default is always allowed, in the choices and the range or not.
        label, help: for artists.
        places: where it is offered, of ``EVERYWHERE``; elsewhere it has its default.
        choices: the values it may have; empty: those of the range, or any.
        minimum, maximum: of a number; None: without limit. soft_maximum: where dragging a slider stops.
        word_for_none: of an index from 0 that may be None: what people call that. They count from 1; in Blender 0 is
            None.
        flag: on the command line, where it is not the name. metavar: what stands for its value in the usage there.
        flag_help: the help there, where it differs; ``%(default)s`` stands for the default.
        loads: models must be loaded anew when it changes.
        remembered: the next photo begins with the last choice of the operator.
    """

    name: str
    default: Value
    label: str
    help: str
    places: tuple[str, ...] = EVERYWHERE
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    soft_maximum: float | None = None
    word_for_none: str = ""
    flag: str = ""
    metavar: str | None = None
    flag_help: str = ""
    loads: bool = False
    remembered: bool = True

    @property
    def values(self) -> tuple[str | int, ...]:
        """Those of the choices."""
        return tuple(choice.value for choice in self.choices)

    def allows(self, value: Value) -> bool:
        """Whether the field may have the value."""
        if value == self.default:
            return True
        if self.choices:
            return value in self.values
        if self.minimum is None:
            return isinstance(value, type(self.default))
        return self.minimum <= value and (self.maximum is None or value <= self.maximum)

    def allowed(self) -> str:
        """What :meth:`allows` allows besides the default, in words."""
        if self.choices:
            return f"one of {', '.join(map(str, self.values))}"
        if self.minimum is None:
            return f"of type {type(self.default).__name__}"
        return f"{self.minimum} or more" if self.maximum is None else f"{self.minimum} to {self.maximum}"


def option(default: Value, **details: Any) -> Any:
    """A field of the dataclasses below; the details are those of :class:`Option`."""
    return field(default=default, metadata=details)


def options(kind: type, place: str = "") -> tuple[Option, ...]:
    """The options of a dataclass below, those offered in a place or all, in the order in which people see them."""
    every = (Option(item.name, item.default, **item.metadata) for item in fields(kind))
    return tuple(one for one in every if not place or place in one.places)


def option_of(kind: type, name: str) -> Option:
    """One of :func:`options` by its name."""
    return next(one for one in options(kind) if one.name == name)


BUILTIN = "builtin"
MESH_LANDMARKER, FAN_LANDMARKER = "mesh", "fan"
AUTO_FIT, DENSE_FIT, SPARSE_FIT = "auto", "dense", "sparse"
PRIOR_AND_LANDMARKS, PRIOR, LANDMARKS = EXPRESSION_SOURCES = ("prior+landmarks", "prior", "landmarks")
COMPACT, NO_DETAIL = "compact", "none"
DRAFT, STANDARD, FINE = "draft", "standard", "fine"
STATISTICS, GENERATOR, LATENT = "statistics", "generator", "latent"
MAX_RELIEF_STRENGTH = 2.0


@dataclass(frozen=True)
class Settings:
    """What the pipeline makes of a photo.

    Attributes:
        face_model: ``BUILTIN``, or the id of an installed face model.
        landmarker: what finds the 68 landmarks of the sparse fit.
        fit: ``DENSE_FIT`` takes the face mesh's 478 points and what was measured of them; ``SPARSE_FIT`` the 68 points
            and the method of Chen et al. (section 3.1), with a model's own expression modes where it has some;
            ``AUTO_FIT`` is sparse for FAN's points, else dense, which came nearer to the truth with every model.
        expression: what the expression is taken from.
        resolution: side of the texture in texels.
        face: which face, counted from 0 by size; None: the largest.
        light_bands: bands of spherical harmonics of the light, 3 as in the paper.
        detail: what makes the relief of the skin.
        texture: what fills in skin that the photo does not show.
        quality: ``STANDARD`` refines the head by what the photo's light and shade say; a ``DRAFT`` stays as fitted;
            ``FINE`` also solves for how the skin reflects, texel by texel.

    Raises:
        ValueError: a value is not allowed.
    """

    face_model: str = option(
        BUILTIN,
        label="Face Model",
        help="The built-in face model, or the id of one that was imported in the preferences",
        flag="--model",
        metavar="builtin|PATH|ID",
        flag_help="face model: the built-in one, a Basel Face Model or ICT-FaceKit (imported once), "
        "or an imported one's id",
        loads=True,
    )
    landmarker: str = option(
        MESH_LANDMARKER,
        label="Landmarks",
        help="What finds the landmarks of a face",
        flag_help="what finds landmarks: the built-in face mesh, or FAN, whose weights are not built in",
        choices=(
            Choice(MESH_LANDMARKER, "Face Mesh", "Built in: 478 points"),
            Choice(
                FAN_LANDMARKER, "FAN", "68 points by the network FAN, whose weights are installed in the preferences"
            ),
        ),
        loads=True,
    )
    fit: str = option(
        AUTO_FIT,
        label="Fit",
        help="What the head is fitted to",
        flag_help="how the head is fitted: to 478 points of the face mesh, or to 68 "
        "(default: as suits landmarker and model)",
        choices=(
            Choice(AUTO_FIT, "Automatic", "Sparse for FAN's points, else dense, which comes nearer to the truth"),
            Choice(DENSE_FIT, "Dense", "All 478 points of the face mesh, and what was measured of them"),
            Choice(SPARSE_FIT, "Sparse", "68 points, and an imported face model's own expressions where it has some"),
        ),
        loads=True,
    )
    expression: str = option(
        PRIOR_AND_LANDMARKS,
        label="Expression",
        help="What the head's expression is taken from",
        flag_help="what the expression is taken from (default %(default)s)",
        choices=(
            Choice(
                PRIOR_AND_LANDMARKS,
                "Photo and Landmarks",
                "The look of the whole face, refined by its landmarks: cheeks and folds, lips, lids and brows",
            ),
            Choice(PRIOR, "Photo", "The look of the whole face alone: the expression of the known faces most like it"),
            Choice(
                LANDMARKS, "Landmarks", "The landmarks alone: lips, lids and brows; cheeks and folds only follow them"
            ),
        ),
    )
    resolution: int = option(
        2048,
        label="Quality",
        help="How fine the texture is; finer takes longer",
        flag_help="side of the texture (default %(default)s)",
        choices=(
            Choice(512, "Smallest", "A texture of 512 × 512 pixels"),
            Choice(1024, "Draft", "A texture of 1024 × 1024 pixels"),
            Choice(2048, "Standard", "A texture of 2048 × 2048 pixels"),
            Choice(4096, "Fine", "A texture of 4096 × 4096 pixels"),
        ),
        loads=True,
    )
    face: int | None = option(
        None,
        label="Face",
        help="Which face of the photo: 1 is the largest, 2 the next; 0 takes the largest",
        flag_help="which face, 1 being the largest (default)",
        metavar="largest|N",
        minimum=0,
        soft_maximum=9,
        word_for_none="largest",
        remembered=False,  # the next photo's faces are others
    )
    light_bands: int = option(
        3,
        label="Light Bands",
        help="Bands of spherical harmonics of the light: more of them tell its directions apart more finely",
        flag_help="bands of spherical harmonics of the light, 3 to 9 (default %(default)s)",
        metavar="3..9",
        minimum=3,
        maximum=9,
        places=(COMMAND_LINE,),
    )
    detail: str = option(
        COMPACT,
        label="Detail",
        help="Relief of the skin, wrinkles and pores",
        flag_help="relief of the skin, wrinkles and pores (default %(default)s)",
        choices=(
            Choice(COMPACT, "Compact", "By the small networks"),
            Choice(NO_DETAIL, "None", "A smooth head"),
        ),
        loads=True,
        places=(COMMAND_LINE,),
    )
    texture: str = option(
        STATISTICS,
        label="Unseen Skin",
        help="What fills in skin that the photo does not show",
        flag_help="what fills in skin that the photo does not show (default %(default)s)",
        choices=(
            Choice(STATISTICS, "Statistics", "The other side of the face, then skin as people have it"),
            Choice(GENERATOR, "Generator", "The other side of the face, then what a network makes of the seen skin"),
            Choice(LATENT, "Latent Code", "The other side of the face, then skin whose code explains the seen skin"),
        ),
        loads=True,
        places=(COMMAND_LINE,),
    )
    quality: str = option(
        STANDARD,
        label="Refinement",
        help="How closely the head and its skin follow the photo",
        flag_help="how closely the head and its skin follow the photo (default %(default)s)",
        choices=(
            Choice(DRAFT, "Draft", "Landmarks and outline alone: three seconds less"),
            Choice(STANDARD, "Standard", "Landmarks and outline, then the photo's light and shade"),
            Choice(FINE, "Fine", "Standard, then where the skin shines, and how much: three seconds more"),
        ),
    )

    def __post_init__(self):
        _check(self)

    def loading_key(self) -> tuple[Value, ...]:
        """Equal for settings that the same loaded models serve."""
        return tuple(getattr(self, one.name) for one in options(Settings) if one.loads)


@dataclass(frozen=True)
class SceneSettings:
    """What becomes of a result in a scene of Blender.

    Attributes:
        relief_strength: with how much relief a new head begins, 1 as found in the photo; its slider goes on from there.
        use_camera: the photo's view becomes the scene's. use_light: the photo's light becomes the scene's.
        light: what the photo's light is in the scene.
        render: a picture through the photo's camera. lookdev: a contact sheet.
        turntable: frames of a film around the head, 0 for none.
        export: the format of a file for other programs; empty: none.
        density: of a head for game engines; empty: none.

    Raises:
        ValueError: a value is not allowed.
    """

    relief_strength: float = option(
        1.0,
        label="Relief Strength",
        help="Of wrinkles and pores: 1 as found in the photo, 0 none",
        minimum=0.0,
        maximum=MAX_RELIEF_STRENGTH,
        remembered=False,
        places=(OPERATOR,),
    )
    use_camera: bool = option(
        True,
        label="Photo's Camera",
        help="Make the photo's camera the scene's, and the photo's size the size of renders",
        places=IN_BLENDER,
    )
    use_light: bool = option(
        True,
        label="Photo's Light",
        help="Make the photo's light the scene's world, and show plain colours, so that renders match the photo",
        places=IN_BLENDER,
    )
    light: str = option(
        WORLD_LIGHT,
        label="Light",
        help="What the photo's light is in the scene",
        flag_help="what the photo's light is in the scene (default %(default)s)",
        choices=(
            Choice(WORLD_LIGHT, "World", "A world alone: soft, as far as harmonics tell it"),
            Choice(SUN_LIGHT, "World and Sun", "The strongest direction is a sun lamp, for crisp shadows"),
            Choice(STAGE_LIGHT, "Light Stage", "Area lamps in fixed places around the head, and an even world"),
        ),
    )
    render: bool = option(
        False,
        label="Render",
        help="render the head through the photo's camera: render.png",
        places=(COMMAND_LINE,),
    )
    lookdev: bool = option(
        False,
        label="Contact Sheet",
        help="render a contact sheet of the head: lookdev.png",
        places=(COMMAND_LINE,),
    )
    turntable: int = option(
        0,
        label="Turntable",
        help="render a film of N frames around the head: turntable.mp4",
        metavar="N",
        minimum=MIN_FRAMES,
        maximum=MAX_FRAMES,
        places=(COMMAND_LINE,),
    )
    export: str = option(
        "",
        label="Export",
        help="also write the head for other programs: scene.fbx, .glb, .usdz, or .obj with its pictures",
        choices=(
            Choice("fbx", "FBX", "Expressions as shape keys, pictures inside: for game engines and other 3D programs"),
            Choice("glb", "glTF Binary", "Expressions as morph targets, pictures inside: for the web and game engines"),
            Choice("usd", "USD", "Expressions as blend shapes, pictures inside: for film pipelines"),
            Choice("obj", "OBJ", "The head as it is posed, without expressions; pictures beside it"),
        ),
        places=(COMMAND_LINE,),
    )

    density: str = option(
        "",
        label="Game-Ready",
        help="also make a head for game engines with about so many quads; it is what --export writes then",
        choices=(
            Choice("2k", "2k Quads", "For crowds and distance"),
            Choice("8k", "8k Quads", "For most games"),
            Choice("20k", "20k Quads", "For close-ups: all quads of the skin"),
        ),
        places=(COMMAND_LINE,),
    )

    def __post_init__(self):
        _check(self)


def _check(settings: Settings | SceneSettings) -> None:
    for one in options(type(settings)):
        value = getattr(settings, one.name)
        if not one.allows(value):
            raise ValueError(f"{one.name} must be {one.allowed()}, not {value!r}")
