# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned skin colours that ship, their file, and what is known of skin's reflection."""

from dataclasses import replace

import numpy as np
import pytest

from facedetail_addon.core.assets.shipped import find_weights
from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.skin.basis import at_vertices, load_basis
from facedetail_addon.core.skin.gloss import skin_gloss
from facedetail_addon.core.skin.types import in_steps
from scripts.training.albedo_basis.file import save_basis


@pytest.fixture(scope="module")
def basis(model):
    return load_basis(model)


def region(model, *names: str) -> np.ndarray:
    return model.in_region(*names)


def test_form(model, basis):
    count = model.skin.stop
    assert basis.mean.shape == (count, 3) and basis.modes.shape[1:] == (count, 3) and len(basis.modes) == 60
    assert basis.mean_map.shape == (256, 256, 3) and basis.mode_maps.shape == (60, 256, 256, 3)
    for values in (
        basis.mean,
        basis.modes,
        basis.residual_sigma,
        basis.known,
        basis.mean_map,
        basis.lowest,
        basis.highest,
    ):
        assert np.isfinite(values).all() and values.dtype == np.float32
    assert find_weights("albedo_basis.npz").stat().st_size < 6_000_000


def test_skin_is_known_and_hair_and_sockets_are_not(model, basis):
    face = region(model, "cheeks", "forehead", "chin", "nose")
    assert np.median(basis.known[face]) > 0.95
    assert basis.known[region(model, "scalp")].mean() < 0.15
    assert basis.known[region(model, "socket")].mean() < 0.3


@pytest.mark.parametrize("tone", [-2.0, -1.0, 0.0, 1.0])
def test_tones_are_those_of_skin(model, basis, tone):
    gamma = np.zeros(60)
    gamma[0] = tone
    cheeks = basis.albedo(gamma)[region(model, "cheeks") & (basis.known > 0.9)]
    red, green, blue = np.median(cheeks, axis=0)
    assert 0.65 > red > green > blue > 0.01
    marks = model.landmarks68.points(model.mean)
    skin = model.skin.of(model.mean)

    def around(point: np.ndarray) -> np.ndarray:
        return np.median(basis.albedo(gamma)[np.linalg.norm(skin - point, axis=1) < 5], axis=0)

    assert around(marks[19]) @ LUMINANCE < 0.9 * np.median(cheeks @ LUMINANCE), "brows"
    lips = around(marks[57])
    assert tone < -1 or lips[1] / lips[0] < green / red, "lips are redder, but not those of the darkest skin"


def test_nothing_in_it_looks_like_light(model, basis):
    """Left and right are alike in the mean."""
    mirrored = at_vertices(basis.mean_map[:, ::-1], model)
    known = basis.known > 0.5
    assert np.abs(mirrored - basis.mean)[known].mean() < 0.02


def test_grey_is_grey_and_as_bright(basis):
    grey, gamma = basis.grey(), np.zeros(60)
    gamma[:3] = 0.5, -0.5, 0.3
    one, other = grey.albedo(gamma), basis.albedo(gamma)
    assert np.ptp(one, axis=1).max() < 1e-5
    assert np.abs(np.log((one @ LUMINANCE) / (other @ LUMINANCE)))[basis.known > 0.5].mean() < 0.05


def modes_of(basis) -> np.ndarray:
    """(G, S, S, 3) log albedo per σ."""
    return basis.mode_maps * basis.mode_steps[:, None, None, None]


def test_maps_of_modes_add_up_in_whatever_steps_they_are_kept(basis):
    gamma = np.linspace(-1, 1, len(basis.modes))
    wanted = np.exp(np.minimum(basis.mean_map + np.tensordot(gamma, modes_of(basis), axes=1), 0))
    np.testing.assert_allclose(basis.albedo_map(gamma), wanted, atol=1e-5)
    kept, steps = in_steps(modes_of(basis))
    finer = replace(basis, mode_maps=kept, mode_steps=steps)
    np.testing.assert_allclose(finer.albedo_map(gamma), wanted, atol=2e-3)
    np.testing.assert_allclose(basis.grey().albedo_map(gamma)[..., 0], (wanted @ LUMINANCE), atol=0.05)


def test_saved_and_read_back(model, basis, tmp_path):
    side = 256
    known = np.zeros((side, side), np.float32)
    known[60:150, 80:170] = 0.7
    path = tmp_path / "basis.npz"
    reach = np.array([[-2.0, -1.0], [1.0, 2.0]])
    modes = modes_of(basis)[:2]
    save_basis(path, model, known, basis.mean_map, modes, np.full((side, side), 0.1), reach)
    back = load_basis(model, path)
    stored = known > 0
    assert np.abs(back.mean_map - basis.mean_map)[stored].max() < 4e-3
    steps = np.abs(modes[:, stored]).reshape(2, -1).max(axis=1) / 127
    assert (np.abs(modes_of(back) - modes)[:, stored].reshape(2, -1).max(axis=1) <= steps * 0.51).all()
    np.testing.assert_allclose([back.lowest, back.highest], reach)


def broken(arrays: dict, key: str) -> dict:
    return {
        "format": lambda a: a | {"format_version": np.int32(99)},
        "shape": lambda a: a | {"mean": a["mean"][:-1]},
        "reach": lambda a: a | {"reach": a["reach"][::-1]},
        "not finite": lambda a: a | {"steps": a["steps"] * np.nan},
        "kind": lambda a: a | {"modes": a["modes"].astype(np.float32)},
        "missing": lambda a: {name: value for name, value in a.items() if name != "known"},
    }[key](arrays)


@pytest.mark.parametrize("key", ["format", "shape", "reach", "not finite", "kind", "missing"])
def test_broken_files_are_refused(model, tmp_path, key):
    with np.load(find_weights("albedo_basis.npz")) as data:
        arrays = dict(data)
    path = tmp_path / "basis.npz"
    np.savez(path, **broken(arrays, key))
    with pytest.raises(AssetError, match="basis.npz") as caught:
        load_basis(model, path)
    assert caught.value.remedy


def test_cut_and_missing_files_are_refused(model, tmp_path):
    path = tmp_path / "basis.npz"
    with pytest.raises(AssetError):
        load_basis(model, path)
    path.write_bytes(find_weights("albedo_basis.npz").read_bytes()[:5000])
    with pytest.raises(AssetError):
        load_basis(model, path)


def test_another_head_is_refused(model):
    with pytest.raises(AssetError, match="another head"):
        load_basis(replace(model, mean=model.mean + 1))


def test_gloss_by_region(model):
    gloss = skin_gloss(model)
    assert gloss.roughness.shape == gloss.specular.shape == (model.skin.stop,)
    assert gloss.roughness.min() > 0.25 and gloss.roughness.max() < 0.7
    assert gloss.specular.min() > 0.2 and gloss.specular.max() < 0.8
    nose, neck = (np.median(gloss.roughness[region(model, name)]) for name in ("nose", "neck"))
    assert nose < neck
    jumps = np.abs(np.diff(gloss.roughness[model.skin.triangles()], axis=1))
    assert jumps.max() < 0.06, "no edge between regions"
