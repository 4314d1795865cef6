# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' material. What an artist may want to change are nodes with a name: two colours, a size, a shade."""

from collections.abc import Iterable

import bpy

from ...core.eyes.look import FIBRE_CONTRAST, FIBRE_REACH, IRIS_PROFILE, PUPIL, SCLERA_SHARE, SCLERA_TINT
from ...core.eyes.types import CORNEA_IOR, DEFAULT_EYES, EYE_SPECULAR_LEVEL, EyeLook
from ...names import IRIS_ATTRIBUTE
from ..colour_management import from_scene_linear, to_scene_linear
from ..nodes import add_node, color_ramp, mix_colors, vector_math
from ..space import METRES_PER_MM

IRIS_NODE, SCLERA_NODE, SIZE_NODE, SHADE_NODE = "Iris Colour", "Sclera Colour", "Iris Size", "Lid Shade"
"""Colours; the iris' size relative to the default one; how much lids and lashes darken the eye under them, 0 to 1."""
EYE_ROUGHNESS = 0.06

_SPAN = 2.5
"""Iris radii that the ramps reach."""
_LID_SHADE = 0.9
_SHADE_MM = 4.0
_UPPER = 0.7
"""How far the shade looks upwards: the upper lid has the lashes."""
_SHADED = (0.30, 0.20, 0.17, 1.0)
"""What is left of the colour where the lids close it in: light through the lids is red."""


def shade_eye(tree: bpy.types.NodeTree, shader: bpy.types.ShaderNode) -> None:
    """Pupil, iris with fibres, limbus and white, by the distance from the pupil's centre, under a cornea's gloss."""
    place = _place(tree)
    radius = vector_math(tree, "LENGTH", (-1300, 100), place).outputs["Value"]
    iris = _times(tree, (-500, 300), _color(tree, (-700, 400), IRIS_NODE), _ramp(tree, radius, IRIS_PROFILE, 500))
    iris = _times(tree, (-300, 300), iris, _fibres(tree, place), _ramp(tree, radius, FIBRE_REACH, 700))
    tint = color_ramp(tree, (-900, -700), radius, [(at, (*color, 1.0)) for at, color in SCLERA_TINT], _SPAN)
    white = _times(tree, (-500, -500), _color(tree, (-700, -400), SCLERA_NODE), tint)
    both = mix_colors(tree, (-100, 100))
    tree.links.new(_ramp(tree, radius, SCLERA_SHARE, 100), both.inputs["Factor"])
    tree.links.new(iris, both.inputs[6])
    tree.links.new(white, both.inputs[7])
    color = _times(tree, (100, 100), both.outputs[2], _ramp(tree, radius, PUPIL, -100))
    tree.links.new(_times(tree, (300, 100), color, *_lid_shade(tree)), shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = EYE_ROUGHNESS
    shader.inputs["IOR"].default_value = CORNEA_IOR
    shader.inputs["Specular IOR Level"].default_value = EYE_SPECULAR_LEVEL


def color_eyes(parts: Iterable[bpy.types.Object], look: EyeLook) -> None:
    """Give the eyes among a head's objects their colours and size."""
    for item in parts:
        for material in item.data.materials:
            nodes = material.node_tree.nodes
            if IRIS_NODE in nodes:
                nodes[IRIS_NODE].outputs[0].default_value = to_scene_linear((*look.iris, 1.0))
                nodes[SCLERA_NODE].outputs[0].default_value = to_scene_linear((*look.sclera, 1.0))
                nodes[SIZE_NODE].outputs[0].default_value = look.iris_mm / DEFAULT_EYES.iris_mm


def look_of(material: bpy.types.Material) -> EyeLook:
    """The look of an eye's material as it is now; what the artist has removed has its default."""
    nodes = material.node_tree.nodes
    values = {
        name: nodes[name].outputs[0].default_value for name in (IRIS_NODE, SCLERA_NODE, SIZE_NODE) if name in nodes
    }
    colours = {name: from_scene_linear(tuple(values[name]))[:3] for name in (IRIS_NODE, SCLERA_NODE) if name in values}
    return EyeLook(
        iris=colours.get(IRIS_NODE, DEFAULT_EYES.iris),
        sclera=colours.get(SCLERA_NODE, DEFAULT_EYES.sclera),
        iris_mm=values.get(SIZE_NODE, 1.0) * DEFAULT_EYES.iris_mm,
        confidence=0.0,
    )


def _place(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """Position around the pupil in radii of this iris."""
    attribute = add_node(tree, "ShaderNodeAttribute", (-1900, 0))
    attribute.attribute_name = IRIS_ATTRIBUTE
    size = add_node(tree, "ShaderNodeValue", (-1900, -200), SIZE_NODE)
    size.outputs[0].default_value = 1.0
    scaled = vector_math(tree, "DIVIDE", (-1700, 0), attribute.outputs["Vector"])
    tree.links.new(size.outputs[0], scaled.inputs[1])
    return scaled.outputs["Vector"]


def _fibres(tree: bpy.types.NodeTree, place: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """Fibres run outwards: the noise changes quickly around the pupil and slowly along the radius."""
    around = vector_math(tree, "NORMALIZE", (-1300, -150), place).outputs["Vector"]
    along = vector_math(tree, "SCALE", (-1300, -300), place)
    along.inputs["Scale"].default_value = 0.12
    direction = vector_math(tree, "ADD", (-1100, -150), around)
    tree.links.new(along.outputs["Vector"], direction.inputs[1])
    noise = add_node(tree, "ShaderNodeTexNoise", (-900, -200))
    noise.inputs["Scale"].default_value = 9.0
    noise.inputs["Detail"].default_value = 4.0
    tree.links.new(direction.outputs["Vector"], noise.inputs["Vector"])
    low, high = FIBRE_CONTRAST
    return color_ramp(tree, (-700, -200), noise.outputs["Fac"], [(0.35, _grey(low)), (0.65, _grey(high))], 1.0)


def _lid_shade(tree: bpy.types.NodeTree) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """What lids and lashes, close by, leave of the colour, and how much that counts. It follows the lids' motion."""
    geometry = add_node(tree, "ShaderNodeNewGeometry", (-900, -1100))
    up = add_node(tree, "ShaderNodeVectorTransform", (-900, -1350))
    up.vector_type, up.convert_from, up.convert_to = "VECTOR", "OBJECT", "WORLD"
    up.inputs["Vector"].default_value = (0.0, 0.0, _UPPER)
    leaning = vector_math(tree, "ADD", (-700, -1100), geometry.outputs["Normal"])
    tree.links.new(up.outputs["Vector"], leaning.inputs[1])
    upwards = vector_math(tree, "NORMALIZE", (-500, -1100), leaning.outputs["Vector"])
    occlusion = add_node(tree, "ShaderNodeAmbientOcclusion", (-300, -1100))
    occlusion.samples = 8
    occlusion.inputs["Distance"].default_value = _SHADE_MM * METRES_PER_MM
    tree.links.new(upwards.outputs["Vector"], occlusion.inputs["Normal"])
    left = color_ramp(tree, (-100, -900), occlusion.outputs["AO"], [(0.1, _SHADED), (0.6, _grey(1.0))], 1.0)
    amount = add_node(tree, "ShaderNodeValue", (100, -700), SHADE_NODE)
    amount.outputs[0].default_value = _LID_SHADE
    return left, amount.outputs[0]


def _grey(value: float) -> tuple[float, float, float, float]:
    return (value, value, value, 1.0)


def _ramp(
    tree: bpy.types.NodeTree, radius: bpy.types.NodeSocket, stops: tuple[tuple[float, float], ...], height: int
) -> bpy.types.NodeSocket:
    return color_ramp(tree, (-900, height), radius, [(at, _grey(value)) for at, value in stops], _SPAN)


def _color(tree: bpy.types.NodeTree, location: tuple[int, int], name: str) -> bpy.types.NodeSocket:
    node = add_node(tree, "ShaderNodeRGB", location, name)
    default = DEFAULT_EYES.iris if name == IRIS_NODE else DEFAULT_EYES.sclera
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
