# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deep Facial Detail Net: the paper's sizes, what each module is given and may say, shading's change by slopes."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facedetail_addon.core.detail.dfdn import (
    BASIS_SIDE,
    COEFFICIENTS,
    DFDN,
    MOST_MM,
    PATCH,
    PHOTO_CHANNELS,
    shading_change,
    slopes,
)
from facedetail_addon.core.detail.space import TEXEL_MM, VALUE_UNIT
from scripts.training.detail_net.patch_gan import PatchGAN


@pytest.fixture(scope="module")
def network() -> DFDN:
    """Compact, with random weights and a random basis."""
    torch.manual_seed(2)
    network = DFDN().eval().requires_grad_(False)
    network.basis.copy_(0.05 * torch.randn(network.basis.shape))
    for parameter in network.pdim.connected.parameters():
        parameter.mul_(3)
    return network


@pytest.fixture(scope="module")
def photo() -> Tensor:
    return torch.randn(2, PHOTO_CHANNELS["light"], PATCH, PATCH, generator=torch.Generator().manual_seed(4))


def on_paper(variant: str, size: str) -> DFDN:
    """The networks without memory for their weights."""
    with torch.device("meta"):
        return DFDN(variant, size)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_papers_sizes():
    """54.4 and 29.2 million are those of the authors' UNets, as their program counts them."""
    network = on_paper("value", "paper")
    assert count(network.pdim.unet) == pytest.approx(54.4e6, rel=2e-3)
    assert count(network.pdrm.unet) == pytest.approx(29.2e6, rel=2e-3)
    linear = [layer for layer in network.pdim.connected if isinstance(layer, nn.Linear)]
    assert [linear[0].in_features, *(layer.out_features for layer in linear)] == [65536, 2048, 1024, 512, 64]
    assert len(network.pdim.unet.down) == 8 and len(network.pdrm.unet.down) == 6
    assert isinstance(network.pdim.connected[-1], nn.Linear), "coefficients have both signs"


@pytest.mark.parametrize("variant", PHOTO_CHANNELS)
def test_compact_fits_into_25_megabytes(variant):
    state = on_paper(variant, "compact").state_dict()
    assert sum(2 * tensor.numel() for tensor in state.values() if tensor.is_floating_point()) < 25e6


@pytest.mark.parametrize("variant", PHOTO_CHANNELS)
def test_convolutions_are_the_papers(variant):
    convolutions = [m for m in on_paper(variant, "compact").modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) == 2 * (8 + 6)
    for layer in convolutions:
        assert (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))


def test_shapes_and_ranges(network, photo):
    with torch.inference_mode():
        medium, refined = network(photo, torch.zeros_like(photo[:, :1]))
        hostile = network.pdrm(1e4 * photo, medium)
    assert medium.shape == refined.shape == (2, 1, PATCH, PATCH)
    assert refined.abs().max() <= MOST_MM and hostile.abs().max() <= MOST_MM
    assert torch.isfinite(medium).all() and torch.isfinite(hostile).all()
    assert medium.std() > 1e-3 and (medium[0] - medium[1]).abs().max() > 1e-4, "or these tests see nothing"


def test_the_paper_variant_takes_one_channel():
    network = DFDN("value").eval()
    value = torch.zeros(1, 1, PATCH, PATCH)
    with torch.inference_mode():
        medium, refined = network(value, value)
    assert medium.shape == refined.shape == (1, 1, PATCH, PATCH)


def test_without_noise_the_same_photo_gives_the_same_relief(network, photo):
    quiet = torch.zeros_like(photo[:1, :1])
    noise = torch.randn(quiet.shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        first, second = network.infer(photo[:1], quiet), network.infer(photo[:1], quiet)
        other = network.infer(photo[:1], noise)
    assert torch.equal(first, second)
    assert not torch.equal(first, other), "noise is part of what PDIM reads"


def test_patches_do_not_see_each_other(network, photo):
    quiet = torch.zeros_like(photo[:, :1])
    with torch.inference_mode():
        together, alone = network(photo, quiet), network(photo[1:], quiet[1:])
    for both, one in zip(together, alone, strict=True):
        torch.testing.assert_close(both[1:], one, atol=1e-4, rtol=1e-3)


def test_what_is_inferred_is_a_sum_over_the_basis(network, photo):
    """Coefficients do not depend on the basis: relief of a sum of bases is the sum of the reliefs."""
    quiet, kept = torch.zeros_like(photo[:1, :1]), network.basis.clone()
    generator = torch.Generator().manual_seed(5)
    one, two = (torch.randn(COEFFICIENTS, BASIS_SIDE, BASIS_SIDE, generator=generator) for _ in range(2))
    found = []
    with torch.inference_mode():
        for basis in (one, two, 2 * one - 3 * two):
            network.basis.copy_(basis)
            found.append(network.infer(photo[:1], quiet))
        network.basis.copy_(kept)
    torch.testing.assert_close(found[2], 2 * found[0] - 3 * found[1], atol=1e-4, rtol=1e-3)
    assert found[2].abs().max() > 0.01


def test_an_even_component_is_an_even_patch_of_its_coefficients_height(network, photo):
    quiet, kept = torch.zeros_like(photo[:, :1]), network.basis.clone()
    with torch.inference_mode():
        network.basis.zero_()[7] = 0.5
        found = network.infer(photo, quiet)
        network.basis.copy_(kept)
        wanted = 0.5 * network.pdim(photo, quiet)[:, 7]
    torch.testing.assert_close(found, wanted[:, None, None, None].expand_as(found), atol=1e-5, rtol=1e-4)


def test_an_even_slope_of_the_basis_is_an_even_slope_of_the_patch():
    """Between the basis' few samples too: no grid of steps in raking light."""
    network = DFDN().eval().requires_grad_(False)
    side_mm = (torch.arange(BASIS_SIDE) + 0.5) * PATCH / BASIS_SIDE * TEXEL_MM
    network.basis[5] = 0.05 * (side_mm[:, None] - side_mm)
    one = torch.zeros(1, COEFFICIENTS)
    one[0, 5] = 1
    with torch.inference_mode():
        right, down = slopes(network.patch(one), TEXEL_MM)
    inner = (..., slice(16, -16), slice(16, -16))
    torch.testing.assert_close(right[inner], torch.full_like(right[inner], -0.05), atol=1e-4, rtol=0)
    torch.testing.assert_close(down[inner], torch.full_like(down[inner], 0.05), atol=1e-4, rtol=0)


def test_refinement_sees_the_shading_that_is_not_explained(network):
    """Where the photo is just what the relief explains, its last channel is zero; without relief it is the value."""
    generator = torch.Generator().manual_seed(3)
    medium = 0.1 * torch.randn(1, 1, PATCH, PATCH, generator=generator)
    photo = torch.randn(1, PHOTO_CHANNELS["light"], PATCH, PATCH, generator=generator)
    photo[:, :1] = shading_change(medium, photo[:, 2:4])
    given = []
    handle = network.pdrm.unet.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    with torch.inference_mode():
        network.pdrm(photo, medium)
        network.pdrm(photo, torch.zeros_like(medium))
    handle.remove()
    torch.testing.assert_close(given[0][:, -1:], torch.zeros_like(medium))
    torch.testing.assert_close(given[1][:, -1:], photo[:, :1])
    assert (given[0][:, -2] != 0).any() and not given[1][:, -2].any(), "the relief itself comes before it"


def test_the_judge_looks_at_patches():
    """31 × 31 verdicts, each on 46 × 46 texels: far relief does not change a verdict, near relief does."""
    torch.manual_seed(0)
    judge = PatchGAN(PHOTO_CHANNELS["light"]).eval()
    photo, relief = torch.zeros(1, 6, PATCH, PATCH), torch.zeros(1, 1, PATCH, PATCH)
    other = relief.clone()
    other[..., :64, :64] = 1
    with torch.inference_mode():
        before, after = judge(photo, relief), judge(photo, other)
    assert before.shape == (1, 1, 31, 31)
    assert (before - after).abs()[..., :4, :4].min() > 0 and torch.equal(before[..., 16:, 16:], after[..., 16:, 16:])


def relief_of(function) -> tuple[np.ndarray, Tensor]:
    """(H, W, 2) mm right and down, and (1, 1, H, W) float64 heights; H is not W."""
    rows, columns = np.mgrid[:40, :56]
    at = np.stack([columns, rows], axis=-1) * TEXEL_MM
    return at, torch.from_numpy(function(at[..., 0], at[..., 1]))[None, None]


def test_slopes_are_millimetres_per_millimetre_right_and_down():
    _, relief = relief_of(lambda x, y: 0.3 * x - 0.2 * y)
    right, down = slopes(relief, TEXEL_MM)
    torch.testing.assert_close(right[..., 1:-1], torch.full_like(right[..., 1:-1], 0.3))
    torch.testing.assert_close(down[..., 1:-1, :], torch.full_like(down[..., 1:-1, :], -0.2))


def test_shading_change_is_numpys_gradient_in_the_channels_unit():
    rng = np.random.default_rng(0)
    height, x, y = rng.normal(size=(3, 40, 56))
    light = torch.from_numpy(np.stack([x, y]))[None]
    found = shading_change(torch.from_numpy(height)[None, None], light)[0, 0].numpy()
    down, right = np.gradient(height, TEXEL_MM)
    wanted = (x * right + y * down) / VALUE_UNIT
    np.testing.assert_allclose(found[1:-1, 1:-1], wanted[1:-1, 1:-1], atol=1e-9)


@pytest.mark.parametrize("towards", [(0.6, 0.0, 0.8), (0.0, -0.6, 0.8), (-0.5, 0.5, 0.7)])
def test_shading_change_is_what_a_lamp_does_to_a_rough_plane(towards):
    """Lambert's cosine over a relief; ``towards`` the lamp is right, down, out of the plane."""
    at, relief = relief_of(lambda x, y: 0.004 * np.sin(2 * np.pi * x / 2.5) * np.cos(2 * np.pi * y / 3))
    x, y = at[..., 0], at[..., 1]
    rise_x = 0.004 * 2 * np.pi / 2.5 * np.cos(2 * np.pi * x / 2.5) * np.cos(2 * np.pi * y / 3)
    rise_y = -0.004 * 2 * np.pi / 3 * np.sin(2 * np.pi * x / 2.5) * np.sin(2 * np.pi * y / 3)
    normal = np.stack([-rise_x, -rise_y, np.ones_like(x)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    wanted = np.log(normal @ towards / towards[2]) / VALUE_UNIT
    light = torch.tensor([-towards[0] / towards[2], -towards[1] / towards[2]]).double()
    found = shading_change(relief, light[None, :, None, None].expand(1, 2, *relief.shape[2:]))[0, 0].numpy()
    inner = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(found[inner], wanted[inner], atol=0.06 * np.abs(wanted).max())


def test_shading_change_follows_each_patchs_own_light():
    relief = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    light = torch.randn(2, 2, 16, 16, generator=torch.Generator().manual_seed(1))
    both = shading_change(relief, light)
    for number in range(2):
        part = slice(number, number + 1)
        torch.testing.assert_close(both[part], shading_change(relief[part], light[part]))
