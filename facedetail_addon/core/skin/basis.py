# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned albedo basis: its file, and its values on a head's vertices."""

from pathlib import Path

import cv2
import numpy as np

from ..assets.shipped import find_weights
from ..errors import AssetError
from ..face_model.model import FaceModel
from ..image import sample
from ..io.archive import read_arrays, require_format, with_names
from .eye_skin import load_eye_skin
from .types import AlbedoBasis, EyeSkin

FORMAT_VERSION = 1
"""Of the file."""
_FILE = "albedo_basis.npz"  # among the weights that ship
_REMEDY = "Install the FaceDetail extension again; its zip carries this file."  # of its errors
_PLAIN = ("forehead", "cheeks", "nose", "chin")  # regions where skin is mostly of one colour


def load_basis(model: FaceModel, path: Path | None = None, eyes: EyeSkin | None = None) -> AlbedoBasis:
    """The basis that ships, or another file of its format.

    Args:
        model: the head that the basis was learned on, or one that was matched to it.
        eyes: instead of those that ship.

    Raises:
        AssetError: missing, damaged, of another format, or learned for another face model.
    """
    path = path or find_weights(_FILE)
    try:
        arrays = with_names(read_arrays(path), {"spread": "residual_sigma"})
        require_format(arrays, FORMAT_VERSION)
        if str(arrays["fingerprint"]) != model.canonical():
            raise AssetError(f"The albedo basis {path} was learned for another head than {model.name}.", _REMEDY)
        return _decode(arrays, model, eyes or load_eye_skin(model))
    except (ValueError, KeyError, IndexError) as error:
        raise AssetError(f"The albedo basis {path} cannot be read: {error}.", _REMEDY) from error


def at_vertices(image: np.ndarray, model: FaceModel) -> np.ndarray:
    """(S, S[, C]) map in canonical UV to (V_skin[, C]) values of the skin's vertices."""
    uv = model.skin.vertex_uv().astype(np.float32)
    side = image.shape[0]
    at = (np.column_stack([uv[:, 0], 1 - uv[:, 1]]) * side - 0.5).astype(np.float32)
    channels = image.reshape(side, side, -1)
    out = [sample(channels[..., c], at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE) for c in range(channels.shape[2])]
    return np.stack(out, axis=-1).reshape(len(at), *image.shape[2:])


def nearest_stored(stored: np.ndarray) -> np.ndarray:
    """(S·S,) int for each texel which of the stored ones is nearest."""
    _, labels = cv2.distanceTransformWithLabels(
        (~stored).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    order = np.zeros(int(labels.max()) + 1, np.int64)
    order[labels[stored]] = np.arange(int(stored.sum()))
    return order[labels].ravel()


def _decode(arrays: dict[str, np.ndarray], model: FaceModel, eyes: EyeSkin) -> AlbedoBasis:
    known = arrays["known"].astype(np.float32) / 255
    if known.ndim != 2 or known.shape[0] != known.shape[1] or not known.any():
        raise ValueError("its map is not square, or empty")
    stored = known > 0
    count, side = int(stored.sum()), known.shape[0]
    modes = arrays["modes"]
    shapes = {"mean": (count, 3), "modes": (len(modes), count, 3), "steps": (len(modes),), "residual_sigma": (count,)}
    shapes["reach"] = (2, len(modes))
    if modes.dtype != np.int8 or any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("its arrays do not belong together")
    steps = arrays["steps"].astype(np.float32)
    mean = arrays["mean"].astype(np.float32)
    lowest, highest = arrays["reach"].astype(np.float32)
    if not np.isfinite(mean).all() or not np.isfinite(steps).all() or not (lowest <= highest).all():
        raise ValueError("it holds values that are not finite")
    nearest = nearest_stored(stored)
    mean_map = np.ascontiguousarray(mean[nearest]).reshape(side, side, 3)
    mode_maps = np.ascontiguousarray(modes[:, nearest]).reshape(len(modes), side, side, 3)
    residual_sigma = (arrays["residual_sigma"].astype(np.float32) / 255)[nearest].reshape(side, side)
    colours = [at_vertices(mean_map, model)]
    colours += [at_vertices(mode.astype(np.float32) * step, model) for mode, step in zip(mode_maps, steps, strict=True)]
    at = at_vertices(np.dstack([residual_sigma, known]), model)
    plain = model.in_region(*_PLAIN)
    return AlbedoBasis(
        lowest, highest, colours[0], np.stack(colours[1:]), at[:, 0].copy(), at[:, 1].copy(), plain, mean_map,
        mode_maps, steps, eyes,
    )  # fmt: skip
