# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator of skin from a latent code: codes are found again from a part, and its pictures grow."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from facedetail_addon.core.skin.texture_latent import CAUTION, CODE, FIT_SIDE, MODE_STEP, NOISE, TextureLatent
from facedetail_addon.core.skin.texture_net import LARGE, SIDE, net_channels
from scripts.training.albedo_basis.learning import Learned
from scripts.training.texture_net.linear import LinearSkin

TONE = np.float32([-1, -1.5, -2])


@pytest.fixture(scope="module")
def network() -> TextureLatent:
    """With components of a few texels, and nothing learned beyond them."""
    torch.manual_seed(0)
    network = TextureLatent().eval().requires_grad_(False)
    coarse = torch.randn(CODE, 3, FIT_SIDE // 4, FIT_SIDE // 8)
    network.modes.copy_(2 * F.interpolate(coarse, scale_factor=4.0, mode="bilinear"))
    network.pattern.copy_(0.1 * torch.randn(3, SIDE, SIDE))
    return network


def channels_of(picture: torch.Tensor, known: np.ndarray) -> torch.Tensor:
    """(1, CHANNELS, 256, 256) of (1, 3, 512, 512)."""
    small = F.avg_pool2d(picture, 2)[0].permute(1, 2, 0).numpy()
    return torch.from_numpy(net_channels(small, known, TONE, np.zeros((SIDE, SIDE), np.float32)))[None]


def made(network: TextureLatent, code: torch.Tensor) -> torch.Tensor:
    return network.decode(code, torch.from_numpy(TONE)[None], torch.zeros(1, 1, SIDE, SIDE))


def half() -> np.ndarray:
    return np.repeat((np.arange(SIDE) < SIDE // 2)[None], SIDE, axis=0).astype(np.float32)


def test_a_known_code_is_found_again_from_half_a_face(network):
    code = torch.randn(1, CODE, generator=torch.Generator().manual_seed(1))
    picture = made(network, code)
    found = network.fit(channels_of(picture, half()))
    assert (found - code).norm() < 0.3 * code.norm()
    whole = network(channels_of(picture, half()))
    hidden = np.s_[..., LARGE // 2 :]
    apart = (whole - picture)[hidden].abs().mean()
    assert apart < 0.3 * picture[hidden].abs().mean()


def test_the_less_is_known_the_nearer_a_code_is_to_the_mean(network):
    code = torch.randn(1, CODE, generator=torch.Generator().manual_seed(2))
    picture = made(network, code)
    lengths = [float(network.fit(channels_of(picture, np.full_like(half(), s))).norm()) for s in (0, 0.001, 1)]
    assert lengths[0] == 0 < lengths[1] < lengths[2] <= float(code.norm()) * 1.01


def test_the_code_of_a_mirrored_face_is_the_mirrored_code(network):
    picture = made(network, torch.randn(1, CODE, generator=torch.Generator().manual_seed(3)))
    known = half()
    known[:100] = 0.5
    mirrored = network.pattern.flip(-1)
    found = network.fit(channels_of(picture, known))
    kept = network.pattern.clone()
    network.pattern.copy_(mirrored)
    other = network.fit(channels_of(picture.flip(-1), np.ascontiguousarray(known[:, ::-1])))
    network.pattern.copy_(kept)
    torch.testing.assert_close(other, found * network.signs.view(1, -1), atol=2e-3, rtol=1e-3)


def test_a_code_is_the_most_likely_one_of_the_components(network):
    """Against the same by dense least squares in double precision."""
    torch.manual_seed(4)
    values = (0.2 * torch.randn(1, 3, LARGE, LARGE)).clamp(-1, 1)
    channels = channels_of(values, half())
    left = network.modes.double() * MODE_STEP
    modes = torch.cat([left, network.signs * left.flip(-1)], dim=-1).flatten(1)
    apart = F.avg_pool2d((channels[:, :3] - channels[:, 3:4] * network.pattern).double(), SIDE // FIT_SIDE)
    known = F.avg_pool2d(channels[:, 3:4].double(), SIDE // FIT_SIDE).expand(-1, 3, -1, -1).flatten()
    seen, noise = known > 0, CAUTION * NOISE
    rows = torch.cat([modes[:, seen].T * known[seen, None].sqrt() / noise, torch.eye(CODE).double()])
    right = torch.cat([apart.flatten()[seen] / known[seen].sqrt() / noise, torch.zeros(CODE).double()])
    expected = torch.linalg.lstsq(rows, right[:, None]).solution[:, 0]
    torch.testing.assert_close(network.fit(channels)[0].double(), expected, atol=2e-3, rtol=1e-3)


def test_pictures_grow_and_agree_with_smaller_ones(network):
    code = torch.randn(1, CODE, generator=torch.Generator().manual_seed(5))
    pictures = {}
    for side in (64, 128, 256, LARGE):
        network.side = side
        pictures[side] = made(network, code)
        assert pictures[side].shape == (1, 3, side, side)
    for side in (64, 128):
        apart = F.avg_pool2d(pictures[2 * side], 2) - pictures[side]
        assert apart.abs().mean() < 0.05 * pictures[side].abs().mean()


def test_principal_components_find_hidden_texels_of_their_own_skins():
    rng = np.random.default_rng(0)
    stored = np.zeros((SIDE, SIDE), bool)
    stored[100:140, 100:140] = True
    count = 3 * int(stored.sum())
    learned = Learned(*(0.1 * rng.normal(size=size).astype(np.float32) for size in (count, (6, count))))
    true = learned.colours(rng.normal(size=6)).reshape(-1, 3)
    beside, known = np.zeros((SIDE, SIDE, 3), np.float32), stored.astype(np.float32)
    beside[stored] = true
    known[:, 120:] = 0
    channels = net_channels(beside, known, TONE, np.zeros((SIDE, SIDE), np.float32))
    found = LinearSkin(learned, stored)(torch.from_numpy(channels)[None])
    assert found.shape == (1, 3, LARGE, LARGE)
    hidden = F.avg_pool2d(found, 2)[0].permute(1, 2, 0).numpy()[100:140, 120:140]
    assert np.abs(hidden - beside[100:140, 120:140]).mean() < 0.1 * np.abs(beside[100:140, 120:140]).mean()
