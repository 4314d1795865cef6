# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports that cannot be written say so in a sentence with a remedy; and what lies beside or in those that can."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from facedetail_addon.core.errors import OutputError

SUFFIXES = (".fbx", ".glb", ".gltf", ".usdz", ".usdc", ".obj")


@pytest.fixture
def plain(model):
    """The built-in head with one expression."""
    kept = [model.expression_names.index("jawOpen")]
    return dataclasses.replace(model, expression_basis=model.expression_basis[kept], expression_names=("jawOpen",))


@pytest.fixture
def head(blender, plain, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    return build_scene(reconstruction_of(plain, expression={"jawOpen": 0.8}), plain)


def closed_folder(tmp_path) -> Path:
    """One that nobody may write to; the administrator may write anywhere but into the kernel's own folders."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    folder = folder if os.name == "posix" and os.geteuid() else Path("/proc/self")
    if not folder.is_dir():
        pytest.skip("this system has no folder that the administrator may not write to")
    return folder


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_place_that_cannot_be_written_to_is_told_in_a_sentence(head, tmp_path, suffix):
    from facedetail_addon.scene.export.head import export_head

    folder = tmp_path / f"head{suffix}"
    folder.mkdir()
    for path in (closed_folder(tmp_path) / f"head{suffix}", folder):
        with pytest.raises(OutputError, match="cannot be written") as raised:
            export_head(head, path)
        assert str(path) in raised.value.message and "Traceback" not in raised.value.message
        assert "\n" not in raised.value.message and "may write" in raised.value.remedy


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX' limits")
@pytest.mark.parametrize("suffix", [".fbx", ".obj"])
def test_a_full_disk_is_told_in_a_sentence(head, tmp_path, suffix):
    """It is found out by the exporter, whose words come with its way through Python."""
    import resource

    from facedetail_addon.scene.export.head import export_head

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written") as raised:
            export_head(head, tmp_path / f"head{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "Traceback" not in raised.value.message and "\n" not in raised.value.message
    assert "free space" in raised.value.remedy


@pytest.mark.parametrize(("addon", "suffix"), [("io_scene_fbx", ".fbx"), ("io_scene_gltf2", ".glb")])
def test_an_exporter_that_is_switched_off_is_named(head, tmp_path, addon, suffix):
    import addon_utils  # there when bpy is

    from facedetail_addon.scene.export.head import export_head

    addon_utils.disable(addon)
    try:
        with pytest.raises(OutputError, match="switched off") as raised:
            export_head(head, tmp_path / f"head{suffix}")
    finally:
        addon_utils.enable(addon)
    assert "preferences" in raised.value.remedy and not list(tmp_path.iterdir())


def places(path: Path) -> np.ndarray:
    """(N, 3) of an OBJ file's vertices."""
    lines = path.read_text().splitlines()
    return np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)


def test_obj_has_the_neutral_head_beside_it(blender, head, plain, reconstruction_of, tmp_path):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.export.head import export_head

    export_head(head, tmp_path / "head.obj")
    posed, neutral = (places(tmp_path / name) for name in ("head.obj", "head_neutral.obj"))
    assert np.abs(posed - neutral).max() > 0.005
    assert head.keys.key_blocks["jawOpen"].value == pytest.approx(0.8), "the artist's head stays as it is"
    blender.ops.wm.read_factory_settings(use_empty=True)
    calm = build_scene(reconstruction_of(plain), plain)
    export_head(calm, tmp_path / "calm.obj")
    assert np.abs(places(tmp_path / "calm.obj") - neutral).max() < 1e-5


def test_regions_of_the_face_are_groups_in_blender_and_go_with_obj_and_usd(blender, head, plain, tmp_path):
    """Without the groups of a rig, which are stronger."""
    from facedetail_addon.scene.export.head import export_head

    skin = head.skin
    assert set(plain.region_names) <= set(skin.vertex_groups.keys())
    skin.vertex_groups.new(name="Bone").add(range(len(skin.data.vertices)), 1.0, "REPLACE")
    export_head(head, tmp_path / "head.obj")
    lines = (tmp_path / "head.obj").read_text().splitlines()
    assert {line[2:] for line in lines if line.startswith("g ")} - {"off"} == set(plain.region_names)
    assert "Bone" in skin.vertex_groups, "the artist's own stay"
    export_head(head, tmp_path / "head.usdc")
    blender.ops.wm.read_factory_settings(use_empty=True)
    blender.ops.wm.usd_import(filepath=str(tmp_path / "head.usdc"))
    found = next(item for item in blender.data.objects if item.type == "MESH" and "skin" in item.name)
    attribute = found.data.attributes["_region"]
    regions = np.empty(len(found.data.vertices), np.float32)
    attribute.data.foreach_get("value", regions)
    assert np.array_equal(regions.astype(int), plain.region)
    assert set(plain.region_names) <= set(found.data.attributes.keys()) and "Bone" not in found.data.attributes
