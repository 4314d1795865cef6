# SPDX-License-Identifier: GPL-3.0-or-later
"""The albedo basis of a model that has skin colours of its own, in coefficients of its own modes.

Such models hold what cameras made of skin: display-encoded colours, mean + Σ γₖ modeₖ. Ours holds logarithms of linear
albedo. Each mode becomes the slope of the logarithm between one σ below the mean and one above; how bright skin is
altogether, which exposure decides there, is taken from the learned basis.
"""

from dataclasses import replace

import numpy as np

from ..colour import LUMINANCE, to_linear
from ..face_model.model import FaceModel, NativeAlbedo
from ..uv.types import Atlas
from .basis import load_basis, nearest_stored
from .eye_skin import of_another_basis
from .types import AlbedoBasis, in_steps

_MOST_MODES = 100  # of a model, those of largest variance
_MAP_SIDE = 256  # texels of the maps, at least
_REACH = 3.0  # σ, how far people go
_DARKEST = 0.004  # linear; nothing of a face is darker


def albedo_basis(model: FaceModel, atlas: Atlas) -> AlbedoBasis:
    """The basis to read a model's skin with: in its own modes where it has colours, else the one that ships.

    Args:
        atlas: of the model.

    Raises:
        AssetError: the file of the learned basis is missing, damaged or of another head.
    """
    learned = load_basis(model)
    return learned if model.native_albedo is None else _native_basis(model.native_albedo, learned, atlas)


def _native_basis(native: NativeAlbedo, learned: AlbedoBasis, atlas: Atlas) -> AlbedoBasis:
    """Of many modes those of largest variance, in their order; what others add is left over (``residual_sigma``)."""
    variance = np.array([np.square(mode).sum() for mode in native.basis])
    kept = np.zeros(len(variance), bool)
    kept[np.argsort(-variance, kind="stable")[:_MOST_MODES]] = True
    modes = np.stack([_log_slope(native.mean, mode) for mode in native.basis[kept]])
    left_over = np.square(learned.residual_sigma)
    for mode in native.basis[~kept]:
        left_over += np.square(_log_slope(native.mean, mode) @ LUMINANCE)
    mean = _log(native.mean)
    # The median tells exposures apart, not people: brows and lips count on both sides alike.
    skin = learned.plain & (learned.known > 0.5)
    mean += np.median(_log_luminance(learned.mean[skin]) - _log_luminance(mean[skin]))
    reach = np.full(len(modes), _REACH, np.float32)
    maps = _maps(np.concatenate([mean[None], modes]), atlas)
    mode_maps, steps = in_steps(maps[1:])
    return replace(
        learned, lowest=-reach, highest=reach, mean=mean, modes=modes, residual_sigma=np.sqrt(left_over),
        mean_map=maps[0].copy(), mode_maps=mode_maps, mode_steps=steps,
        eyes=of_another_basis(learned.eyes),
    )  # fmt: skip


def _log(display: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(to_linear(display.clip(0, 1)), _DARKEST))


def _log_slope(mean: np.ndarray, mode: np.ndarray) -> np.ndarray:
    return (_log(mean + mode) - _log(mean - mode)) / 2


def _log_luminance(logarithms: np.ndarray) -> np.ndarray:
    return np.log(np.exp(logarithms) @ LUMINANCE)


def _maps(values: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(M, V, 3) values of the skin's vertices to (M, S, S, 3) float32 in canonical UV, padded beyond the island."""
    step = max(1, atlas.resolution // _MAP_SIDE)
    picked = np.zeros((atlas.resolution, atlas.resolution), bool)
    picked[step // 2 :: step, step // 2 :: step] = True
    small = (slice(step // 2, None, step),) * 2
    covered = atlas.covered[small]
    interpolation = atlas.raster.interpolation(atlas.triangles, values.shape[1])[picked[atlas.covered]]
    padding = nearest_stored(covered)
    return np.stack([(interpolation @ value)[padding].reshape(*covered.shape, 3) for value in values])
