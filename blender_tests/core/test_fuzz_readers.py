# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of photos and face models on damaged files: only our own errors, in bounded time and memory.

``FACEDETAIL_FUZZ_S`` is how long each kind of file is tried, ``FACEDETAIL_FUZZ_FIRST`` the number of the first case.
A failure names the case, which is the same every time, and leaves the file.
"""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from blender_tests.core import fuzzing
from blender_tests.core.external_files import (
    bfm_2009_variables,
    quiet,
    skin_of,
    write_bfm_2009,
    write_bfm_hdf5,
    write_expressions_2009,
    write_ict_obj,
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs Linux's account of a process's memory"
)

SECONDS = os.environ.get("FACEDETAIL_FUZZ_S", "2")
FIRST = os.environ.get("FACEDETAIL_FUZZ_FIRST", "0")
HOME = Path(fuzzing.__file__).parent.parent.parent
MOST_PHOTO_BYTES = 3 << 30
MOST_MODEL_BYTES = 2 << 30


def fuzz(reader: str, seeds: Path, most_bytes: int) -> None:
    command = [sys.executable, fuzzing.__file__, reader, str(seeds), SECONDS, FIRST]
    environment = {**os.environ, "PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    case = (seeds / "damaged" / "number").read_text() if (seeds / "damaged" / "number").exists() else "none"
    assert child.returncode == 0, f"case {case} in {seeds / 'damaged'}:\n{child.stderr}"
    found = json.loads(child.stdout)
    sys.stdout.write(f"{reader}: {found}\n")
    assert found["cases"] >= 3
    assert found["most_bytes"] < most_bytes


def test_photos(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (40, 56, 4)).astype(np.uint8)
    noise[10:30] = 90  # runs, for the formats that look for them
    colour, alpha = Image.fromarray(noise[..., :3]), Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769).update({0x920A: 50.0, 0xA405: 50, 0xA002: 56, 0xA003: 40})
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    colour.save(tmp_path / "a.jpg", exif=exif, icc_profile=icc)
    colour.save(tmp_path / "progressive.jpg", progressive=True)
    colour.convert("CMYK").save(tmp_path / "cmyk.jpg")
    alpha.save(tmp_path / "a.png", exif=exif, icc_profile=icc)
    colour.quantize(16).save(tmp_path / "palette.png", transparency=3)
    Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4"):
        picture = colour.convert("1") if compression == "group4" else colour
        picture.save(tmp_path / f"{compression}.tif", compression=compression, exif=exif)
    colour.save(tmp_path / "a.webp", exif=exif)
    alpha.save(tmp_path / "moving.webp", lossless=True, save_all=True, append_images=[alpha.rotate(90)])
    colour.save(tmp_path / "a.bmp")
    colour.quantize(16).save(tmp_path / "palette.bmp")
    colour.save(tmp_path / "a.gif", save_all=True, append_images=[colour.rotate(180)])
    colour.save(tmp_path / "a.ppm")
    colour.save(tmp_path / "a.tga", compression="tga_rle")
    if features.check("jpg_2000"):
        colour.save(tmp_path / "a.jp2")
    if features.check("avif"):
        colour.save(tmp_path / "a.avif")
    psd = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 40, 56, 8, 3) + bytes(14) + noise[..., :3].tobytes()
    (tmp_path / "a.psd").write_bytes(psd)
    fuzz("photo", tmp_path, MOST_PHOTO_BYTES)


@pytest.fixture(scope="module")
def skin(model):
    return skin_of(model)


def test_bfm_hdf5(skin, tmp_path):
    write_bfm_hdf5(tmp_path / "model.h5", skin)
    fuzz("model", tmp_path, MOST_MODEL_BYTES)


def test_bfm_2009(skin, tmp_path):
    variables = bfm_2009_variables(skin)
    for name, compressed in (("plain", False), ("compressed", True)):
        (tmp_path / name).mkdir()
        write_bfm_2009(tmp_path / name, variables, compressed)
    write_expressions_2009(tmp_path / "plain", skin, np.arange(0, len(skin.mean))[:-3])
    fuzz("model", tmp_path, MOST_MODEL_BYTES)


@pytest.fixture(scope="module")
def kit(data_dir):
    """The packed kit with its first shapes only."""
    with np.load(data_dir / "models" / "ict_facekit.npz", allow_pickle=False) as data:
        first = {"identity": slice(0, 2), "expression": slice(2, 4), "expression_names": slice(2, 4)}
        return {key: data[key][first.get(key, slice(None))] for key in data.files}


def test_ict_npz(kit, tmp_path):
    np.savez(tmp_path / "kit.npz", **kit)
    fuzz("model", tmp_path, MOST_MODEL_BYTES)


def test_ict_obj(kit, tmp_path):
    from facedetail_addon.core.model_import.importers.read import read_external_model

    np.savez(tmp_path / "kit.npz", **kit)
    (tmp_path / "seeds" / "FaceXModel").mkdir(parents=True)
    write_ict_obj(tmp_path / "seeds" / "FaceXModel", read_external_model(tmp_path / "kit.npz", quiet), 1, 1)
    fuzz("model", tmp_path / "seeds", MOST_MODEL_BYTES)
