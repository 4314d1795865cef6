# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes where a studio has exchanged Blender's colour configuration, and what becomes of a photo whose scene fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage
from skimage import io

import facedetail_addon

HOME = Path(facedetail_addon.__file__).parents[1]
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
ACES = "ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3"
PATIENCE_S = 900
BUILD = """
import sys
from pathlib import Path
import bpy
from blender_tests.conftest import make_reconstruction
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.scene.file import write_scene_file
from facedetail_addon.settings import SceneSettings

model = load_named_model(BUILTIN)
made = make_reconstruction(model, (96, 96))
notices = write_scene_file(made, model, Path(sys.argv[1]), SceneSettings(render=True, export="glb", light="sun"))
data = sorted(image.name for image in bpy.data.images if image.colorspace_settings.is_data)
print("TOLD", [(one.code, one.message) for one in notices], len(data))
"""
PICTURES = """
import json
import sys
from pathlib import Path
import bpy
import numpy as np
from facedetail_addon.core.io.images import read_png
from facedetail_addon.scene.export.pictures import colours_png

folder = Path(sys.argv[1])
made = bpy.data.images.new("source", 8, 8, alpha=False, float_buffer=True)
made.colorspace_settings.is_data = True
made.pixels.foreach_set(np.tile(np.float32([0.6, 0.4, 0.3, 1]), 64))
made.file_format, made.filepath_raw = "OPEN_EXR", str(folder / "source.exr")
made.save()
spaces = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"].enum_items.keys()
found = {}
for name in spaces:
    float_image = bpy.data.images.load(made.filepath_raw, check_existing=False)
    byte_image = bpy.data.images.new("bytes", 8, 8, alpha=False)
    for kind, image in (("float", float_image), ("byte", byte_image)):
        image.colorspace_settings.name = name
        if kind == "byte":
            image.pixels.foreach_set(np.tile(np.float32([0.6, 0.4, 0.3, 1]), 64))
            image.pack()
        (folder / "out.png").write_bytes(colours_png(image))
        found[f"{kind} {name}"] = read_png(folder / "out.png")[0, 0].tolist()
print("TOLD", json.dumps(found))
"""


def in_blender(folder: Path, configuration: str | None, script: str = BUILD) -> str:
    """What a script says in a process of its own; build, render and export a made-up head unless told otherwise."""
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "OCIO"}
    if configuration is not None:
        environment["OCIO"] = configuration
    run = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=HOME, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    told = [line for line in run.stdout.splitlines() if line.startswith("TOLD")]
    assert told, run.stderr[-2000:]
    return told[0]


def test_a_head_looks_the_same_in_an_aces_configuration(tmp_path):
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    plain, aces = tmp_path / "plain", tmp_path / "aces"
    first, told = in_blender(plain, None), in_blender(aces, ACES)
    assert first.startswith("TOLD [] ") and first.split()[-1] == told.split()[-1] != "0", "maps that are data stay data"
    assert "colour_configuration" in told and "Un-tone-mapped" in told
    first, second = (io.imread(folder / "render.png").astype(int) for folder in (plain, aces))
    covered = (first[..., 3] == 255) & (second[..., 3] == 255)
    assert covered.sum() > 500
    apart = np.abs(first - second)[covered][:, :3]
    assert apart.mean() < 3 and np.abs((first - second)[covered].mean(axis=0)).max() < 2
    assert {path.name for path in aces.iterdir()} == {"scene.blend", "scene.glb", "render.png"}


def test_an_exported_albedo_has_its_colours_in_every_configuration(tmp_path):
    """Floats and bytes of (0.6, 0.4, 0.3) in every colour space that both configurations have."""
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    plain, aces = (
        json.loads(in_blender(tmp_path / name, configuration, PICTURES).removeprefix("TOLD "))
        for name, configuration in (("plain", None), ("aces", ACES))
    )
    same = {
        "Linear Rec.709": "Linear Rec.709 (sRGB)", "sRGB": "sRGB - Texture", "ACEScg": "ACEScg",
        "Linear Rec.2020": "Linear Rec.2020", "Display P3": "sRGB Encoded P3-D65 - Texture",
    }  # fmt: skip
    for kind in ("float", "byte"):
        for name, there in same.items():
            apart = np.abs(np.subtract(plain[f"{kind} {name}"], aces[f"{kind} {there}"])).max()
            assert apart <= 2, (kind, name, plain[f"{kind} {name}"], aces[f"{kind} {there}"])
    assert aces["float Linear Rec.709 (sRGB)"] == [203, 170, 149] and aces["byte sRGB - Texture"] == [153, 102, 77]
    assert aces["byte sRGB Encoded AP1 - Texture"] != aces["byte sRGB - Texture"], "its primaries are others"


def test_a_scene_that_fails_keeps_the_result_and_the_batch(tmp_path):
    """Blender takes paths of 1023 bytes at most; Python and the disk take longer ones."""
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    output = tmp_path
    while len(str(output)) < 1100:
        output = output / ("long " * 40)
    photos = [tmp_path / name for name in ("first.png", "second.png")]
    for photo in photos:
        photo.write_bytes(ASTRONAUT.read_bytes())
    command = [sys.executable, "-m", "facedetail_addon", "scene", *map(str, photos), "--output", str(output)]
    run = subprocess.run(
        [*command, "--resolution", "512", "--detail", "none", "--quality", "draft", "--quiet"],
        cwd=HOME, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (3, ""), run.stderr[-2000:]
    entries = [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
    assert [(entry["status"], entry["error"]["code"]) for entry in entries] == [("failed", "scene")] * 2
    for photo, entry in zip(photos, entries, strict=True):
        folder = output / photo.stem
        assert (folder / "reconstruction.json").is_file() and not (folder / "scene.blend").exists()
        assert str(folder) in entry["error"]["message"] and photo.name in entry["error"]["message"]
        assert entry["error"]["remedy"]
    assert {path.name for path in output.iterdir()} == {"first", "second", "manifest.jsonl"}
