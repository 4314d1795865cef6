# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' look, from a few numbers. Colours are linear Rec. 709."""

import bpy

from .nodes import add_node, color_ramp, mix_colors, vector_math

IRIS_ATTRIBUTE = "facedetail_iris"
"""Point attribute of the eyes: position around the pupil, in iris radii."""

_SCLERA = (0.47, 0.46, 0.45, 1.0)
_SCLERA_VEINS = (0.42, 0.34, 0.32, 1.0)
_PUPIL = (0.003, 0.003, 0.003, 1.0)
_IRIS_INNER = (0.08, 0.04, 0.018, 1.0)
_IRIS_OUTER = (0.035, 0.018, 0.01, 1.0)
_LIMBUS = (0.012, 0.008, 0.007, 1.0)
CORNEA_IOR, EYE_ROUGHNESS = 1.376, 0.06

RINGS = (
    (0.00, _PUPIL), (0.32, _PUPIL), (0.37, _IRIS_INNER), (0.80, _IRIS_OUTER),
    (0.96, _LIMBUS), (1.08, _SCLERA), (1.90, _SCLERA_VEINS),
)  # fmt: skip
"""Colours by the distance from the pupil's centre in iris radii."""
FIBRE_REACH = ((0.34, 0.0), (0.45, 1.0), (0.85, 1.0), (1.00, 0.0))
"""How much there is of the fibres, by the same distance."""
FIBRE_CONTRAST = (0.6, 1.5)
"""Fibres multiply the colour by something between these two."""


def shade_eye(tree: bpy.types.NodeTree, shader: bpy.types.ShaderNode) -> None:
    """Pupil, iris with fibres, limbus and white, by the distance from the pupil's centre, under a cornea's gloss."""
    place = add_node(tree, "ShaderNodeAttribute", (-1500, 0))
    place.attribute_name = IRIS_ATTRIBUTE
    radius = vector_math(tree, "LENGTH", (-1300, 100), place.outputs["Vector"]).outputs["Value"]

    # Fibres run outwards: the noise changes quickly around the pupil and slowly along the radius.
    around = vector_math(tree, "NORMALIZE", (-1300, -150), place.outputs["Vector"]).outputs["Vector"]
    along = vector_math(tree, "SCALE", (-1100, -300), place.outputs["Vector"])
    along.inputs["Scale"].default_value = 0.12
    direction = vector_math(tree, "ADD", (-900, -150), around)
    tree.links.new(along.outputs["Vector"], direction.inputs[1])
    fibres = add_node(tree, "ShaderNodeTexNoise", (-700, -150))
    fibres.inputs["Scale"].default_value = 9.0
    fibres.inputs["Detail"].default_value = 4.0
    tree.links.new(direction.outputs["Vector"], fibres.inputs["Vector"])

    rings = color_ramp(tree, (-900, 200), radius, RINGS)
    inside_iris = color_ramp(tree, (-900, 500), radius, [(at, (reach,) * 3 + (1,)) for at, reach in FIBRE_REACH])
    low, high = FIBRE_CONTRAST
    contrast = color_ramp(
        tree, (-500, -150), fibres.outputs["Fac"], [(0.35, (low,) * 3 + (1,)), (0.65, (high,) * 3 + (1,))], 1.0
    )
    mix = mix_colors(tree, (-250, 150), blend="MULTIPLY")
    tree.links.new(inside_iris, mix.inputs["Factor"])
    tree.links.new(rings, mix.inputs[6])
    tree.links.new(contrast, mix.inputs[7])
    tree.links.new(mix.outputs[2], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = EYE_ROUGHNESS
    shader.inputs["IOR"].default_value = CORNEA_IOR
    # A photo's light is too smooth for catchlights: all of a cornea's gloss would be a grey veil over the pupil.
    shader.inputs["Specular IOR Level"].default_value = 0.25
