# SPDX-License-Identifier: GPL-3.0-or-later
"""A head for other programs, by Blender's own exporters.

Exporters know neither node-built materials nor drivers, and drop shape keys where a modifier changes the mesh. So a
copy is exported: the smooth base meshes with their shape keys, and materials of plain pictures, the relief as normals.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import bpy
from mathutils import Matrix

from ...core.errors import OutputError
from ...names import DENSITY_PROPERTY, EXPORT_NAME_PROPERTY, PART_PROPERTY
from ..frames import in_frame
from ..head_object import HeadObject
from ..rig.bones import rig_of
from ..rollback import removed_afterwards
from ..units import units_per_metre
from .material import is_clear, plain_materials, unpack_pictures
from .measures import scale_copies
from .own_names import own_names
from .regions import leave_regions, plain_regions
from .shape_keys import plain_keys

_CENTIMETRES = 100.0
_REMEDY = "Choose a folder that you may write to, on a disk with free space."


def export_head(head: HeadObject, path: Path, *, centimetres: bool = False) -> Path:
    """Write a head in real size (metres) with its expression; in the artist's scene nothing changes.

    FBX, glTF and USD carry the expressions as shape keys of the neutral head; OBJ is the posed head, and beside it the
    neutral one, ``…_neutral.obj``. Regions of the face are groups of OBJ's faces, and numbers of glTF's and USD's
    vertices. FBX, ``.glb`` and ``.usdz`` have
    their pictures inside, the others beside them. There is no camera or light. FBX, glTF and USD carry the armature
    that the skin follows, OBJ what it makes of the head.

    Args:
        head: any.
        path: ``.fbx``, ``.glb``, ``.gltf``, ``.usd``, ``.usda``, ``.usdc``, ``.usdz`` or ``.obj``; replaced if there.
        centimetres: of FBX: numbers and unit are centimetres, as Unreal's are.

    Returns:
        the path.

    Raises:
        OutputError: the head has no meshes, an unknown ending, an exporter that is switched off, or a file that
            cannot be written.
    """
    path = path.absolute()
    export = _EXPORTERS.get(path.suffix.lower())
    if export is None:
        raise OutputError(f"{path.name} names no known format.", f"Choose one of {', '.join(_EXPORTERS)}.")
    _check_place(path)
    meshes = _meshes(head)
    if not meshes:
        raise OutputError(f"{head.root.name} has no meshes any more.", "Reconstruct a photo first.")
    bpy.context.view_layer.update()  # so that driven shape keys have their values
    try:
        # The exporter for .usdz leaves the process in another folder.
        with chdir("."), tempfile.TemporaryDirectory() as pictures, removed_afterwards():
            rig = rig_of(head)
            bones = frozenset() if rig is None else frozenset(bone.name for bone in rig.data.bones)
            copies = _copies(head, meshes, Path(pictures) / path.stem, bones)
            _copy_armature(head, rig, bones, copies)
            bpy.context.scene.collection.children.link(copies)
            measured = centimetres and path.suffix.lower() == ".fbx"
            if measured:
                scale_copies(copies, _CENTIMETRES)
            with own_names(copies), _unit(bpy.context.scene, 1 / _CENTIMETRES if measured else 1.0):
                export(path, copies.name)
    except (RuntimeError, OSError) as error:
        raise OutputError(f"{path} cannot be written: {_reason(error)}.", _REMEDY) from error
    if not path.is_file():
        raise OutputError(f"{path} cannot be written.", _REMEDY)
    return path


def _check_place(path: Path) -> None:
    """Raises OutputError where a file cannot be written, before exporters find out in their own words."""
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: its folder is not there.", _REMEDY)
    try:
        if path.exists():
            with path.open("r+b"):
                pass
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.", _REMEDY) from error


def _reason(error: Exception) -> str:
    """Of exporters' errors, which come with the way that they took through Python, the line that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("File ", "Location:", "^", "Error: Python: Traceback"))]
    return (told or [type(error).__name__])[-1].removeprefix("Error: ").rstrip(".")


def _meshes(head: HeadObject) -> list[bpy.types.Object]:
    """Its parts, and meshes that the artist has hung on its root."""
    meshes = [item for item in head.objects if item.type == "MESH"]
    return [item for item in meshes if item.parent == head.root or PART_PROPERTY in item]


def _copies(
    head: HeadObject, meshes: list[bpy.types.Object], pictures: Path, bones: frozenset[str]
) -> bpy.types.Collection:
    """The head's root and meshes once more, as exporters want them."""
    root = head.root
    collection = bpy.data.collections.new(f"{root.name} export")
    parent = bpy.data.objects.new(_plain(root.name), None)
    if DENSITY_PROPERTY not in root:  # engines want the head at the origin
        parent.matrix_world = Matrix.Scale(1 / units_per_metre(bpy.context.scene), 4) @ root.matrix_world
    collection.objects.link(parent)
    unpacked: dict[bpy.types.Material, bpy.types.Material] = {}
    for original in meshes:
        if original.hide_render or is_clear(original):
            continue
        mesh = original.data.copy()
        mesh.name = _plain(original.name)
        made = bpy.data.objects.new(_plain(original.name), mesh)
        made.parent = parent
        if original.parent == root:
            made.matrix_parent_inverse, made.matrix_basis = original.matrix_parent_inverse, original.matrix_basis
        else:
            made.matrix_basis = in_frame(original, root)
        plain_keys(original, made)
        plain_regions(original, made, bones)
        for index, slot in enumerate(original.material_slots):  # of duplicates that share a mesh each may have its own
            mesh.materials[index] = slot.material
        plain_materials(original, mesh, pictures)
        unpack_pictures(mesh, pictures.parent, unpacked)
        if EXPORT_NAME_PROPERTY in original:
            made[EXPORT_NAME_PROPERTY] = original[EXPORT_NAME_PROPERTY]
        collection.objects.link(made)
    return collection


def _copy_armature(
    head: HeadObject, rig: bpy.types.Object | None, bones: frozenset[str], copies: bpy.types.Collection
) -> None:
    """Let the copies of what follows a head's armature follow a copy of it."""
    if rig is None:
        return
    (parent,) = (item for item in copies.objects if item.type == "EMPTY")
    armature = rig.copy()
    armature.data, armature.name, armature.parent = rig.data.copy(), _plain(rig.name), parent
    copies.objects.link(armature)
    place = (armature.matrix_parent_inverse @ armature.matrix_basis).inverted()
    for made in copies.objects:
        if made.type == "MESH" and any(name in made.vertex_groups for name in bones):
            made.modifiers.new("Armature", "ARMATURE").object = armature
            made.parent, made.matrix_parent_inverse = armature, place @ made.matrix_parent_inverse  # as glTF wants it
    if DENSITY_PROPERTY in head.root:  # for engines an empty above the skeleton is one more bone
        armature.parent = None
        bpy.data.objects.remove(parent)


def _plain(name: str) -> str:
    """Without spaces, which some formats replace, and braces, on which readers stumble (trimesh 5.2 on glTF)."""
    return name.translate(str.maketrans(" {}", "_()"))


def _write_fbx(path: Path, collection: str) -> None:
    _switched_on("export_scene", "fbx", "FBX format")
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        check_existing=False,
        collection=collection,
        object_types={"EMPTY", "MESH", "ARMATURE"},
        add_leaf_bones=False,
        apply_scale_options="FBX_SCALE_ALL",  # metres without a factor of 100 on every object
        use_mesh_modifiers=False,
        mesh_smooth_type="FACE",
        bake_anim=False,
        path_mode="COPY",
        embed_textures=True,
    )


def _write_gltf(path: Path, collection: str) -> None:
    _switched_on("export_scene", "gltf", "glTF 2.0 format")
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        check_existing=False,
        collection=collection,
        export_format="GLB" if path.suffix.lower() == ".glb" else "GLTF_SEPARATE",
        export_animations=False,
        export_morph=True,
        export_try_sparse_sk=False,  # sparse and all-zero offsets are valid, but VTK and assimp refuse files with them
        export_skins=True,
        export_all_influences=False,
        export_attributes=True,  # regions of the face
        export_extras=True,  # and their names
    )


def _write_usd(path: Path, collection: str) -> None:
    _built_in("usd_export", "USD")
    with _one_frame(bpy.context.scene):
        bpy.ops.wm.usd_export(
            filepath=str(path),
            check_existing=False,
            collection=collection,
            export_animation=True,  # else the shape keys' values are left out
            export_armatures=True,
            export_shapekeys=True,
            export_lights=False,
            export_cameras=False,
            convert_world_material=False,
            generate_preview_surface=True,
            **_usd_textures(),
            overwrite_textures=True,
        )


def _usd_textures() -> dict[str, object]:
    """Pictures are written too, as this Blender's exporter wants to hear it: 4.2 knows no ways to do so."""
    known = bpy.ops.wm.usd_export.get_rna_type().properties.keys()
    return {"export_textures_mode": "NEW"} if "export_textures_mode" in known else {"export_textures": True}


@contextmanager
def _unit(scene: bpy.types.Scene, metres: float) -> Iterator[None]:
    """One unit is so many metres, as the copies are: some exporters ask the scene, others do not."""
    units = scene.unit_settings
    system, length = units.system, units.scale_length
    try:
        if metres != 1.0:
            units.system = "METRIC"
        units.scale_length = metres
        yield
    finally:
        units.system, units.scale_length = system, length


@contextmanager
def _one_frame(scene: bpy.types.Scene) -> Iterator[None]:
    """An animation of the present frame alone."""
    start, end = scene.frame_start, scene.frame_end
    try:
        scene.frame_start = scene.frame_end = scene.frame_current
        yield
    finally:
        scene.frame_start, scene.frame_end = start, end


def _write_obj(path: Path, collection: str) -> None:
    _built_in("obj_export", "OBJ")
    objects = bpy.data.collections[collection].objects
    items = [item for item in objects if item.type == "MESH"]
    keys = [item.data.shape_keys for item in items if item.data.shape_keys is not None]
    posed = _evaluated(items)
    for slider in [key for one in keys for key in one.key_blocks[1:]]:
        slider.value = 0.0
    for armature in [item for item in objects if item.type == "ARMATURE"]:
        armature.data.pose_position = "REST"
    neutral = _evaluated(items) if keys else None
    _write_meshes(path, collection, dict(zip(items, posed, strict=True)), True)
    if neutral is not None:
        other = path.with_name(f"{path.stem}_neutral{path.suffix}")
        _write_meshes(other, collection, dict(zip(items, neutral, strict=True)), False)


def _evaluated(items: list[bpy.types.Object]) -> list[bpy.types.Mesh]:
    """The meshes that sliders and armature make."""
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return [bpy.data.meshes.new_from_object(item.evaluated_get(depsgraph)) for item in items]


def _write_meshes(
    path: Path, collection: str, meshes: dict[bpy.types.Object, bpy.types.Mesh], with_materials: bool
) -> None:
    for item, mesh in meshes.items():
        item.modifiers.clear()
        item.data = mesh
        leave_regions(item)
    bpy.ops.wm.obj_export(
        filepath=str(path),
        check_existing=False,
        collection=collection,
        export_vertex_groups=True,  # regions of the face
        export_materials=with_materials,
        export_pbr_extensions=with_materials,
        path_mode="COPY",
    )


def _switched_on(module: str, name: str, title: str) -> None:
    """These exporters are add-ons of Blender."""
    if name not in dir(getattr(bpy.ops, module)):
        raise OutputError(
            f"Blender's exporter for the {title} is switched off.", f"Switch the add-on {title} on in the preferences."
        )


def _built_in(operator: str, title: str) -> None:
    """Blender may be built without these exporters, as some systems' packages are."""
    if operator not in dir(bpy.ops.wm):
        raise OutputError(
            f"This Blender was built without {title}.", "Take another format, or Blender from blender.org."
        )


_EXPORTERS: dict[str, Callable[[Path, str], None]] = {
    ".fbx": _write_fbx,
    ".glb": _write_gltf,
    ".gltf": _write_gltf,
    ".usd": _write_usd,
    ".usda": _write_usd,
    ".usdc": _write_usd,
    ".usdz": _write_usd,
    ".obj": _write_obj,
}
