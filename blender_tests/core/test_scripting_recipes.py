# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of the scripting guide work as they are printed there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

import facedetail_addon
from facedetail_addon.cli.manifest import Entry

REPOSITORY = Path(facedetail_addon.__file__).parent.parent
GUIDE = (REPOSITORY / "docs" / "scripting.md").read_text(encoding="utf-8")
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"


def test_recipes_run(tmp_path):
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    shutil.copy(ASTRONAUT, tmp_path / "photo.png")
    (tmp_path / "photos").mkdir()
    shutil.copy(ASTRONAUT, tmp_path / "photos" / "good.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "photos" / "bad.png")
    recipes = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(recipes) == 6
    told = 'print("medium relief:", round(head.skin.modifiers["FaceDetail medium"].strength, 6))'
    program = f"import sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n" + "\n".join([*recipes[:-1], told, recipes[-1]])
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"focal length in pixels: \d+ of \(512, 512\)", done.stdout)
    assert "medium relief: 0.0015" in done.stdout
    assert re.search(r"^bad.png +no_face", done.stdout, re.MULTILINE)
    assert re.search(r"^good.png +good +happy +\w+ [01]\.\d\d$", done.stdout, re.MULTILINE)
    made = {path.name for path in tmp_path.iterdir()}
    assert made >= {"head.glb", "head.fbx", "head.usdz", "head.obj", "results"}, done.stdout[-3000:]
    alphas = []
    for step in range(2):
        with Image.open(tmp_path / f"turn{step}.png") as picture:
            assert picture.size == (128, 128)
            alphas.append(np.asarray(picture.getchannel("A"), float) / 255)
        assert 0.02 < alphas[-1].mean() < 0.5, "a head before nothing"
    assert np.abs(alphas[0] - alphas[1]).mean() > 0.005, "which has turned"


def test_keys_of_the_manifest_are_explained():
    table = GUIDE.split("| key | what |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[1:] if row))) == set(
        Entry.__dataclass_fields__
    )
