# SPDX-License-Identifier: GPL-3.0-or-later
"""The albedo basis of a model with skin colours of its own."""

from dataclasses import replace

import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.face_model.model import NativeAlbedo
from facedetail_addon.core.skin.basis import at_vertices, load_basis
from facedetail_addon.core.skin.native_basis import albedo_basis
from facedetail_addon.core.uv.atlas import make_atlas

COLOURS = 120


@pytest.fixture(scope="module")
def coloured(model):
    """The built-in head with colours like Basel's: redder lips, then one mode of brightness and many of waves."""
    rng = np.random.default_rng(2)
    skin = model.skin.of(model.mean)
    mouth = model.in_region("mouth")[:, None]
    mean = np.where(mouth, [0.6, 0.33, 0.31], [0.62, 0.46, 0.38]).astype(np.float32)
    waves = np.sin(skin @ rng.normal(0, 0.04, (3, COLOURS)) + rng.uniform(0, 6, COLOURS)).T[:, :, None]
    size = 0.04 / np.arange(1, COLOURS + 1) ** 0.7
    basis = waves * rng.normal(0, 1, (COLOURS, 1, 3)) * size[:, None, None]
    basis[0] = [0.08, 0.08, 0.07]
    return replace(model, native_albedo=NativeAlbedo(mean, basis.astype(np.float32)))


@pytest.fixture(scope="module")
def own(coloured, atlas):
    return albedo_basis(coloured, atlas)


def test_a_model_without_colours_gets_the_learned_basis(model, atlas):
    learned = load_basis(model)
    assert np.array_equal(albedo_basis(model, atlas).modes, learned.modes)


def test_gamma_are_coefficients_of_the_models_modes(coloured, own):
    """Within two σ a person's colours come out as the model has them, up to one brightness for all."""
    rng = np.random.default_rng(7)
    colours = coloured.native_albedo
    level = float(np.median(own.mean - np.log(to_linear(colours.mean))))
    errors, differences = [], []
    for _ in range(10):
        gamma = np.zeros(len(colours.basis))
        gamma[: len(own.modes)] = rng.normal(0, 1, len(own.modes)).clip(-2, 2)
        true = np.log(to_linear(colours.mean + np.tensordot(gamma, colours.basis, 1))) + level
        errors.append(np.abs(own.mean + np.tensordot(gamma[: len(own.modes)], own.modes, 1) - true).mean())
        differences.append(np.abs(true - own.mean).mean())
    assert max(errors) < 0.12
    assert np.mean(errors) < 0.25 * np.mean(differences)


def test_level_is_the_learned_one_and_hue_the_models(model, coloured, own):
    learned = load_basis(model)
    skin = learned.plain & (learned.known > 0.5)
    level = np.median(np.log(np.exp(own.mean[skin]) @ LUMINANCE) - np.log(np.exp(learned.mean[skin]) @ LUMINANCE))
    assert abs(level) < 0.01
    ratio = np.exp(own.mean) / to_linear(coloured.native_albedo.mean)
    assert np.ptp(ratio) < 1e-3 * ratio.mean()


def test_maps_show_what_vertices_have(coloured, own):
    assert own.mode_maps.shape == (len(own.modes), 256, 256, 3) and own.mode_maps.dtype == np.int16
    off = np.abs(at_vertices(own.mean_map, coloured) - own.mean)
    assert np.median(off) < 0.01 and own.mode_maps.any(axis=(1, 2, 3)).all()
    gamma = np.eye(len(own.modes))[0]
    brighter = own.albedo_map(gamma) > own.albedo_map(0 * gamma)
    assert brighter.all()


def test_many_modes_are_cut_to_those_that_vary_most(coloured, own, model):
    assert len(own.modes) == 100 == len(own.lowest)
    assert (own.lowest == -3).all() and (own.highest == 3).all()
    learned = load_basis(model)
    assert (own.residual_sigma >= learned.residual_sigma).all() and (
        own.residual_sigma > learned.residual_sigma + 1e-5
    ).any()
    shuffled = coloured.native_albedo.basis[::-1]
    turned = replace(coloured, native_albedo=replace(coloured.native_albedo, basis=shuffled))
    other = albedo_basis(turned, make_atlas(model, 256))
    assert np.allclose(other.modes[-1], own.modes[0]) and len(other.modes) == 100
