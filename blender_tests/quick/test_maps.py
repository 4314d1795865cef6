# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of maps: what it lists is written, read back and packed, and nothing else; a map is one line of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_tests.conftest import make_reconstruction
from blender_tests.made_up import assert_same
from facedetail_addon.core.io.exr import read_exr
from facedetail_addon.core.io.images import read_png
from facedetail_addon.core.result.files import RESULT_FILES, read_result, write_result
from facedetail_addon.core.result.maps import DATA, MAPS, SRGB, MapSpec, check_maps, map_spec
from facedetail_addon.core.result.pictures import Pictures, encode_pictures, read_pictures
from facedetail_addon.core.result.record import Reconstruction

SIDE = 64
NAMES = [spec.name for spec in MAPS]


def noise(spec: MapSpec) -> np.ndarray:
    """All values that a map can have, or many of them; each name has its own."""
    rng = np.random.default_rng(list(spec.name.encode()))
    shape = (SIDE, SIDE) if spec.square else (48, 80)
    shape = shape if spec.channels == 1 else (*shape, spec.channels)
    if spec.is_height:
        out = rng.uniform(-spec.limit, spec.limit, shape)
    else:
        out = rng.integers(0, np.iinfo(spec.stored).max, shape, endpoint=True)
        out = out if spec.dtype == spec.stored else np.float32(out) / np.iinfo(spec.stored).max
    return out.astype(spec.dtype)


@pytest.fixture(scope="module")
def made(model) -> Reconstruction:
    return Reconstruction(make_reconstruction(model, (80, 48)).record, {spec.name: noise(spec) for spec in MAPS})


@pytest.fixture(scope="module")
def saved(made, model, tmp_path_factory) -> Path:
    return write_result(made, tmp_path_factory.mktemp("results"), model)


@pytest.fixture(scope="module")
def back(saved) -> Reconstruction:
    return read_result(saved)


@pytest.fixture(scope="module")
def pictures(made) -> Pictures:
    return encode_pictures(made.maps)


def test_the_table_is_one_that_can_be(saved):
    for column in ("name", "label", "file"):
        assert len({getattr(spec, column) for spec in MAPS}) == len(MAPS), column
    for spec in MAPS:
        assert map_spec(spec.name) is spec and spec.file in RESULT_FILES
        assert spec.colour_space in (SRGB, DATA) and spec.channels in (1, 3) and spec.unit
        assert Path(spec.file).suffix == (".exr" if spec.is_height else ".png")
    with pytest.raises(KeyError):
        map_spec("wet")


@pytest.mark.parametrize("name", NAMES)
def test_a_map_lies_in_the_folder_and_comes_back_exactly(made, saved, back, name):
    spec = map_spec(name)
    if spec.is_height:
        stored = read_exr(saved / spec.file, (SIDE, SIDE))
    else:
        stored = read_png(saved / spec.file)
        assert stored.dtype == spec.stored
    if spec.dtype == spec.stored:
        np.testing.assert_array_equal(stored, made.maps[name])
    assert_same(back.maps[name], made.maps[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_map_is_packed_where_the_table_says_so(pictures, saved, name):
    spec = map_spec(name)
    read = read_pictures(saved)
    assert (name in pictures.files) == (name in read.files) == spec.packed
    if spec.packed:
        assert pictures.files[name] == read.files[name] == (saved / spec.file).read_bytes()


def other_than(name: str, **changes: object) -> dict[str, np.ndarray]:
    """A map of the table as it must not be."""
    array = noise(map_spec(name))
    if "dtype" in changes:
        return {name: array.astype(changes["dtype"])}
    return {name: array[changes["rows"]]}


WRONG = {
    "smaller": [other_than(spec.name, rows=slice(0, SIDE // 2)) for spec in MAPS if spec.square],
    "flat": [other_than(spec.name, rows=0) for spec in MAPS],
    "a colour more or less": [
        {spec.name: np.stack([noise(spec)] * 3, -1) if spec.channels == 1 else noise(spec)[..., 0]} for spec in MAPS
    ],
    "of another dtype": [other_than(spec.name, dtype=np.float64) for spec in MAPS]
    + [other_than(spec.name, dtype=np.int32) for spec in MAPS],
}


@pytest.mark.parametrize("case", WRONG)
def test_a_map_of_another_kind_is_not_written(made, model, tmp_path, case):
    for wrong in WRONG[case]:
        (name,) = wrong
        with pytest.raises(ValueError, match=map_spec(name).file if name != "albedo" else "is not"):
            write_result(Reconstruction(made.record, {**made.maps, **wrong}), tmp_path / "out", model)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_maps_that_are_missing_or_not_in_the_table_are_not_written(made, model, tmp_path):
    for name in NAMES:
        less = {key: value for key, value in made.maps.items() if key != name}
        with pytest.raises(ValueError, match="the maps are"):
            write_result(Reconstruction(made.record, less), tmp_path / "out", model)
    more = {**made.maps, "wet": np.zeros((SIDE, SIDE), np.uint8)}
    with pytest.raises(ValueError, match="wet"):
        write_result(Reconstruction(made.record, more), tmp_path / "out", model)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_the_photo_has_a_size_of_its_own(made):
    check_maps(dict(made.maps))
    assert made.maps["photo"].shape != made.maps["albedo"].shape


ONE_LINE_MORE = """
import sys
from pathlib import Path
import numpy as np
from facedetail_addon.core.result import maps

wet = maps.MapSpec("wet", "wet", "wet.png", 1, np.float32, np.uint16, maps.DATA, "share of water")
scars = maps.MapSpec("scars", "scars", "scars.exr", 1, np.float32, np.float32, maps.DATA, "mm", 2.0)
assert not [name for name in sys.modules if name.startswith("facedetail_addon.core.result.files")]
maps.MAPS = (*maps.MAPS, wet, scars)

from blender_tests.conftest import BUILTIN, load_named_model, make_reconstruction
from facedetail_addon.core.result.files import RESULT_FILES, read_result, write_result
from facedetail_addon.core.result.pictures import encode_pictures, read_pictures
from facedetail_addon.core.result.record import Reconstruction

model, out = load_named_model(BUILTIN), Path(sys.argv[1])
made = make_reconstruction(model, (80, 48))
rng = np.random.default_rng(0)
new = {
    "wet": rng.integers(0, 65536, (256, 256)).astype(np.float32) / 65535,
    "scars": rng.uniform(-2, 2, (256, 256)).astype(np.float32),
}
made = Reconstruction(made.record, {**made.maps, **new})
folder = write_result(made, out, model)
assert {path.name for path in folder.iterdir()} <= RESULT_FILES, "a result with it is a result that may be replaced"
back, pictures = read_result(folder), read_pictures(folder)
for name, array in new.items():
    np.testing.assert_array_equal(back.maps[name], array)
    assert pictures.files[name] == (folder / maps.map_spec(name).file).read_bytes()
print(sorted(path.name for path in folder.iterdir() if path.stem in new))
"""


def test_a_map_needs_one_line_of_the_table_and_nothing_else(tmp_path):
    """Where the line was there before anything else was imported, as it is when somebody has written it."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_LINE_MORE, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "['scars.exr', 'wet.png']"
