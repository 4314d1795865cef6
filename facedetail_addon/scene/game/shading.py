# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials and pictures of a head for game engines: a Principled BSDF with pictures, and a baked normal map."""

import re
import tempfile
from pathlib import Path

import bpy
import numpy as np

from ...core.reduction.baked import ShadedMesh, bake_normals
from ...names import EXPORT_NAME_PROPERTY
from ..export.material import is_skin, plain_materials, relief_normals
from ..nodes import find_node
from .naming import call, part_name
from .parts import layout_of

_TEXTURES = {"albedo": "BaseColor", "roughness": "Roughness", "normal": "Normal", "eye": "Eye_BaseColor"}
_INSIDE, _EYE = "Mouth", "Eye"
_BARE_SIDE = 1024
"""Of the normal map of a skin without relief or picture."""


def shade(originals: dict[str, bpy.types.Object], meshes: dict[str, bpy.types.Mesh], stem: str) -> None:
    """Give reduced meshes their materials; pictures are packed.

    Args:
        originals: the head's parts, by their names. meshes: the reduced ones, with the originals' materials.
        stem: the names' beginning.
    """
    done: dict[bpy.types.Material, bpy.types.Material] = {}
    named: dict[str, bpy.types.Material] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / stem
        for part, mesh in meshes.items():
            before = list(mesh.materials)
            material = next(filter(is_skin, before), None)
            normals = None if material is None else _baked(originals[part], material, mesh)
            plain_materials(originals[part], mesh, path, normals)
            for index, material in enumerate(list(mesh.materials)):
                kept = before[index] if index < len(before) else None
                if material is not None and material == kept:
                    if material not in done:
                        done[material] = _plain(material)
                    mesh.materials[index] = done[material]
            _name(part, mesh, stem, named)
        _pack(meshes, stem)


def _plain(material: bpy.types.Material) -> bpy.types.Material:
    """Colour and roughness of a material without pictures, as engines know them; another stays what it is."""
    shader = find_node(material.node_tree, "BSDF_PRINCIPLED") if material.use_nodes else None
    if shader is None or shader.inputs["Base Color"].is_linked:
        return material
    made = bpy.data.materials.new(material.name)
    made.use_nodes = True
    made.diffuse_color = material.diffuse_color
    plain = find_node(made.node_tree, "BSDF_PRINCIPLED")
    for name in ("Base Color", "Roughness", "IOR", "Specular IOR Level"):
        plain.inputs[name].default_value = shader.inputs[name].default_value
    return made


def _name(part: str, mesh: bpy.types.Mesh, stem: str, named: dict[str, bpy.types.Material]) -> None:
    """``M_somebody_8k_Skin``. Upper and lower teeth, both eyes, iris and white are one material where they look alike.

    Args:
        named: the materials so far by their names.
    """
    for index, material in enumerate(list(mesh.materials)):
        if material is None or EXPORT_NAME_PROPERTY in material:
            continue
        last = re.sub(r"\.\d+$", "", material.name).replace("_", " ").rpartition(" ")[2]
        kind = {"inside": _INSIDE, "sclera": _EYE, "iris": _EYE, "pupil": _EYE}.get(last, part_name(last))
        for name in (f"M_{stem}_{kind}", f"M_{stem}_{part_name(part)}{kind}", f"M_{stem}_{part_name(part)}{index}"):
            if name not in named:
                call(material, name)
                named[name] = material
                break
            if _look(named[name]) == _look(material):
                mesh.materials[index] = named[name]
                break
    _drop_doubles(mesh)


def _drop_doubles(mesh: bpy.types.Mesh) -> None:
    """A material once for each mesh."""
    slots = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", slots)
    materials = list(mesh.materials)
    kept = list(dict.fromkeys(materials))
    if not materials or len(kept) == len(materials):
        return
    mesh.materials.clear()
    for material in kept:
        mesh.materials.append(material)
    place = np.array([kept.index(material) for material in materials], np.int32)
    mesh.polygons.foreach_set("material_index", place[slots.clip(0, len(place) - 1)])


def _look(material: bpy.types.Material) -> tuple[object, ...]:
    shader = find_node(material.node_tree, "BSDF_PRINCIPLED") if material.use_nodes else None
    if shader is None:
        return (material.name,)
    return (tuple(shader.inputs["Base Color"].default_value), shader.inputs["Roughness"].default_value,
            frozenset(image.name for image in _pictures(material)))  # fmt: skip


def _pictures(material: bpy.types.Material | None) -> set[bpy.types.Image]:
    nodes = material.node_tree.nodes if material is not None and material.use_nodes else ()
    return {node.image for node in nodes if node.type == "TEX_IMAGE" and node.image is not None}


def _pack(meshes: dict[str, bpy.types.Mesh], stem: str) -> None:
    materials = {material for mesh in meshes.values() for material in mesh.materials}
    for image in {image for material in materials for image in _pictures(material)}:
        kind = Path(image.filepath).stem.rpartition("_")[2]
        if kind in _TEXTURES and image.packed_file is None:
            image.pack()
            call(image, f"T_{stem}_{_TEXTURES[kind]}")
            image.filepath = f"//{image.name}.png"
    for material in materials - {None}:
        albedo = next((node for node in material.node_tree.nodes if node.type == "TEX_IMAGE"), None)
        if albedo is not None:
            material.node_tree.nodes.active = albedo  # which Solid shading shows


def _baked(original: bpy.types.Object, material: bpy.types.Material, mesh: bpy.types.Mesh) -> np.ndarray:
    """What the reduced skin's normals lack of the head's."""
    relief = relief_normals(original, material)
    side = _BARE_SIDE if relief is None else len(relief)
    return bake_normals(_at_rest(original.data), shaded_mesh(mesh), relief, side)


def _at_rest(mesh: bpy.types.Mesh) -> ShadedMesh:
    """A mesh without expression."""
    copy = mesh.copy()
    try:
        if mesh.shape_keys is not None:
            keys = mesh.shape_keys
            points = np.empty(3 * len(mesh.vertices), np.float32)
            keys.reference_key.points.foreach_get("co", points)
            copy.vertices.foreach_set("co", points)
            copy.update()
        return shaded_mesh(copy)
    finally:
        bpy.data.meshes.remove(copy)


def shaded_mesh(mesh: bpy.types.Mesh) -> ShadedMesh:
    """A mesh of triangles and quads as shaders see it: its own normals, and tangents by MikkTSpace."""
    layout, places = layout_of(mesh)
    mesh.calc_tangents(uvmap=mesh.uv_layers[0].name)
    try:
        found = []
        for name in ("normal", "tangent"):
            values = np.empty(3 * len(mesh.loops), np.float32)
            mesh.loops.foreach_get(name, values)
            found.append(np.zeros((len(layout.uv), 3), np.float32))
            found[-1][places] = values.reshape(-1, 3)
        signs = np.ones(len(layout.uv), np.float32)
        values = np.empty(len(mesh.loops), np.float32)
        mesh.loops.foreach_get("bitangent_sign", values)
        signs[places] = values
        return ShadedMesh(layout, found[0], found[1], signs)
    finally:
        mesh.free_tangents()
