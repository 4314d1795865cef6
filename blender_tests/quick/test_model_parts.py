# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a face model is, bit for bit, what would be made of it, and of no other model or texture."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from facedetail_addon.core.io.array_cache import CACHE
from facedetail_addon.core.model_parts import ModelParts, cache_of, model_parts

SIDE = 256


def arrays_of(value: object, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """All that is in nested dataclasses."""
    if is_dataclass(value):
        for field in fields(value):
            yield from arrays_of(getattr(value, field.name), f"{name}.{field.name}")
    elif hasattr(value, "indptr"):
        yield from ((f"{name}.{part}", getattr(value, part)) for part in ("data", "indices", "indptr"))
    else:
        yield name, np.asarray(value)


def require_same(one: ModelParts, other: ModelParts) -> None:
    for (name, here), (again, there) in zip(arrays_of(one), arrays_of(other), strict=True):
        assert name == again and here.dtype == there.dtype, name
        np.testing.assert_array_equal(here, there, name)


@pytest.fixture(scope="module")
def made(model):
    return model_parts(model, SIDE)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A user's folder in which they are kept."""
    folder = tmp_path_factory.mktemp("user")
    model_parts(model, SIDE, folder)
    return folder


def times(folder):
    return {path.name: path.stat().st_ino for path in (folder / CACHE).iterdir()}


def test_what_is_read_is_what_was_made(model, made, folder):
    before = times(folder)
    require_same(model_parts(model, SIDE, folder), made)
    assert times(folder) == before and len(before) == 4


def test_another_texture_shares_all_but_its_own_atlas(model, folder):
    before = times(folder)
    assert model_parts(model, 300, folder).atlas.resolution == 300
    after = times(folder)
    assert before.items() < after.items() and len(after) == len(before) + 1


@pytest.mark.parametrize("field", ["mean", "region"])
def test_another_model_is_not_confused_with_it(model, folder, field):
    values = getattr(model, field).copy()
    values[0] += 1
    assert cache_of(replace(model, **{field: values}), folder).key != cache_of(model, folder).key


@pytest.mark.parametrize(
    "name, array, value",
    [
        ("skin", "laplacian_rows", 1 << 30), ("skin", "laplacian_starts", -5), ("skin", "order", 0),
        ("skin", "allowed", np.nan), ("skin", "mirror_vertices", -1), (f"raster{SIDE}", "index", 65535),
        (f"raster{SIDE}", "weights", 65535), (f"raster{SIDE}", "covered", 255),
    ],
)  # fmt: skip
def test_values_that_would_reach_beyond_the_model_are_made_anew(model, made, folder, name, array, value):
    """As a file has that somebody else has written under the right key."""
    path = next((folder / CACHE).glob(f"{name}-*.npz"))
    good = path.read_bytes()
    try:
        with np.load(path) as data:
            arrays = {key: data[key].copy() for key in data.files}
        arrays[array].reshape(-1)[1] = value
        with open(path, "wb") as stream:
            np.savez(stream, **arrays)
        require_same(model_parts(model, SIDE, folder), made)
    finally:
        path.write_bytes(good)
