# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials that Blender's exporters understand: colours and pictures straight into a Principled BSDF."""

from pathlib import Path

import bpy
import cv2
import numpy as np

from ...core.eyes.pattern import iris_pattern
from ...core.eyes.types import CORNEA_IOR, DEFAULT_EYES, EyeLook
from ...core.io.images import write_png
from ...core.skin.types import SKIN_IOR
from ...names import (
    EXPORT_NAME_PROPERTY,
    FINE_MODIFIER,
    IRIS_ATTRIBUTE,
    MEDIUM_MODIFIER,
    SOCKET_ATTRIBUTE,
    UNSEEN_MODIFIER,
)
from ..build.eyes import EYE_ROUGHNESS, FIBRES_NODE, PATTERN_FULL, PATTERN_NODE, look_of
from ..build.material import ALBEDO_NODE, FLESH, ROUGHNESS_NODE
from ..nodes import add_node, find_node
from ..relief.nodes import BOTH_IMAGE_NODE, FINE_IMAGE_NODE, UNSEEN_IMAGE_NODE
from ..relief.wrinkles import shown_weights
from ..space import METRES_PER_MM
from .eye_texture import eye_picture, eye_uv
from .pictures import colours_png, numbers_png, picture_values

_ALBEDO, _ROUGHNESS, _NORMAL, _EYE = "albedo", "roughness", "normal", "eye"
_ENDINGS = {"JPEG": ".jpg", "TARGA": ".tga", "TIFF": ".tif", "OPEN_EXR": ".exr", "OPEN_EXR_MULTILAYER": ".exr"}
"""Of files, by Blender's names of formats, where they are not alike."""
_STEEPEST = 1e-3
"""Normals are taken to lean no further than this third coordinate says."""


def plain_materials(
    original: bpy.types.Object, mesh: bpy.types.Mesh, stem: Path, normals: np.ndarray | None = None
) -> None:
    """Give a copy of a head's mesh materials for exporters; those of the artist's own it keeps.

    Args:
        original: the head's object. mesh: a copy of its mesh.
        stem: beginning of the pictures' file names, which are written.
        normals: (R, R, 3) uint8, of the skin; by default those of the relief that the head shows.
    """
    for index, material in enumerate(list(mesh.materials)):
        if material is None or not material.use_nodes:
            continue
        if is_skin(material):
            mesh.materials[index] = _skin(original, material, stem, normals)
            _part_flesh(mesh, index)
        elif _is_eye(material) and IRIS_ATTRIBUTE in mesh.attributes:
            mesh.materials[index] = _eye(material, stem)
            _lay_out_eye(mesh)


def unpack_pictures(mesh: bpy.types.Mesh, folder: Path, copies: dict[bpy.types.Material, bpy.types.Material]) -> None:
    """Let the materials of a copy that are a head's or the artist's own have their packed pictures as files.

    Some exporters write no others. A material with such pictures is copied.

    Args:
        copies: of materials, which may have been made for other meshes.
    """
    for index, material in enumerate(list(mesh.materials)):
        nodes = material.node_tree.nodes if material is not None and material.use_nodes else ()
        packed = [node.name for node in nodes if node.type == "TEX_IMAGE" and _is_packed(node.image)]
        if not packed:
            continue
        if material in copies:
            mesh.materials[index] = copies[material]
            continue
        mesh.materials[index] = copies[material] = material.copy()
        for node in (mesh.materials[index].node_tree.nodes[name] for name in packed):
            image = node.image
            data = bytes(image.packed_file.data)
            path = folder / bpy.path.clean_name(image.get(EXPORT_NAME_PROPERTY, image.name))
            path = path.with_suffix(_ENDINGS.get(image.file_format, f".{image.file_format.lower()}"))
            path.write_bytes(data)
            node.image = bpy.data.images.load(str(path), check_existing=True)
            node.image.colorspace_settings.name = image.colorspace_settings.name


def _is_packed(image: bpy.types.Image | None) -> bool:
    return image is not None and image.source == "FILE" and image.packed_file is not None


def is_skin(material: bpy.types.Material | None) -> bool:
    """Whether a material is that of a head's skin, as FaceDetail makes it."""
    return material is not None and material.use_nodes and ALBEDO_NODE in material.node_tree.nodes


def is_clear(item: bpy.types.Object) -> bool:
    """Whether an object is see-through as a whole, as the film over an imported model's eyes is."""
    trees = [slot.material.node_tree for slot in item.material_slots if slot.material and slot.material.use_nodes]
    return bool(trees) and all(_surface(tree) == "BSDF_TRANSPARENT" for tree in trees)


def _surface(tree: bpy.types.NodeTree) -> str:
    output = find_node(tree, "OUTPUT_MATERIAL")
    links = output.inputs["Surface"].links if output is not None else ()
    return links[0].from_node.type if links else ""


def _skin(
    original: bpy.types.Object, material: bpy.types.Material, stem: Path, normals: np.ndarray | None
) -> bpy.types.Material:
    made, shader = _principled(material.name)
    tree, nodes = made.node_tree, material.node_tree.nodes
    for name, kind, socket in ((ALBEDO_NODE, _ALBEDO, "Base Color"), (ROUGHNESS_NODE, _ROUGHNESS, "Roughness")):
        image = _image_of(nodes, name)
        if image is None:
            continue
        path = _picture_file(stem, kind)
        path.write_bytes(colours_png(image) if kind == _ALBEDO else numbers_png(image))
        tree.links.new(_picture(tree, path, is_data=kind != _ALBEDO), shader.inputs[socket])
    normals = relief_normals(original, material) if normals is None else normals
    if normals is not None:
        path = _picture_file(stem, _NORMAL)
        write_png(
            path, normals if normals.dtype == np.uint8 else np.round(255 * (0.5 + 0.5 * normals)).astype(np.uint8)
        )
        normal_map = add_node(tree, "ShaderNodeNormalMap", (-250, -600))
        tree.links.new(_picture(tree, path, is_data=True), normal_map.inputs["Color"])
        tree.links.new(normal_map.outputs["Normal"], shader.inputs["Normal"])
    own = find_node(material.node_tree, "BSDF_PRINCIPLED")  # the artist may have put another shader in its place
    shader.inputs["IOR"].default_value = SKIN_IOR if own is None else own.inputs["IOR"].default_value
    return made


def _image_of(nodes: bpy.types.Nodes, name: str) -> bpy.types.Image | None:
    """The picture of a node; None where the artist has removed one of them, or has another node of that name."""
    return getattr(nodes.get(name), "image", None)


def relief_normals(original: bpy.types.Object, material: bpy.types.Material) -> np.ndarray | None:
    """(R, R, 3) float32 tangent-space normals of the relief as the head shows it now; None without relief.

    Slopes add up as heights do: both maps' slopes are taken apart into those of wrinkles and of pores.
    """
    nodes = material.node_tree.nodes
    images = [_image_of(nodes, name) for name in (BOTH_IMAGE_NODE, FINE_IMAGE_NODE)]
    medium, fine, unseen = (_strength(original, name) for name in (MEDIUM_MODIFIER, FINE_MODIFIER, UNSEEN_MODIFIER))
    if None in images or not (medium or fine or unseen):
        return None
    both, small = map(_slopes, images)
    slopes = medium * (both - small) + fine * small
    elsewhere = _image_of(nodes, UNSEEN_IMAGE_NODE)
    if unseen and elsewhere is not None:
        slopes += unseen * _slopes(elsewhere)
    weights = shown_weights(original)
    if weights is not None:
        slopes *= cv2.resize(weights, slopes.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    normals = np.concatenate([slopes, np.ones_like(slopes[..., :1])], axis=-1)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def _strength(original: bpy.types.Object, name: str) -> float:
    """Of a modifier of the relief, which keeps it in every mode; what the artist has removed has none."""
    modifier = original.modifiers.get(name)
    return modifier.strength / METRES_PER_MM if modifier is not None else 0.0


def _slopes(image: bpy.types.Image) -> np.ndarray:
    """(R, R, 2) float32, row 0 at the top."""
    normals = 2 * picture_values(image)[..., :3] - 1
    return normals[..., :2] / np.maximum(normals[..., 2:], _STEEPEST)


def _part_flesh(mesh: bpy.types.Mesh, skin_index: int) -> None:
    """A material of its own for the inside of the mouth and the eye sockets, of which the albedo knows nothing."""
    attribute = mesh.attributes.get(SOCKET_ATTRIBUTE)
    if attribute is None:
        return
    inside = np.empty(len(mesh.vertices), np.float32)
    attribute.data.foreach_get("value", inside)
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    starts, slots = (np.empty(len(mesh.polygons), np.int32) for _ in range(2))
    mesh.polygons.foreach_get("loop_start", starts)
    mesh.polygons.foreach_get("material_index", slots)
    is_flesh = (np.minimum.reduceat(inside[corners], starts) > 0.5) & (slots == skin_index)
    made, shader = _principled(f"{mesh.materials[skin_index].name} inside")
    shader.inputs["Base Color"].default_value = made.diffuse_color = FLESH
    mesh.materials.append(made)
    slots[is_flesh] = len(mesh.materials) - 1
    mesh.polygons.foreach_set("material_index", slots)


def _is_eye(material: bpy.types.Material) -> bool:
    return any(node.type == "ATTRIBUTE" and node.attribute_name == IRIS_ATTRIBUTE for node in material.node_tree.nodes)


def _eye(material: bpy.types.Material, stem: Path) -> bpy.types.Material:
    path = _picture_file(stem, _EYE)
    if not path.exists():
        look = look_of(material)
        write_png(path, eye_picture(look, look.iris_mm / DEFAULT_EYES.iris_mm, _iris_pattern(material, look)))
    made, shader = _principled(material.name)
    made.node_tree.links.new(_picture(made.node_tree, path), shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = EYE_ROUGHNESS
    shader.inputs["IOR"].default_value = CORNEA_IOR
    return made


def _iris_pattern(material: bpy.types.Material, look: EyeLook) -> np.ndarray:
    """The fibres as the material shows them; those of older files, which have no picture of them, are made."""
    nodes = material.node_tree.nodes
    image = _image_of(nodes, PATTERN_NODE)
    pattern = iris_pattern(look, material.name) if image is None else picture_values(image)[..., :3] * PATTERN_FULL
    shown = nodes[FIBRES_NODE].outputs[0].default_value if FIBRES_NODE in nodes else 1.0
    return np.ascontiguousarray(1 + shown * (pattern - 1), np.float32)


def _lay_out_eye(mesh: bpy.types.Mesh) -> None:
    iris = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes[IRIS_ATTRIBUTE].data.foreach_get("vector", iris)
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.uv_layers[0].data.foreach_set("uv", eye_uv(iris.reshape(-1, 3)[:, :2])[corners].ravel())


def _principled(name: str) -> tuple[bpy.types.Material, bpy.types.ShaderNode]:
    made = bpy.data.materials.new(name.replace(" ", "_"))
    made.use_nodes = True
    return made, find_node(made.node_tree, "BSDF_PRINCIPLED")


def _picture_file(stem: Path, kind: str) -> Path:
    return stem.with_name(f"{stem.name}_{kind}.png")


def _picture(tree: bpy.types.NodeTree, path: Path, is_data: bool = False) -> bpy.types.NodeSocket:
    node = add_node(tree, "ShaderNodeTexImage", (-600, 0))
    node.image = bpy.data.images.load(str(path), check_existing=True)
    if is_data:
        node.image.colorspace_settings.is_data = True  # by its role: the name is the configuration's
    return node.outputs["Color"]
