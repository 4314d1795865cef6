# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn what skin around the eyes has beside the albedo basis: how people differ in the mean, and lines.

    python -m scripts.training.eye_skin

A minute of one core; reads the skins of ``scripts.training.delit_skins`` and writes ``core/weights/eye_skin.npz``. The
people of ``--parts half`` are left out. No randomness.
"""

import json
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights
from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.face_model.library import load_named_model
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.image import TEXTURE_MM, blurred, smoothstep
from facedetail_addon.core.skin.basis import load_basis
from facedetail_addon.core.skin.eye_skin import COARSE, EYE_SKIN, FINE_MM, FORMAT_VERSION, LINED_PARTS, SIDE, how_lined
from facedetail_addon.core.skin.types import AlbedoBasis, EyeSkin
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import Atlas
from facedetail_addon.settings import BUILTIN
from scripts.benchmark.appearance.half_face import EYES, hidden_parts
from scripts.harness import description, errors_told, whole_file
from scripts.training.albedo_basis.people import read_excluded
from scripts.training.delit_skins.store import FOLDER, stored_names
from scripts.training.texture_net.skins import measured_names

LINED_PEOPLE = (
    "synthetic_female-71", "synthetic_female-48", "synthetic_female-6", "synthetic_female-53",
    "synthetic_female-63", "synthetic_male-89", "synthetic_female-23", "synthetic_male-11",
)  # fmt: skip
"""Chosen by eye from smooth to deeply lined: both eyes well seen, evenly lit, no glasses. None of them exists."""
PORTRAITS = ("london", "canada", "official", "synthetic")
_SOFT_MM = (6.0, 3.0)  # over which lines fade out at the sides, and above and below
_BROWS, _BROW_MM = (slice(17, 22), slice(22, 27)), 13.6
_SURE, _KNOWN = 0.8, 0.95  # weight of skin that tells γ; share of the basis
_OUTLIER, _ROUNDS, _RIDGE = 0.15, 4, 2e-4  # log difference that is no skin's; what γ is held by, per value
_LEAST_PEOPLE = 3  # a mean of fewer counts less
_DEEPEST = 0.7  # log; what is darker is a hole between lids
_TEXEL_MM = TEXTURE_MM / SIDE
_FLOOR = 0.004


@errors_told()
def main() -> None:
    options = description(__doc__)
    options.add_argument("--skins", type=Path, default=FOLDER)
    options.add_argument("--output", type=Path, default=WEIGHTS_DIR)
    options = options.parse_args()
    model = load_named_model(BUILTIN)
    atlas = make_atlas(model, SIDE)
    basis = load_basis(model, eyes=no_eyes())
    band = hidden_parts(model, SIDE)[EYES]
    out = {row["skin"] for row in read_excluded()} | set(measured_names())
    names = [name for name in stored_names(options.skins) if name not in out and name.split("_")[0] in PORTRAITS]
    rows, columns, share = where_lines_are(model, atlas, band)
    apart = mean_difference([read_skin(options.skins, name) for name in names], basis, atlas, band)
    chosen = [lines_of(*read_skin(options.skins, name), model, atlas, band) for name in LINED_PEOPLE]
    lines, lined = zip(*chosen, strict=True)
    step = _DEEPEST / 127
    coarse = np.s_[rows.start // COARSE : rows.stop // COARSE, columns.start // COARSE : columns.stop // COARSE]
    path = options.output / EYE_SKIN
    with whole_file(path) as unfinished, open(unfinished, "wb") as stream:
        np.savez_compressed(
            stream, format_version=FORMAT_VERSION, fingerprint=model.canonical(), corner=(rows.start, columns.start),
            lines=np.round(np.stack(lines)[:, rows, columns] / step).clip(-127, 127).astype(np.int8), step=step,
            lined=np.float32(lined), share=np.round(share[rows, columns] * 255).astype(np.uint8),
            apart=(apart * shrunk(fading(band))[..., None])[coarse].astype(np.float16),
        )  # fmt: skip
    register_weights(path)
    print(json.dumps({"people": len(names), "lined": np.round(lined, 2).tolist(), "bytes": path.stat().st_size}))


def no_eyes() -> EyeSkin:
    """Nothing is known."""
    plain = np.zeros((1, COARSE, COARSE), np.float32)
    return EyeSkin(0, 0, np.zeros((1, 1, 3), np.float32), plain, np.zeros(1, np.float32), plain[0])


def read_skin(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(SIDE, SIDE, 3) float32 log albedo and (SIDE, SIDE) weight."""
    albedo = to_linear(cv2.imread(str(folder / f"{name}_{SIDE}.png"))[..., ::-1])
    weight = cv2.imread(str(folder / f"{name}_{SIDE}_weight.png"), cv2.IMREAD_GRAYSCALE) / np.float32(255)
    return np.log(np.maximum(albedo, np.float32(_FLOOR))), weight


def fading(band: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) float32, 1 in the (SIDE, SIDE) bool band, and soft beside it."""
    return blurred(band.astype(np.float32), _SOFT_MM[1] / _TEXEL_MM)


def where_lines_are(model: FaceModel, atlas: Atlas, band: np.ndarray) -> tuple[slice, slice, np.ndarray]:
    """Rows and columns, and (SIDE, SIDE) float32 how much lines count: on the face beside brows."""
    uv = model.landmarks68.points(model.skin.vertex_uv())
    at = np.column_stack([uv[:, 0], 1 - uv[:, 1]]) * SIDE
    brows = np.zeros((SIDE, SIDE), np.float32)
    for part in _BROWS:
        cv2.polylines(brows, [np.round(at[part] * 16).astype(np.int32)], False, 1.0, 17, cv2.LINE_8, 4)
    brows = blurred(brows, _BROW_MM / _TEXEL_MM / 6)
    out = fading(band) * (1 - brows)
    left, right = (int(round(at[mark, 0] / COARSE)) * COARSE for mark in (0, 16))  # beside the ears
    across = np.arange(SIDE)
    soft = _SOFT_MM[0] / _TEXEL_MM
    out *= smoothstep(np.minimum(across - left, right - 1 - across), 0, soft)
    inside = np.flatnonzero((out > 1 / 255).any(axis=1))
    rows = slice(inside[0] // COARSE * COARSE, -(-(inside[-1] + 1) // COARSE) * COARSE)
    return rows, slice(left, right), out


def lines_of(
    log: np.ndarray, weight: np.ndarray, model: FaceModel, atlas: Atlas, band: np.ndarray
) -> tuple[np.ndarray, float]:
    """(SIDE, SIDE) float32 fine pattern, and how lined the skin beside the band is."""
    lines = log @ LUMINANCE
    lines -= blurred(lines, FINE_MM / _TEXEL_MM)
    lines = np.where(lines < 0, _DEEPEST * np.tanh(lines / _DEEPEST), lines)
    regions = atlas.picture(np.column_stack([model.in_region(name) for name in LINED_PARTS]).astype(np.float32))
    plain = (weight > 0.9) & ~band
    lined = how_lined(np.exp(log) @ LUMINANCE, tuple(plain & (one > 0.9) for one in np.moveaxis(regions, 2, 0)))
    return lines, lined


def mean_difference(
    skins: list[tuple[np.ndarray, np.ndarray]], basis: AlbedoBasis, atlas: Atlas, band: np.ndarray
) -> np.ndarray:
    """(SIDE / 4, SIDE / 4, 3) float32 mean log difference from the basis, whose γ the skin beside the band tells."""
    size = SIDE // COARSE
    known = shrunk(atlas.picture(basis.known))
    beside = (known > _KNOWN) & (shrunk(cv2.dilate(band.astype(np.float32), np.ones((3 * COARSE,) * 2))) == 0)
    mean = shrunk(basis.mean_map)
    modes = [mode * step for mode, step in zip(basis.mode_maps, basis.mode_steps, strict=True)]
    modes = np.stack([shrunk(mode) for mode in modes])
    total, share = np.zeros((size, size, 3), np.float32), np.full((size, size), _LEAST_PEOPLE, np.float32)
    for log, weight in skins:
        seen = shrunk(weight)
        apart = shrunk(log * weight[..., None]) / np.maximum(seen, 1e-3)[..., None] - mean
        apart -= _fitted(apart, (seen > _SURE) & beside, modes)
        seen *= known > 0.5
        for one, count in ((apart, seen), (apart[:, ::-1], seen[:, ::-1])):
            total += one * count[..., None]
            share += count
    return total / share[..., None]


def _fitted(apart: np.ndarray, sure: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """What modes and a tone make of (S, S, 3), by some of its texels, outliers forgotten."""
    inputs = modes[:, sure].transpose(1, 2, 0).reshape(-1, len(modes))
    inputs = np.column_stack([inputs, np.tile(np.eye(3), (int(sure.sum()), 1))])
    values, weight = apart[sure].ravel(), np.ones(3 * int(sure.sum()))
    held = np.diag([_RIDGE * len(values)] * len(modes) + [1e-6] * 3)
    for _ in range(_ROUNDS):
        found = np.linalg.solve(inputs.T @ (inputs * weight[:, None]) + held, inputs.T @ (values * weight))
        weight = 1 / (1 + ((values - inputs @ found) / _OUTLIER) ** 2) ** 2
    return np.tensordot(found[:-3], modes, 1) + found[-3:]


def shrunk(values: np.ndarray) -> np.ndarray:
    """(S, S[, C]) float32 to SIDE / 4 texels."""
    return cv2.resize(values.astype(np.float32), (SIDE // COARSE,) * 2, interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()
