# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo's skin to displacement maps: lines as deep as their shading says, pores from the networks, in mm."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from ..assets.shipped import WEIGHTS_DIR, find_weights
from ..errors import AssetError
from ..face_model.model import FaceModel
from ..image import smoothstep
from ..io.networks import load_network, one_thread, read_metadata
from ..notices import Notice
from ..parallel import in_threads
from ..uv.types import Atlas
from .dfdn import DFDN, PATCH, PHOTO_CHANNELS, SIZES, level_channel
from .inputs import DetailInputs
from .line_net import LineNet, form_likelihood, load_line_net
from .line_view import look_for_lines, relief_light
from .normal_map import flat_detail, skin_normals
from .relief_shading import log_occlusion, slopes
from .shape_from_shading import LineRelief, carve_lines
from .space import COARSE_MM, SIDE, TEXEL_MM, box_at, split_bands
from .types import DetailMaps
from .unseen import unseen_relief

WEIGHTS = "detail_net.safetensors"
"""Name of the networks' file."""
_REMEDY = "Install the FaceDetail extension again; its zip carries this file."  # of its errors
_STRIDE = PATCH // 2  # texels between patches
_BATCH = 4  # patches at a time
_MOST_INPUT = 4.0  # of value and chroma, in their units, that the networks see
_LIMIT_MM = 1.5  # heights lie within ± this
_STEPS_PER_MM = 16384.0  # heights are rounded: files get smaller, and the two parts add up exactly
# Takes away waves of two texels, which strided convolutions leave behind, and 12 % of those of five.
_WITHOUT_GRID = np.array([-1, 4, 10, 4, -1], np.float32) / 16
_HOLE_TEXELS = 7  # smaller holes in the mask, such as single bright pixels, do not cut the relief
_SOFT_MM = 0.6  # the mask's borders are softened so much
_FINE_RESOLVABLE_MM = (0.45, 1.0)  # resolvable size at which fine relief begins to fade, and is gone
_MEDIUM_RESOLVABLE_MM = (2.5, 6.0)  # the same of medium relief
_WHOLE = 0.95  # share of the fine relief that is not worth a word
_CLIPPED, _GLARING = 0.97, 0.1  # of the photo's value; share of skin that may have lines, from which on it is told
_LEAST_SKIN = 0.01  # share of BOX, 8 cm²; below this there was nothing to look at


@dataclass(frozen=True)
class DetailNet:
    """Networks of relief and of lines.

    Attributes:
        half: whether this processor multiplies bfloat16 faster than single precision. Relief is the same within
            0.002 mm then, 99.9 % of it within 0.0003 mm, and layers are kept so; lines, of which a little decides, stay
            single.
    """

    network: DFDN
    lines: LineNet
    half: bool


def load_detail_net(directory: Path = WEIGHTS_DIR) -> DetailNet:
    """The networks of the variant and the size that the weight file names.

    Raises:
        AssetError: a weight file is missing or damaged, or names what this version does not know.
    """
    path = find_weights(WEIGHTS, directory)
    named = read_metadata(path)
    kind = named.get("variant", ""), named.get("size", "")
    if kind[0] not in PHOTO_CHANNELS or kind[1] not in SIZES:
        raise AssetError(f"The weight file {path} does not say which networks it is for.", _REMEDY)
    network, half = load_network(DFDN(*kind), path), _multiplies_bfloat16()
    if half:  # what would be rounded for every patch
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                layer.to(torch.bfloat16)
    return DetailNet(network, load_line_net(directory), half)


def _multiplies_bfloat16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def make_detail(
    inputs: DetailInputs, net: DetailNet, vertices: np.ndarray, model: FaceModel, atlas: Atlas
) -> DetailMaps:
    """Displacement and normals of the skin that a photo shows, and apart from them of what it does not show.

    Args:
        inputs: of the networks. net: with weights. vertices: (V, 3) mm, neutral, for the size of texels.
        model, atlas: of the head.
    """
    return detail_maps(relief_heights(inputs, net, atlas), vertices, model, atlas)


@dataclass(frozen=True)
class Heights:
    """Relief in canonical UV, (R, R) float32 mm each, and what it makes of the photo's light.

    Attributes:
        medium, fine, unseen, shading: of :class:`.types.DetailMaps`.
    """

    medium: np.ndarray
    fine: np.ndarray
    unseen: np.ndarray
    shading: np.ndarray


def relief_heights(inputs: DetailInputs, net: DetailNet, atlas: Atlas) -> Heights | None:
    """The heights of :func:`make_detail`, after which nobody needs the inputs; None where there was nothing to see."""
    if not _shows_skin(inputs):
        return None
    parts = list(_parts(inputs, net))
    medium, fine, unseen = (_rounded(_to_texture(parts.pop(0), atlas)) for _ in range(3))
    return Heights(medium, fine, unseen, _shading(medium + fine, inputs, atlas))


def detail_maps(heights: Heights | None, vertices: np.ndarray, model: FaceModel, atlas: Atlas) -> DetailMaps:
    """With normals; None: flat. The rest as of :func:`make_detail`."""
    if heights is None:
        return flat_detail(atlas.resolution)
    medium, fine, unseen = heights.medium, heights.fine, heights.unseen
    normal, normal_fine, normal_unseen = skin_normals((medium + fine, fine, unseen), model, atlas, vertices)
    return DetailMaps(medium, fine, normal, normal_fine, unseen, normal_unseen, heights.shading)


def _parts(inputs: DetailInputs, net: DetailNet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W) float32 mm over BOX: medium, fine and unseen relief."""
    lines = line_relief(inputs, net)
    height = cv2.sepFilter2D(infer_relief(inputs, net), -1, _WITHOUT_GRID, _WITHOUT_GRID)
    mask = cv2.morphologyEx(inputs.mask, cv2.MORPH_CLOSE, np.ones((_HOLE_TEXELS, _HOLE_TEXELS), np.uint8))
    inside = smoothstep(mask, 0.0, 0.5)
    height = _without_shape(height, cv2.GaussianBlur(mask, (0, 0), _SOFT_MM / TEXEL_MM) * inside)
    amplitude = net.network.amplitude.tolist()
    inside = inside * (1 - lines.likelihood)  # of what the networks find
    medium, fine = (part * inside * factor for part, factor in zip(split_bands(height), amplitude, strict=True))
    resolved = [1 - smoothstep(inputs.resolvable_mm, *fades) for fades in (_MEDIUM_RESOLVABLE_MM, _FINE_RESOLVABLE_MM)]
    medium, fine = medium * resolved[0], fine * resolved[1]
    folds, fine_lines = (part * share for part, share in zip(split_bands(lines.height_mm), resolved, strict=True))
    unseen = unseen_relief(inputs, replace(lines, height_mm=folds + fine_lines), fine)
    parts = medium + folds, fine + fine_lines, unseen
    return tuple(part.clip(-_LIMIT_MM, _LIMIT_MM) for part in parts)


def line_relief(inputs: DetailInputs, net: DetailNet) -> LineRelief:
    """The relief of the lines that a photo shows, where the network takes them for form."""
    view = look_for_lines(inputs)
    return carve_lines(view, form_likelihood(view, net.lines))


def infer_relief(inputs: DetailInputs, net: DetailNet) -> np.ndarray:
    """(H, W) float32 mm over BOX, what PDIM and PDRM say together, not calibrated; patches without skin are left out.

    Patches overlap by half and are blended with Hann windows, whose sum is even.
    """
    photo = _channels(inputs, net.network.variant)
    corners = _corners(inputs.mask)
    total = np.zeros(inputs.mask.shape, np.float32)
    weight = np.full(inputs.mask.shape, 1e-6, np.float32)
    ramp = np.sin(np.pi * (np.arange(PATCH, dtype=np.float32) + 0.5) / PATCH) ** 2
    window = ramp[:, None] * ramp

    def relief(part: list[tuple[int, int]]) -> np.ndarray:
        batch = torch.from_numpy(np.stack([photo[:, y : y + PATCH, x : x + PATCH] for x, y in part]))
        batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=net.half):
            if net.network.variant == "value":
                batch = level_channel(batch)
            medium, refined = net.network(batch, torch.zeros_like(batch[:, :1]))
            return (medium.float() + refined.float())[:, 0].numpy()

    parts = [corners[start : start + _BATCH] for start in range(0, len(corners), _BATCH)]
    with one_thread():
        found = in_threads(relief, parts)
    for (x, y), patch in zip(corners, itertools.chain.from_iterable(found), strict=True):
        total[y : y + PATCH, x : x + PATCH] += patch * window
        weight[y : y + PATCH, x : x + PATCH] += window
    return total / weight


def _channels(inputs: DetailInputs, variant: str) -> np.ndarray:
    """(C, H, W) float32 that a variant of the networks looks at."""
    if variant == "value":
        return inputs.level[None]
    value, chroma = (channel.clip(-_MOST_INPUT, _MOST_INPUT) for channel in (inputs.value, inputs.chroma))
    return np.stack([value, chroma, inputs.light_x, inputs.light_y, inputs.direct_fraction, inputs.mask])


def notices(inputs: DetailInputs) -> tuple[Notice, ...]:
    """What an artist should know about the relief."""
    if not _shows_skin(inputs):
        return (Notice("no_detail", "Too little skin is seen for wrinkles and pores; the head stays smooth."),)
    return _glare_notices(inputs) + _size_notices(inputs)


def _glare_notices(inputs: DetailInputs) -> tuple[Notice, ...]:
    bare = (inputs.lined > 0.5) & (inputs.unseen < 0.5)
    share = float((inputs.level[bare] > _CLIPPED).mean()) if bare.any() else 0.0
    if share < _GLARING:
        return ()
    text = f"{share:.0%} of the skin is overexposed, by a flash or the sun: it stays smooth there and beside it."
    return (Notice("overexposed_skin", text),)


def _size_notices(inputs: DetailInputs) -> tuple[Notice, ...]:
    resolvable = inputs.resolvable_mm[inputs.mask > 0.5]
    share = float(1 - smoothstep(resolvable, *_FINE_RESOLVABLE_MM).mean())
    if share >= _WHOLE:
        return ()
    shown = f"shown at {share:.0%}" if share >= 0.01 else "left out"
    size = f"{np.median(resolvable):.1f} mm"
    text = f"Photo and texture show little below {size} of the skin: pores and fine lines are {shown}."
    return (Notice("low_detail", text),)


def _shows_skin(inputs: DetailInputs) -> bool:
    return float((inputs.mask > 0.5).mean()) >= _LEAST_SKIN


def _corners(mask: np.ndarray) -> list[tuple[int, int]]:
    """Upper left corners (x, y) of patches with any skin."""
    height, width = mask.shape
    places = [(x, y) for y in range(0, height - PATCH + 1, _STRIDE) for x in range(0, width - PATCH + 1, _STRIDE)]
    return [(x, y) for x, y in places if (mask[y : y + PATCH, x : x + PATCH] > 0.05).any()]


def _without_shape(height: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Masked relief whose mean nearby is zero: what is wider belongs to the proxy."""
    height = height * mask
    sigma = COARSE_MM / TEXEL_MM
    around = cv2.GaussianBlur(height, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(mask, (0, 0), sigma), 0.05)
    return height - around * mask


def _shading(height: np.ndarray, inputs: DetailInputs, atlas: Atlas) -> np.ndarray:
    """(R, R) factor of the photo's light by (R, R) mm."""
    rows, columns = box_at(atlas.resolution)
    box = height[rows, columns]
    size = inputs.mask.shape[::-1]
    fine = box if box.shape == inputs.mask.shape else cv2.resize(box, size, interpolation=cv2.INTER_CUBIC)
    change = relief_light(inputs).log_shading(*slopes(fine, TEXEL_MM))[0] + log_occlusion(fine, TEXEL_MM)
    change = cv2.resize(change, box.shape[::-1], interpolation=cv2.INTER_AREA)
    out = np.ones_like(height)
    out[rows, columns] = np.exp(change)
    out[~atlas.covered] = 1
    return out


def _rounded(height: np.ndarray) -> np.ndarray:
    out = height * np.float32(_STEPS_PER_MM)
    np.round(out, out=out)
    out /= np.float32(_STEPS_PER_MM)
    return out


def _to_texture(part: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(H, W) over BOX to (R, R), 0 elsewhere."""
    side = atlas.resolution
    out = np.zeros((side, side), np.float32)
    box = out[box_at(side)]
    if side != SIDE:
        way = cv2.INTER_AREA if side < SIDE else cv2.INTER_CUBIC
        part = cv2.resize(part, box.shape[::-1], interpolation=way)
    box[:] = part
    out[~atlas.covered] = 0
    return out
