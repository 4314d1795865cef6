# SPDX-License-Identifier: GPL-3.0-or-later
"""From patches to displacement maps: seams, masks, limits, resolutions, and weights that are not right.

The networks are real; their weights are chosen so that what each patch says is known.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from facedetail_addon.core.assets import shipped as assets
from facedetail_addon.core.assets.shipped import find_weights
from facedetail_addon.core.detail.dfdn import BASIS_SIDE, DFDN, PATCH
from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.line_net import WEIGHTS as LINE_WEIGHTS
from facedetail_addon.core.detail.line_net import load_line_net
from facedetail_addon.core.detail.space import BOX, SIDE, TEXEL_MM
from facedetail_addon.core.detail.synthesis import (
    WEIGHTS,
    DetailNet,
    infer_relief,
    load_detail_net,
    make_detail,
    notices,
)
from facedetail_addon.core.detail.types import DetailMaps
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import Atlas
from scripts.training.detail_net.trainer import save_weights

BOX_SHAPE = (BOX[3] - BOX[1], BOX[2] - BOX[0])
FOREHEAD = (slice(110, 240), slice(660, 880))
"""Texels of BOX that are all skin."""
SHARP_MM, WAVE_MM = 0.2, 32 * TEXEL_MM


def net_of(network: DFDN) -> DetailNet:
    """With the network of lines that ships, which finds none in these inputs."""
    return DetailNet(network, load_line_net(), half=False)


@pytest.fixture(scope="module")
def wild() -> DetailNet:
    """Random weights, and a basis of wrinkles and bumps: each patch says something else, tenths of a mm."""
    torch.manual_seed(1)
    network = DFDN().eval().requires_grad_(False)
    basis = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(64, 64, 64)).astype(np.float32), (0, 0), 1.5)
    network.basis.copy_(torch.from_numpy(basis))
    network.pdim.connected[-1].weight.mul_(20)
    network.pdrm.unet.up[0][0].weight.mul_(3)
    return net_of(network)


def silent() -> DFDN:
    """A network that says nothing at all: biases are what is left."""
    network = DFDN().eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.zero_()
    return network


def level(medium_mm: float, refined_mm: float) -> DetailNet:
    """PDIM and PDRM say one height each, in every patch."""
    network = silent()
    network.pdim.connected[-1].bias[3] = 2.0
    network.basis[3] = medium_mm / 2
    network.pdrm.unet.up[0][0].bias.fill_(np.arctanh(refined_mm))
    return net_of(network)


def waves(amplitude_mm: float) -> DetailNet:
    """Waves of 6.4 mm to the right, the same in every patch; half a patch holds four of them."""
    network = silent()
    network.pdim.connected[-1].bias[0] = 1.0
    texel = (torch.arange(BASIS_SIDE) + 0.5) * PATCH / BASIS_SIDE
    network.basis[0] = amplitude_mm * torch.sin(2 * np.pi * texel * TEXEL_MM / WAVE_MM)
    return net_of(network)


def inputs_of(mask: np.ndarray, seed: int = 0, resolvable_mm: float = SHARP_MM) -> DetailInputs:
    """Noise on some skin; lines are looked for nowhere, so that all relief is the networks'."""
    rng = np.random.default_rng(seed)
    value, chroma, light_x, light_y = (rng.normal(size=mask.shape).astype(np.float32) for _ in range(4))
    nothing = np.zeros(mask.shape, np.float32)
    return DetailInputs(
        value=value,
        chroma=chroma,
        light_x=light_x,
        light_y=light_y,
        direct_fraction=np.ones_like(nothing),
        mask=mask.astype(np.float32),
        level=np.full_like(nothing, 0.5),
        resolvable_mm=np.full_like(nothing, resolvable_mm),
        lined=nothing,
        beard=nothing,
        shading=nothing,
        metric=np.broadcast_to(np.float32([1, 0, 1]), (*mask.shape, 3)),
        unseen=nothing,
    )


def skin(*place: slice, shape: tuple[int, int] = BOX_SHAPE, soft: float = 8.0) -> np.ndarray:
    mask = np.zeros(shape, np.float32)
    mask[place] = 1
    return cv2.GaussianBlur(mask, (0, 0), soft) if soft else mask


def on_box(texture: np.ndarray) -> np.ndarray:
    """(R, R) map to texels of BOX."""
    x0, y0, x1, y1 = (edge * len(texture) // SIDE for edge in BOX)
    return cv2.resize(texture[y0:y1, x0:x1], BOX_SHAPE[::-1], interpolation=cv2.INTER_CUBIC)


def detail_of(model, atlas: Atlas, inputs: DetailInputs, net: DetailNet) -> DetailMaps:
    return make_detail(inputs, net, model.mean, model, atlas)


def test_relief_of_unseen_skin_is_kept_apart(model, atlas, wild):
    """Maps of what the photo shows stay what they are, and the other one is 0 there."""
    inputs = inputs_of(skin(*FOREHEAD))
    plain = detail_of(model, atlas, inputs, wild)
    assert not plain.unseen.any() and (plain.normal_unseen == (32768, 32768, 65535)).all()
    hidden = np.zeros(BOX_SHAPE, np.float32)
    hidden[FOREHEAD[0].start - 100 : FOREHEAD[0].stop + 100] = 1
    found = detail_of(model, atlas, replace(inputs, unseen=hidden * (1 - inputs.mask)), wild)
    for name in ("medium", "fine", "normal", "normal_fine"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))
    shown = on_box(found.unseen)
    assert np.abs(shown).max() > 0.005
    assert not shown[cv2.dilate((inputs.mask < 0.6).astype(np.uint8), np.ones((25, 25))) == 0].any()
    flat = (found.normal_unseen == (32768, 32768, 65535)).all(axis=2)
    assert not flat.all() and flat[cv2.dilate((found.unseen != 0).astype(np.uint8), np.ones((3, 3))) == 0].all()


def test_amplitude_scales_medium_and_fine_relief_apart(model, atlas, wild):
    inputs = inputs_of(skin(*FOREHEAD))
    plain = detail_of(model, atlas, inputs, wild)
    quieter = DFDN().eval().requires_grad_(False)
    quieter.load_state_dict(wild.network.state_dict() | {"amplitude": torch.tensor([0.5, 0.25])})
    scaled = detail_of(model, atlas, inputs, net_of(quieter))
    for found, before, factor in ((scaled.medium, plain.medium, 0.5), (scaled.fine, plain.fine, 0.25)):
        whole = np.abs(before) < 1.4  # higher ones were cut off
        np.testing.assert_allclose(found[whole], before[whole] * factor, atol=2e-4)
        assert np.abs(found).max() > 0.01


def test_patches_that_agree_are_blended_to_what_they_say():
    mask = skin(slice(100, 300), slice(100, 300), shape=(384, 384))
    found = infer_relief(inputs_of(mask), level(0.3, 0.2))
    assert found.shape == mask.shape and found.dtype == np.float32
    np.testing.assert_allclose(found[mask > 0.05], 0.5, atol=2e-3)


def test_waves_go_on_from_patch_to_patch():
    mask = skin(slice(100, 300), slice(100, 300), shape=(384, 384))
    found = infer_relief(inputs_of(mask), waves(0.3))[mask > 0.05]
    x = (np.nonzero(mask > 0.05)[1] + 0.5) * TEXEL_MM
    wave = np.sin(2 * np.pi * x / WAVE_MM)
    assert 2 * (found * wave).mean() == pytest.approx(0.3, rel=0.05)
    np.testing.assert_allclose(found, 0.3 * wave, atol=0.03)


def test_patches_that_disagree_are_joined_without_seams():
    """Each patch has a height of its own: the blend is nowhere steeper than windows of the patch's width make it."""
    torch.manual_seed(3)
    network = DFDN().eval().requires_grad_(False)
    network.pdim.connected[-1].weight.mul_(300)
    network.basis.zero_()[:8] = 1
    network.pdrm.unet.up[0][0].weight.zero_()
    mask = np.ones((384, 640), np.float32)
    inputs = inputs_of(mask)
    scale = np.linspace(0, 3, 640, dtype=np.float32)
    inputs = replace(inputs, value=inputs.value * scale, light_x=inputs.light_x * scale[::-1])
    found = infer_relief(inputs, net_of(network))[16:-16, 16:-16]
    spread = float(np.ptp(found))
    assert spread > 0.2, "patches agree, and nothing is tested"
    for axis in range(2):
        assert np.abs(np.diff(found, axis=axis)).max() < 1.2 * spread * np.pi / PATCH


def test_the_grid_of_strided_convolutions_is_not_in_the_relief(model):
    """A network that says every other row is higher."""
    network = silent()
    network.pdrm.unet.up[1][1].bias.fill_(1)
    network.pdrm.unet.up[0][0].weight[:4] = torch.tensor([0.02, -0.02, 0.02, -0.02])[:, None]
    net, inputs = net_of(network), inputs_of(skin(*FOREHEAD))
    assert np.abs(np.diff(infer_relief(inputs, net)[FOREHEAD], axis=0)).min() > 0.05
    maps = detail_of(model, make_atlas(model, SIDE), inputs, net)
    found = on_box(maps.medium + maps.fine)[FOREHEAD][20:-20, 20:-20]
    assert np.abs(np.diff(found, axis=0)).max() < 0.002


def test_single_bright_texels_do_not_cut_the_relief(model, wild):
    mask = skin(*FOREHEAD, soft=0)
    holes = np.zeros(BOX_SHAPE, bool)
    holes[150:200:10, 720:800:10] = True
    mask[holes] = 0
    maps = detail_of(model, make_atlas(model, SIDE), inputs_of(mask), wild)
    found = on_box(maps.medium + maps.fine)
    beside = np.roll(found, 1, axis=1)
    assert np.abs(found[holes]).mean() > 0.8 * np.abs(beside[holes]).mean() > 0.02


def test_no_skin_no_relief(model, atlas, wild):
    nothing = inputs_of(np.zeros(BOX_SHAPE, np.float32))
    maps = detail_of(model, atlas, nothing, wild)
    assert not maps.medium.any() and not maps.fine.any()
    assert (maps.normal == (32768, 32768, 65535)).all() and (maps.normal_fine == (32768, 32768, 65535)).all()
    assert [notice.code for notice in notices(nothing)] == ["no_detail"]


def test_no_relief_where_the_photo_shows_no_skin(model, atlas, wild):
    """Brows, eyes, a hand before the face: a hole in the mask, with hard borders."""
    mask = skin(*FOREHEAD, soft=0)
    mask[150:200, 720:800] = 0
    maps = detail_of(model, atlas, inputs_of(mask), wild)
    reached = cv2.dilate(mask, np.ones((25, 25))) > 0  # three texels of the texture
    for part in (maps.medium, maps.fine):
        found = on_box(part)
        assert not found[~reached].any() and found[mask > 0].std() > 0.02
    assert not maps.medium[~atlas.covered].any() and not maps.fine[~atlas.covered].any()


def test_the_proxy_keeps_the_shape(model, atlas):
    """A height that is the same all over the mask is shape, also at the mask's border."""
    maps = detail_of(model, atlas, inputs_of(skin(*FOREHEAD)), level(0.5, 0.4))
    assert np.abs(maps.medium).max() < 0.03 and np.abs(maps.fine).max() < 0.03


def test_relief_has_no_mean_nearby(model, atlas, wild):
    maps = detail_of(model, atlas, inputs_of(skin(*FOREHEAD)), wild)
    total = on_box(maps.medium + maps.fine)[FOREHEAD]
    around = cv2.GaussianBlur(total, (0, 0), 5 / TEXEL_MM, borderType=cv2.BORDER_REFLECT)[40:-40, 40:-40]
    assert total.std() > 0.1 and np.sqrt((around**2).mean()) < 0.1 * total.std()


def test_heights_stay_below_their_limit(model, atlas, wild):
    loud = DFDN().eval().requires_grad_(False)
    loud.load_state_dict(wild.network.state_dict())
    loud.basis.mul_(100)
    maps = detail_of(model, atlas, inputs_of(skin(*FOREHEAD)), net_of(loud))
    for part in (maps.medium, maps.fine):
        assert 0.3 < np.abs(part).max() <= 1.5


def test_fine_relief_fades_with_the_grain_of_the_photo(model, atlas, wild):
    photos = [inputs_of(skin(*FOREHEAD), resolvable_mm=resolvable_mm) for resolvable_mm in (0.2, 0.7, 1.2)]
    sharp, middling, coarse = (detail_of(model, atlas, inputs, wild) for inputs in photos)
    assert sharp.fine.std() > 0.003 and not coarse.fine.any()
    share = middling.fine.std() / sharp.fine.std()
    assert 0.2 < share < 0.8 and (middling.fine - share * sharp.fine).std() < 0.01 * sharp.fine.std()
    for blurred in (middling, coarse):
        np.testing.assert_array_equal(blurred.medium, sharp.medium)
    assert (coarse.normal_fine == (32768, 32768, 65535)).all() and (coarse.normal[..., 0] != 32768).any()
    assert (sharp.normal != coarse.normal).any() and (sharp.normal_fine != sharp.normal).any(), "both bands are in it"


def test_the_same_inputs_give_the_same_relief(wild):
    inputs = inputs_of(skin(slice(100, 300), slice(50, 200), shape=(384, 256)))
    np.testing.assert_array_equal(infer_relief(inputs, wild), infer_relief(inputs, wild))


@pytest.mark.parametrize("side", [512, 1024, 2048])
def test_millimetres_do_not_depend_on_the_textures_resolution(model, side):
    """Waves of 6.4 mm: all in the medium band but what the proxy's shape and the texels take of them."""
    maps = detail_of(model, make_atlas(model, side), inputs_of(skin(*FOREHEAD)), waves(0.4))
    assert maps.medium.shape == maps.fine.shape == (side, side)
    assert maps.normal.shape == maps.normal_fine.shape == (side, side, 3)
    assert (maps.medium.dtype, maps.normal.dtype) == (np.float32, np.uint16)
    rows, columns = np.mgrid[FOREHEAD][:, 40:-40, 40:-40]
    wave = np.sin(2 * np.pi * (columns + 0.5) * TEXEL_MM / WAVE_MM)
    medium = 2 * (on_box(maps.medium)[rows, columns] * wave).mean()
    assert medium == pytest.approx(0.4 * 0.94**2 * 0.93, rel=0.06)
    assert abs(2 * (on_box(maps.fine)[rows, columns] * wave).mean()) < 0.05


@pytest.mark.parametrize("fill", [0.0, 1.0, 4.0])
def test_hostile_inputs_give_finite_relief(model, atlas, wild, fill):
    mask = skin(*FOREHEAD, soft=0)
    flat = np.full_like(mask, fill)
    inputs = replace(
        inputs_of(mask),
        value=flat,
        chroma=-flat,
        light_x=flat.clip(-3, 3),
        light_y=-flat.clip(-3, 3),
        direct_fraction=flat.clip(0, 1),
        level=flat.clip(0, 1),
        resolvable_mm=flat,
        lined=np.ones_like(flat),
    )
    maps = detail_of(model, atlas, inputs, wild)
    for part in (maps.medium, maps.fine):
        assert np.isfinite(part).all() and np.abs(part).max() <= 1.5


def test_warnings_tell_of_coarse_photos():
    """Whenever fine relief is weakened, and how much of it is left."""
    mask = skin(slice(100, 700), slice(400, 1100))
    assert notices(inputs_of(mask, resolvable_mm=0.45)) == ()
    (middling,), (coarse,) = (notices(inputs_of(mask, resolvable_mm=resolvable_mm)) for resolvable_mm in (0.7, 1.5))
    assert middling.code == coarse.code == "low_detail"
    assert "0.7 mm" in middling.message and "shown at 57%" in middling.message
    assert "1.5 mm" in coarse.message and "left out" in coarse.message


@pytest.fixture(scope="module")
def weights(tmp_path_factory, wild) -> Path:
    """Weights as training writes them, in a folder with their index."""
    path = tmp_path_factory.mktemp("weights") / WEIGHTS
    state = wild.network.state_dict()
    halves = {key: value.half() for key, value in state.items() if value.is_floating_point()}
    save_file(halves, path, metadata={"variant": "light", "size": "compact"})
    assets.register_weights(path)
    with_lines(path.parent)
    return path


def with_lines(folder: Path) -> None:
    """The network of lines that ships, in a folder of weights."""
    (folder / LINE_WEIGHTS).write_bytes(find_weights(LINE_WEIGHTS).read_bytes())
    assets.register_weights(folder / LINE_WEIGHTS)


@pytest.fixture
def weights_copy(tmp_path, weights) -> Path:
    for name in (WEIGHTS, LINE_WEIGHTS, assets.INDEX_NAME):
        (tmp_path / name).write_bytes((weights.parent / name).read_bytes())
    return tmp_path / WEIGHTS


def test_weights_are_read_as_they_were_written(weights, wild):
    net = load_detail_net(weights.parent)
    assert not net.network.training and not any(p.requires_grad for p in net.network.parameters())
    for key, value in net.network.state_dict().items():
        if value.is_floating_point():
            assert value.dtype in {torch.float32, torch.bfloat16 if net.half else torch.float32}
            written = wild.network.state_dict()[key].half().to(value.dtype)
            torch.testing.assert_close(value, written, rtol=0, atol=0)


def test_the_papers_input_is_the_patchs_level_less_its_mean(tmp_path):
    """A ``value`` network sees no light, and not how bright a photo is as a whole."""
    torch.manual_seed(2)
    network = DFDN("value").eval().requires_grad_(False)
    network.pdrm.unet.up[0][0].weight.mul_(30)
    save_weights(network, tmp_path / WEIGHTS)
    with_lines(tmp_path)
    net = load_detail_net(tmp_path)
    assert net.network.variant == "value"
    mask = skin(slice(0, PATCH), slice(0, PATCH), shape=(PATCH, PATCH), soft=0)
    rng = np.random.default_rng(3)
    dim = replace(inputs_of(mask), level=rng.uniform(0, 0.5, mask.shape).astype(np.float32))
    found = infer_relief(dim, net)
    assert found.std() > 1e-3
    bright = replace(dim, level=dim.level + np.float32(0.25), value=-dim.value, light_x=-dim.light_x)
    np.testing.assert_allclose(infer_relief(bright, net), found, atol=2e-2 * found.std())
    assert np.abs(infer_relief(replace(dim, level=dim.level[::-1].copy()), net) - found).max() > 0.1 * found.std()


@pytest.mark.parametrize("name", [WEIGHTS, LINE_WEIGHTS])
def test_missing_weights(tmp_path, weights_copy, name):
    (tmp_path / name).unlink()
    with pytest.raises(AssetError, match=name) as caught:
        load_detail_net(tmp_path)
    assert caught.value.remedy


@pytest.mark.parametrize("name", [WEIGHTS, LINE_WEIGHTS])
def test_damaged_weights(tmp_path, weights_copy, name):
    data = bytearray((tmp_path / name).read_bytes())
    data[-100] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AssetError, match="damaged"):
        load_detail_net(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("a tensor is missing", "does not fit"),
        ("a tensor of another shape", "does not fit"),
        ("another variant", "does not fit"),
        ("an unknown variant", "does not say which networks"),
        ("no safetensors file", "cannot be read"),
    ],
)
def test_weights_of_another_version(tmp_path, weights_copy, change, message):
    tensors = load_file(weights_copy)
    variant = {"another variant": "value", "an unknown variant": "depth"}.get(change, "light")
    if change == "a tensor is missing":
        tensors.pop("basis")
    elif change == "a tensor of another shape":
        tensors["basis"] = tensors["basis"][:-1].clone()
    save_file(tensors, weights_copy, metadata={"variant": variant, "size": "compact"})
    if change == "no safetensors file":
        weights_copy.write_bytes(b"not a tensor file")
    assets.register_weights(weights_copy)
    with pytest.raises(AssetError, match=message) as caught:
        load_detail_net(tmp_path)
    assert caught.value.remedy


def test_overexposed_skin_is_told():
    inputs = inputs_of(skin(slice(100, 700), slice(400, 1100)))
    level = np.full_like(inputs.mask, 0.6)
    lit = replace(inputs, level=level, lined=np.ones_like(level), unseen=np.zeros_like(level))
    assert notices(lit) == ()
    level[: len(level) // 4] = 1
    (notice,) = notices(lit)
    assert notice.code == "overexposed_skin" and "25%" in notice.message
