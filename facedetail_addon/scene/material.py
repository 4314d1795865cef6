# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of a head: skin from the photo; eyes, teeth and gums from a few numbers. Colours are linear Rec. 709."""

import bpy

SOCKET_ATTRIBUTE = "facedetail_socket"
"""Point attribute of the skin, 1 inside the mouth bag and the eye sockets, where no photo looks."""
IRIS_ATTRIBUTE = "facedetail_iris"
"""Point attribute of the eyes: position around the pupil, in iris radii."""

_FLESH = (0.16, 0.035, 0.03, 1.0)
_SCLERA = (0.62, 0.56, 0.53, 1.0)
_SCLERA_VEINS = (0.55, 0.42, 0.39, 1.0)
_PUPIL = (0.003, 0.003, 0.003, 1.0)
_IRIS_INNER = (0.16, 0.075, 0.03, 1.0)
_IRIS_OUTER = (0.07, 0.032, 0.016, 1.0)
_LIMBUS = (0.02, 0.012, 0.01, 1.0)
_TEETH = (0.72, 0.65, 0.53, 1.0)
_GUMS = (0.30, 0.075, 0.07, 1.0)
_UNKNOWN = (0.4, 0.4, 0.4, 1.0)


def make_material(name: str, kind: str, texture: bpy.types.Image) -> bpy.types.Material:
    """The material of one slot of the face model.

    Args:
        name: of the material.
        kind: the slot: ``skin``, ``iris``, ``pupil``, ``sclera``, ``teeth``, ``gums``; anything else is plain grey.
        texture: the skin's colour in canonical UV.
    """
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    if kind == "skin":
        _skin(tree, shader, texture)
    elif kind in ("sclera", "iris", "pupil"):
        # One look for all: the border between iris and white is where the eye says, not where faces end.
        _eye(tree, shader)
    elif kind == "teeth":
        _plain(shader, _TEETH, roughness=0.2)
    elif kind == "gums":
        _plain(shader, _GUMS, roughness=0.3)
    else:
        _plain(shader, _UNKNOWN, roughness=0.5)
    return material


def _plain(shader: bpy.types.ShaderNode, color: tuple[float, ...], roughness: float) -> None:
    shader.inputs["Base Color"].default_value = color
    shader.inputs["Roughness"].default_value = roughness


def _skin(tree: bpy.types.NodeTree, shader: bpy.types.ShaderNode, texture: bpy.types.Image) -> None:
    """The texture as base colour, flesh where no photo looks, and little gloss, since the texture holds the photo's."""
    image = _node(tree, "ShaderNodeTexImage", (-700, 200))
    image.image = texture
    socket = _node(tree, "ShaderNodeAttribute", (-700, -100))
    socket.attribute_name = SOCKET_ATTRIBUTE
    mix = _mix(tree, (-350, 150))
    tree.links.new(socket.outputs["Fac"], mix.inputs["Factor"])
    tree.links.new(image.outputs["Color"], mix.inputs[6])
    mix.inputs[7].default_value = _FLESH
    tree.links.new(mix.outputs[2], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.55
    shader.inputs["Specular IOR Level"].default_value = 0.1


def _eye(tree: bpy.types.NodeTree, shader: bpy.types.ShaderNode) -> None:
    """Pupil, iris with fibres, limbus and white, by the distance from the pupil's centre."""
    place = _node(tree, "ShaderNodeAttribute", (-1500, 0))
    place.attribute_name = IRIS_ATTRIBUTE
    radius = _vector_math(tree, "LENGTH", (-1300, 100), place.outputs["Vector"]).outputs["Value"]

    # Fibres run outwards: the noise changes quickly around the pupil and slowly along the radius.
    around = _vector_math(tree, "NORMALIZE", (-1300, -150), place.outputs["Vector"]).outputs["Vector"]
    along = _vector_math(tree, "SCALE", (-1100, -300), place.outputs["Vector"])
    along.inputs["Scale"].default_value = 0.12
    direction = _vector_math(tree, "ADD", (-900, -150), around)
    tree.links.new(along.outputs["Vector"], direction.inputs[1])
    fibres = _node(tree, "ShaderNodeTexNoise", (-700, -150))
    fibres.inputs["Scale"].default_value = 9.0
    fibres.inputs["Detail"].default_value = 4.0
    tree.links.new(direction.outputs["Vector"], fibres.inputs["Vector"])

    rings = _ramp(tree, (-900, 200), radius, [
        (0.00, _PUPIL), (0.32, _PUPIL), (0.37, _IRIS_INNER), (0.80, _IRIS_OUTER),
        (0.96, _LIMBUS), (1.08, _SCLERA), (1.90, _SCLERA_VEINS),
    ])  # fmt: skip
    inside_iris = _ramp(tree, (-900, 500), radius, [
        (0.34, (0, 0, 0, 1)), (0.45, (1, 1, 1, 1)), (0.85, (1, 1, 1, 1)), (1.00, (0, 0, 0, 1)),
    ])  # fmt: skip
    contrast = _ramp(
        tree, (-500, -150), fibres.outputs["Fac"], [(0.35, (0.45,) * 3 + (1,)), (0.65, (1.7,) * 3 + (1,))], 1.0
    )
    mix = _mix(tree, (-250, 150), blend="MULTIPLY")
    tree.links.new(inside_iris, mix.inputs["Factor"])
    tree.links.new(rings, mix.inputs[6])
    tree.links.new(contrast, mix.inputs[7])
    tree.links.new(mix.outputs[2], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.06
    shader.inputs["IOR"].default_value = 1.376
    # Under even white light a cornea's full gloss would be a grey veil over the pupil.
    shader.inputs["Specular IOR Level"].default_value = 0.25


def _node(tree: bpy.types.NodeTree, kind: str, location: tuple[int, int]) -> bpy.types.Node:
    node = tree.nodes.new(kind)
    node.location = location
    return node


def _vector_math(
    tree: bpy.types.NodeTree, operation: str, location: tuple[int, int], first: bpy.types.NodeSocket
) -> bpy.types.Node:
    node = _node(tree, "ShaderNodeVectorMath", location)
    node.operation = operation
    tree.links.new(first, node.inputs[0])
    return node


def _mix(tree: bpy.types.NodeTree, location: tuple[int, int], blend: str = "MIX") -> bpy.types.Node:
    """A colour mix: input 6 and 7 are the colours, output 2 the result (the node keeps sockets of all data types)."""
    node = _node(tree, "ShaderNodeMix", location)
    node.data_type = "RGBA"
    node.blend_type = blend
    return node


def _ramp(
    tree: bpy.types.NodeTree,
    location: tuple[int, int],
    value: bpy.types.NodeSocket,
    stops: list[tuple[float, tuple[float, ...]]],
    span: float = 2.0,
) -> bpy.types.NodeSocket:
    """Colours by value from 0 to ``span``; ramps themselves know 0 to 1 only."""
    scale = _node(tree, "ShaderNodeMath", (location[0] - 200, location[1]))
    scale.operation = "DIVIDE"
    tree.links.new(value, scale.inputs[0])
    scale.inputs[1].default_value = span
    node = _node(tree, "ShaderNodeValToRGB", location)
    elements = node.color_ramp.elements
    elements[0].position, elements[0].color = stops[0][0] / span, stops[0][1]
    elements[1].position, elements[1].color = stops[-1][0] / span, stops[-1][1]
    for position, color in stops[1:-1]:
        elements.new(position / span).color = color
    tree.links.new(scale.outputs["Value"], node.inputs["Fac"])
    return node.outputs["Color"]
