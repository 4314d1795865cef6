# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' material. What an artist may want to change are nodes with a name: colours, size, fibres, gloss, shade."""

import bpy
import numpy as np

from ...core.eyes.look import INNER_SHARE, IRIS_PROFILE, PUPIL, SCLERA_SHARE, SCLERA_TINT, usual_inner
from ...core.eyes.pattern import PATTERN_REACH, iris_pattern
from ...core.eyes.types import CORNEA_GLOSS, CORNEA_IOR, DEFAULT_EYES, EyeLook
from ...core.face_model.eyeball import IRIS_HOLLOW
from ...names import IRIS_ATTRIBUTE
from ..colour_management import from_scene_linear, to_scene_linear
from ..images import packed_image
from ..nodes import add_node, color_ramp, mix_colors, vector_math
from ..units import link_millimetres

IRIS_NODE, SCLERA_NODE, SIZE_NODE, SHADE_NODE = "Iris Colour", "Sclera Colour", "Iris Size", "Lid Shade"
INNER_NODE = "Inner Iris Colour"
"""Colours, the last one of the ring around the pupil; the iris' size relative to the default one; how
much lids and lashes darken the eye under them, 0 to 1."""
FIBRES_NODE, PATTERN_NODE, GLOSS_NODE, TEARS_NODE = "Iris Fibres", "Iris Pattern", "Cornea Gloss", "Tear Line"
"""How much the fibres show, and their picture; the share of a cornea's reflection; how wet the lower lid's edge is."""
PATTERN_FULL = 2.5
"""The factor of the iris colour where the pattern's picture is white."""
EYE_ROUGHNESS = 0.06
"""In exports, which have one gloss for cornea and white."""

_SPAN = 2.5
"""Iris radii that the ramps reach."""
_CORNEA_ROUGHNESS, _SCLERA_ROUGHNESS, _PAINT_ROUGHNESS = 0.03, 0.18, 0.5
_LID_SHADE = 0.9
_SHADE_MM, _TEAR_MM = 4.0, 1.1
_SHADE_LEAN, _TEAR_LEAN = 0.7, -2.0
"""How far the shade looks upwards, for the upper lid has the lashes, and the tear line downwards, past that lid."""
_SHADED = (0.30, 0.20, 0.17, 1.0)
"""What is left of the colour where the lids close it in: light through the lids is red."""
_TEAR_RISE = 0.9
"""How much the tears' surface, which climbs the lid, turns upwards there."""


def shade_eye(material: bpy.types.Material, shader: bpy.types.ShaderNode) -> None:
    """Pupil, iris with fibres, limbus and white, by the distance from the pupil's centre, under a cornea's gloss."""
    tree = material.node_tree
    if hasattr(material, "cycles"):
        # The hollow is no roughness of the mesh whose steep sides would be in shade: it lies behind the cornea.
        material.cycles.use_bump_map_correction = False
    place, height = _place(tree)
    radius = vector_math(tree, "LENGTH", (-1300, 100), place).outputs["Value"]
    rings = mix_colors(tree, (-600, 500))
    tree.links.new(_ramp(tree, radius, INNER_SHARE, 900), rings.inputs["Factor"])
    tree.links.new(_color(tree, (-900, 700), IRIS_NODE, DEFAULT_EYES.iris), rings.inputs[6])
    tree.links.new(_color(tree, (-900, 500), INNER_NODE, usual_inner(DEFAULT_EYES.iris)), rings.inputs[7])
    iris = _times(tree, (-500, 300), rings.outputs[2], _ramp(tree, radius, IRIS_PROFILE, 500))
    fibres = _value(tree, (-500, 700), FIBRES_NODE, 1.0)
    iris = _times(tree, (-300, 300), iris, _pattern(tree, place), fibres)
    tint = color_ramp(tree, (-900, -700), radius, [(at, (*color, 1.0)) for at, color in SCLERA_TINT], _SPAN)
    white = _times(tree, (-500, -500), _color(tree, (-700, -400), SCLERA_NODE, DEFAULT_EYES.sclera), tint)
    both = mix_colors(tree, (-100, 100))
    share = _ramp(tree, radius, SCLERA_SHARE, 100)
    tree.links.new(share, both.inputs["Factor"])
    tree.links.new(iris, both.inputs[6])
    tree.links.new(white, both.inputs[7])
    color = _times(tree, (100, 100), both.outputs[2], _ramp(tree, radius, PUPIL, -100))
    tree.links.new(_times(tree, (300, 100), color, *_lid_shade(tree)), shader.inputs["Base Color"])
    tree.links.new(_hollow(tree, place, height), shader.inputs["Normal"])
    shader.inputs["Roughness"].default_value = _PAINT_ROUGHNESS
    shader.inputs["Specular IOR Level"].default_value = 0.0
    _wet(tree, shader, share)


def color_eye(stem: str, name: str, eye: bpy.types.Object, look: EyeLook) -> None:
    """Give a head's eye its colours, its size and fibres of its own.

    Args:
        stem: the names' beginning. name: of the part.
    """
    pattern = np.round(iris_pattern(look, name) * (255 / PATTERN_FULL)).clip(0, 255).astype(np.uint8)
    image = packed_image(f"{stem} {name} iris", pattern, is_data=True)
    for material in eye.data.materials:
        nodes = material.node_tree.nodes
        if IRIS_NODE in nodes:
            nodes[IRIS_NODE].outputs[0].default_value = to_scene_linear((*look.iris, 1.0))
            inner = look.iris_inner or usual_inner(look.iris)
            nodes[INNER_NODE].outputs[0].default_value = to_scene_linear((*inner, 1.0))
            nodes[SCLERA_NODE].outputs[0].default_value = to_scene_linear((*look.sclera, 1.0))
            nodes[SIZE_NODE].outputs[0].default_value = look.iris_mm / DEFAULT_EYES.iris_mm
            nodes[PATTERN_NODE].image = image


def look_of(material: bpy.types.Material) -> EyeLook:
    """The look of an eye's material as it is now; what the artist has removed has its default."""
    nodes = material.node_tree.nodes
    values = {
        name: nodes[name].outputs[0].default_value
        for name in (IRIS_NODE, INNER_NODE, SCLERA_NODE, SIZE_NODE)
        if name in nodes
    }
    colours = {name: from_scene_linear(tuple(values[name]))[:3] for name in values if name != SIZE_NODE}
    return EyeLook(
        iris=colours.get(IRIS_NODE, DEFAULT_EYES.iris),
        sclera=colours.get(SCLERA_NODE, DEFAULT_EYES.sclera),
        iris_mm=values.get(SIZE_NODE, 1.0) * DEFAULT_EYES.iris_mm,
        confidence=0.0,
        iris_inner=colours.get(INNER_NODE, colours.get(IRIS_NODE)),
    )


def _place(tree: bpy.types.NodeTree) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """Position around the pupil in radii of this iris, and how high the cornea stands over it in mm."""
    attribute = add_node(tree, "ShaderNodeAttribute", (-2300, 0))
    attribute.attribute_name = IRIS_ATTRIBUTE
    parts = add_node(tree, "ShaderNodeSeparateXYZ", (-2100, -200))
    tree.links.new(attribute.outputs["Vector"], parts.inputs["Vector"])
    flat = vector_math(tree, "MULTIPLY", (-1900, 0), attribute.outputs["Vector"])
    flat.inputs[1].default_value = (1.0, 1.0, 0.0)
    scaled = vector_math(tree, "DIVIDE", (-1700, 0), flat.outputs["Vector"])
    tree.links.new(_value(tree, (-1900, -200), SIZE_NODE, 1.0), scaled.inputs[1])
    return scaled.outputs["Vector"], parts.outputs["Z"]


def _pattern(tree: bpy.types.NodeTree, place: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """Factors of the iris colour: the picture lies on the iris, whatever its size."""
    spread = vector_math(tree, "SCALE", (-1300, -150), place)
    spread.inputs["Scale"].default_value = 0.5 / PATTERN_REACH
    middle = vector_math(tree, "ADD", (-1100, -150), spread.outputs["Vector"])
    middle.inputs[1].default_value = (0.5, 0.5, 0.0)
    picture = add_node(tree, "ShaderNodeTexImage", (-900, -200), PATTERN_NODE)
    # Solid views show a material's active texture in place of its colour, and any other where none is active.
    tree.nodes.active = add_node(tree, "ShaderNodeTexGradient", (-900, -500), "Colour in Solid Views")
    picture.extension = "EXTEND"
    tree.links.new(middle.outputs["Vector"], picture.inputs["Vector"])
    factors = vector_math(tree, "SCALE", (-600, -200), picture.outputs["Color"])
    factors.inputs["Scale"].default_value = PATTERN_FULL
    return factors.outputs["Vector"]


def _hollow(
    tree: bpy.types.NodeTree, place: bpy.types.NodeSocket, height: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """Normals of the iris behind the cornea, which is flat or a little hollow where the mesh bulges."""
    square = vector_math(tree, "DOT_PRODUCT", (-1300, -1700), place)
    tree.links.new(place, square.inputs[1])
    bowl = _math(tree, "SUBTRACT", (-1100, -1700), 1.0, square.outputs["Value"])
    bowl = _math(tree, "POWER", (-700, -1700), _math(tree, "MAXIMUM", (-900, -1700), bowl, 0.0), 2.0)
    depth = _math(tree, "MULTIPLY", (-500, -1700), _math(tree, "MULTIPLY", (-700, -1900), height, -IRIS_HOLLOW), bowl)
    bump = add_node(tree, "ShaderNodeBump", (-300, -1700))
    link_millimetres(tree, (-900, -3000), 1.0, bump.inputs["Distance"])
    tree.links.new(depth, bump.inputs["Height"])
    return bump.outputs["Normal"]


def _wet(tree: bpy.types.NodeTree, shader: bpy.types.ShaderNode, white: bpy.types.NodeSocket) -> None:
    """Cornea and tears as a clear coat with the mesh's own normals, and all of a mirror in the tears on the lower lid.

    The tear line is where the lower lid is near, so it follows blinks and gaze. ``white``: 0 iris, 1 sclera, which is
    less smooth.
    """
    occlusion, down = _occlusion(tree, _TEAR_LEAN, _TEAR_MM, -2100)
    near = color_ramp(tree, (-100, -2100), occlusion, [(0.5, _grey(1.0)), (0.85, _grey(0.0))], 1.0)
    tears = _math(tree, "MULTIPLY", (300, -2100), near, _value(tree, (100, -2300), TEARS_NODE, 1.0))
    rise = vector_math(tree, "SCALE", (300, -2300), down)
    tree.links.new(_math(tree, "MULTIPLY", (100, -2500), tears, _TEAR_RISE / _TEAR_LEAN), rise.inputs["Scale"])
    geometry = add_node(tree, "ShaderNodeNewGeometry", (300, -2500))
    turned = vector_math(tree, "ADD", (500, -2300), rise.outputs["Vector"])
    tree.links.new(geometry.outputs["Normal"], turned.inputs[1])
    normal = vector_math(tree, "NORMALIZE", (700, -2300), turned.outputs["Vector"])
    tree.links.new(normal.outputs["Vector"], shader.inputs["Coat Normal"])
    gloss = _value(tree, (300, -1900), GLOSS_NODE, CORNEA_GLOSS)
    tree.links.new(_math(tree, "MAXIMUM", (500, -2000), gloss, tears), shader.inputs["Coat Weight"])
    rough = _math(tree, "MULTIPLY", (500, -1750), white, _SCLERA_ROUGHNESS - _CORNEA_ROUGHNESS)
    rough = _math(tree, "ADD", (700, -1750), rough, _CORNEA_ROUGHNESS)
    tree.links.new(rough, shader.inputs["Coat Roughness"])
    shader.inputs["Coat IOR"].default_value = CORNEA_IOR


def _lid_shade(tree: bpy.types.NodeTree) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """What lids and lashes, close by, leave of the colour, and how much that counts. It follows the lids' motion."""
    occlusion, _ = _occlusion(tree, _SHADE_LEAN, _SHADE_MM, -1100)
    left = color_ramp(tree, (-100, -900), occlusion, [(0.1, _SHADED), (0.7, _grey(1.0))], 1.0)
    return left, _value(tree, (100, -700), SHADE_NODE, _LID_SHADE)


def _occlusion(
    tree: bpy.types.NodeTree, lean: float, reach_mm: float, height: int
) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """How open the eye is within a reach, looking up (a positive lean) or down; and the lean as a vector."""
    geometry = add_node(tree, "ShaderNodeNewGeometry", (-900, height))
    up = add_node(tree, "ShaderNodeVectorTransform", (-900, height - 250))
    up.vector_type, up.convert_from, up.convert_to = "VECTOR", "OBJECT", "WORLD"
    up.inputs["Vector"].default_value = (0.0, 0.0, lean)
    leaning = vector_math(tree, "ADD", (-700, height), geometry.outputs["Normal"])
    tree.links.new(up.outputs["Vector"], leaning.inputs[1])
    towards = vector_math(tree, "NORMALIZE", (-500, height), leaning.outputs["Vector"])
    occlusion = add_node(tree, "ShaderNodeAmbientOcclusion", (-300, height))
    occlusion.samples = 8
    link_millimetres(tree, (-900, height - 500), reach_mm, occlusion.inputs["Distance"])
    tree.links.new(towards.outputs["Vector"], occlusion.inputs["Normal"])
    return occlusion.outputs["AO"], up.outputs["Vector"]


def _value(tree: bpy.types.NodeTree, location: tuple[int, int], name: str, value: float) -> bpy.types.NodeSocket:
    node = add_node(tree, "ShaderNodeValue", location, name)
    node.outputs[0].default_value = value
    return node.outputs[0]


def _math(
    tree: bpy.types.NodeTree,
    operation: str,
    location: tuple[int, int],
    first: bpy.types.NodeSocket | float,
    second: bpy.types.NodeSocket | float,
) -> bpy.types.NodeSocket:
    node = add_node(tree, "ShaderNodeMath", location)
    node.operation = operation
    for socket, value in zip(node.inputs, (first, second), strict=False):
        if isinstance(value, float):
            socket.default_value = value
        else:
            tree.links.new(value, socket)
    return node.outputs["Value"]


def _grey(value: float) -> tuple[float, float, float, float]:
    return (value, value, value, 1.0)


def _ramp(
    tree: bpy.types.NodeTree, radius: bpy.types.NodeSocket, stops: tuple[tuple[float, float], ...], height: int
) -> bpy.types.NodeSocket:
    return color_ramp(tree, (-900, height), radius, [(at, _grey(value)) for at, value in stops], _SPAN)


def _color(
    tree: bpy.types.NodeTree, location: tuple[int, int], name: str, default: tuple[float, float, float]
) -> bpy.types.NodeSocket:
    node = add_node(tree, "ShaderNodeRGB", location, name)
    node.outputs[0].default_value = to_scene_linear((*default, 1.0))
    return node.outputs[0]


def _times(
    tree: bpy.types.NodeTree,
    location: tuple[int, int],
    first: bpy.types.NodeSocket,
    second: bpy.types.NodeSocket,
    amount: bpy.types.NodeSocket | None = None,
) -> bpy.types.NodeSocket:
    """Product of two colours, or as much of it as ``amount`` says."""
    mix = mix_colors(tree, location, blend="MULTIPLY")
    mix.inputs["Factor"].default_value = 1.0
    if amount is not None:
        tree.links.new(amount, mix.inputs["Factor"])
    tree.links.new(first, mix.inputs[6])
    tree.links.new(second, mix.inputs[7])
    return mix.outputs[2]
