# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of a head: skin from its maps; teeth and gums from a few numbers. Colours are linear Rec. 709."""

from dataclasses import dataclass

import bpy

from ...core.face_model.model import FILM, LASHES
from ...core.skin.types import SKIN_IOR, SUBSURFACE_ALBEDO, SUBSURFACE_POWER, SUBSURFACE_RADIUS_MM
from ...names import SCATTER_ATTRIBUTE, SOCKET_ATTRIBUTE
from ..colour_management import to_scene_linear
from ..nodes import add_node, find_node, image_node, mix_colors, vector_math
from ..units import link_millimetres
from .eyes import shade_eye

ALBEDO_NODE, ROUGHNESS_NODE = "Albedo", "Roughness"
"""Nodes with the skin's maps."""
TONGUE = "tongue"
"""A slot that the scene adds to the gums, which a face model's tongue belongs to."""
FLESH = (0.16, 0.035, 0.03, 1.0)
"""The colour where no photo looks."""
_TEETH = (0.72, 0.65, 0.53, 1.0)
_GUMS = (0.30, 0.075, 0.07, 1.0)
_TONGUE = (0.37, 0.135, 0.125, 1.0)
_DARK = (0.012, 0.009, 0.007, 1.0)
_UNKNOWN = (0.4, 0.4, 0.4, 1.0)
_SOLID_COLORS = {
    "sclera": (0.55, 0.53, 0.5, 1.0),
    "iris": (0.04, 0.025, 0.018, 1.0),
    "pupil": (0.003, 0.003, 0.003, 1.0),
    "teeth": _TEETH,
    "gums": _GUMS,
    TONGUE: _TONGUE,
    LASHES: _DARK,
    FILM: (1.0, 1.0, 1.0, 0.0),
}
"""Of parts without a picture in views with Solid shading, which know no nodes."""
_TEETH_RADIUS_MM = (1.0, 0.9, 0.8)
_BURLEY_RADIUS = 4.4
"""Blender's Subsurface Radius in diffuse mean free paths. Cycles takes radius · scale / 4π as the width d of the
profile of Christensen and Burley (2015). With d = 0.35 paths the edge of a shadow on skin is that of a Monte Carlo walk
("skin1" of Jensen et al. 2001 under a refracting border) within 0.6 % RMS. A surface stays as bright as without."""


@dataclass(frozen=True)
class SkinImages:
    """The skin's maps in canonical UV, packed: albedo in sRGB, roughness and specular as they are."""

    albedo: bpy.types.Image
    roughness: bpy.types.Image
    specular: bpy.types.Image


def make_material(name: str, kind: str, images: SkinImages) -> bpy.types.Material:
    """The material of one slot of the face model.

    Args:
        name: of the material.
        kind: the slot: ``skin``, ``iris``, ``pupil``, ``sclera``, ``teeth``, ``gums``, ``tongue``, ``film`` (the
            eyes' clear cover), ``lashes``; anything else is plain grey.
        images: the skin's maps.
    """
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.diffuse_color = _SOLID_COLORS.get(kind, material.diffuse_color)
    tree = material.node_tree
    shader = find_node(tree, "BSDF_PRINCIPLED")
    if kind == "skin":
        _skin(tree, shader, images)
    elif kind in ("sclera", "iris", "pupil"):
        # One look for all: the border between iris and white is where the eye says, not where faces end.
        shade_eye(material, shader)
    elif kind == "teeth":
        _plain(shader, _TEETH, roughness=0.2)
        _scatter(tree, shader, _TEETH_RADIUS_MM)
    elif kind == "gums":
        _plain(shader, _GUMS, roughness=0.3)
        _scatter(tree, shader, SUBSURFACE_RADIUS_MM)
    elif kind == TONGUE:
        _plain(shader, _TONGUE, roughness=0.45)  # its back is rough: lamps make no bright streaks there
        _scatter(tree, shader, SUBSURFACE_RADIUS_MM)
    elif kind == FILM:
        _clear(material, shader)
    elif kind == LASHES:
        _plain(shader, _DARK, roughness=0.4)
    else:
        _plain(shader, _UNKNOWN, roughness=0.5)
    return material


def _plain(shader: bpy.types.ShaderNode, color: tuple[float, ...], roughness: float) -> None:
    shader.inputs["Base Color"].default_value = to_scene_linear(color)
    shader.inputs["Roughness"].default_value = roughness


def _clear(material: bpy.types.Material, shader: bpy.types.ShaderNode) -> None:
    """See-through. Gloss is the eye's own: a second one would be a grey veil over the pupil."""
    tree = material.node_tree
    clear = add_node(tree, "ShaderNodeBsdfTransparent", (0, 0))
    tree.links.new(clear.outputs["BSDF"], find_node(tree, "OUTPUT_MATERIAL").inputs["Surface"])
    tree.nodes.remove(shader)
    material.surface_render_method = "BLENDED"


def _skin(tree: bpy.types.NodeTree, shader: bpy.types.ShaderNode, images: SkinImages) -> None:
    """The albedo as base colour, flesh where no photo looks; roughness and specular from their maps."""
    socket = add_node(tree, "ShaderNodeAttribute", (-700, 0))
    socket.attribute_name = SOCKET_ATTRIBUTE
    mix = mix_colors(tree, (-350, 250))
    tree.links.new(socket.outputs["Fac"], mix.inputs["Factor"])
    albedo = image_node(tree, (-700, 350), images.albedo, ALBEDO_NODE)
    tree.nodes.active = albedo.node  # which Solid shading shows
    tree.links.new(albedo, mix.inputs[6])
    mix.inputs[7].default_value = to_scene_linear(FLESH)
    tree.links.new(mix.outputs[2], shader.inputs["Base Color"])
    tree.links.new(image_node(tree, (-700, -200), images.roughness, ROUGHNESS_NODE), shader.inputs["Roughness"])
    tree.links.new(image_node(tree, (-700, -500), images.specular, "Specular"), shader.inputs["Specular IOR Level"])
    shader.inputs["IOR"].default_value = SKIN_IOR
    _scatter(tree, shader, SUBSURFACE_RADIUS_MM)
    tree.links.new(_scatter_radius(tree, mix.outputs[2]), shader.inputs["Subsurface Radius"])
    # Cycles looks for scattered light in a ball, so it would leak from lip to lip where they touch.
    free = add_node(tree, "ShaderNodeAttribute", (-700, -800))
    free.attribute_name = SCATTER_ATTRIBUTE
    tree.links.new(free.outputs["Fac"], shader.inputs["Subsurface Weight"])


def _scatter_radius(tree: bpy.types.NodeTree, albedo: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """The radius where the albedo is so: darker skin scatters less far, as do brows and stubble painted on it."""
    power = add_node(tree, "ShaderNodeGamma", (-150, -350))
    power.inputs["Gamma"].default_value = SUBSURFACE_POWER
    tree.links.new(albedo, power.inputs["Color"])
    radius = vector_math(tree, "MULTIPLY", (0, -350), power.outputs["Color"])
    radius.inputs[1].default_value = [
        _BURLEY_RADIUS * length / usual**SUBSURFACE_POWER
        for length, usual in zip(SUBSURFACE_RADIUS_MM, SUBSURFACE_ALBEDO, strict=True)
    ]
    return radius.outputs["Vector"]


def _scatter(
    tree: bpy.types.NodeTree, shader: bpy.types.ShaderNode, mean_free_path_mm: tuple[float, float, float]
) -> None:
    shader.subsurface_method = "BURLEY"
    shader.inputs["Subsurface Weight"].default_value = 1.0
    shader.inputs["Subsurface Radius"].default_value = [_BURLEY_RADIUS * length for length in mean_free_path_mm]
    link_millimetres(tree, (-700, -3000), 1.0, shader.inputs["Subsurface Scale"])
