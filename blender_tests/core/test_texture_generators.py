# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators of unseen skin: their graph, what they are given, and the skin that they make of a known half."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh

from facedetail_addon.core.models import texture_generator
from facedetail_addon.core.skin.basis import load_basis
from facedetail_addon.core.skin.texture_net import LARGE, SIDE, generate_skin, net_channels
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.settings import GENERATOR, LATENT, STATISTICS
from scripts.training.texture_net.graph import ORDER, ChebyshevConvolution, scaled_laplacian

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


def test_the_laplacian_has_eigenvalues_of_minus_one_to_one(model):
    laplacian = scaled_laplacian(model.skin.triangles(), model.skin.stop)
    assert (laplacian != laplacian.T).nnz == 0
    largest = eigsh(laplacian.astype(float), 1, which="LA", return_eigenvectors=False, tol=1e-3)[0]
    smallest = eigsh(laplacian.astype(float), 1, which="SA", return_eigenvectors=False, tol=1e-3)[0]
    assert -1.001 < smallest < -0.99
    assert 0 < largest < 1.001


def test_a_convolution_is_a_sum_of_chebyshev_polynomials_of_the_laplacian():
    laplacian = scaled_laplacian(SQUARE, 4).toarray().astype(np.float64)
    torch.manual_seed(0)
    layer, signal = ChebyshevConvolution(2, 3), torch.randn(4, 2)
    values, vectors = np.linalg.eigh(laplacian)
    polynomials = [vectors @ np.diag(np.cos(k * np.arccos(values.clip(-1, 1)))) @ vectors.T for k in range(ORDER)]
    weights = layer.weights.weight.detach().numpy().astype(np.float64)
    expected = np.concatenate([one @ signal.numpy() for one in polynomials], axis=1) @ weights.T
    found = layer(signal, torch.from_numpy(laplacian.astype(np.float32))).detach().numpy()
    np.testing.assert_allclose(found, expected + layer.weights.bias.detach().numpy(), atol=1e-5)


def test_what_is_hidden_is_not_shown_to_a_generator():
    rng = np.random.default_rng(0)
    known = np.zeros((SIDE, SIDE), np.float32)
    known[:, : SIDE // 2] = 1
    one, other = (rng.normal(size=(SIDE, SIDE, 3)).astype(np.float32) for _ in range(2))
    other[:, : SIDE // 2] = one[:, : SIDE // 2]
    tone, noise = np.float32([-1, -1.5, -2]), np.zeros((SIDE, SIDE), np.float32)
    first, second = (net_channels(skin, known, tone, noise) for skin in (one, other))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first[0, :, : SIDE // 2]).max() > 1
    np.testing.assert_array_equal(first[4:8], first[:4, :, ::-1])


@pytest.mark.parametrize("texture", [GENERATOR, LATENT])
def test_a_hidden_half_is_made_for_this_person(texture, model):
    """People whose lips, brows and cheeks differ: what is made follows the seen half, nearer than the mean."""
    network, basis, atlas = texture_generator(texture), load_basis(model), make_atlas(model, LARGE)
    known = np.repeat((np.arange(SIDE) < SIDE // 2)[None], SIDE, axis=0).astype(np.float32)
    known *= atlas.picture(basis.known).reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))  # beyond it the basis is no skin
    small = basis.albedo_map(np.zeros(len(basis.modes)))
    share = np.float32(atlas.covered.reshape(SIDE, 2, SIDE, 2).all(axis=(1, 3)))
    errors = []
    for seed in range(4):
        gamma = np.random.default_rng(seed).normal(size=len(basis.modes)).clip(basis.lowest, basis.highest)
        skin = basis.albedo_map(gamma)
        skin = (skin + skin[:, ::-1]) / 2  # symmetric, so that the seen half tells the hidden one
        tone = np.median(skin[share > 0], axis=0)
        made = generate_skin(skin, known * share, tone, network)
        again = generate_skin(skin, known * share, tone, network)
        np.testing.assert_array_equal(made, again)
        assert made.shape == (LARGE, LARGE, 3) and made.dtype == np.float32
        assert np.isfinite(made).all() and made.min() > 0 and made.max() <= 1
        face = (share > 0) & (known == 0) & np.zeros_like(share, bool)
        face[70:170, SIDE // 2 : 180] = True
        half = made.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3))
        mean = small * (tone / np.median(small[share > 0], axis=0))
        errors.append([np.abs(np.log(one[face]) - np.log(skin[face])).mean() for one in (half, mean)])
    found, without = np.mean(errors, axis=0)
    assert found < 0.9 * without


def test_statistics_need_no_network():
    assert texture_generator(STATISTICS) is None
