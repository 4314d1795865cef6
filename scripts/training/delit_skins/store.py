# SPDX-License-Identifier: GPL-3.0-or-later
"""Skins in the cache, a few small files for each: what later training reads."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_srgb8
from scripts.harness import CACHE, whole_file

FOLDER = CACHE / "skins"
SIDE, LARGE = 256, 512
LEAST = 0.004  # albedo; logarithms stay finite
README = f"""Skins of people without their photos' light, in the canonical UV of the built-in head, row 0 at the top.
Written by python -m scripts.training.delit_skins; NAME is the data set and the file, such as canada_001f.

NAME.npz            log_albedo ({SIDE}, {SIDE}, 3) float16, logarithm of linear Rec. 709
                    weight ({SIDE}, {SIDE}) uint8, 255 = seen well, 0 = not seen, no skin (hair, hats, frames), clipped
                    or in deep shade; a quarter under highlights, whose colour comes from beside
                    tone (3,) logarithm of the plain skin's median
                    of photos: radiance (9, 3) and gamma of the light's estimate, residual, yaw in degrees, and medians
                    of linear colours: all_pixels, behind (the person), on_skin; of london: group, light
NAME_{LARGE}.png        sRGB albedo ({LARGE}, {LARGE}, 3), 8 bits
NAME_{LARGE}_weight.png its weight ({LARGE}, {LARGE}), 8 bits

Beyond the weight: of photos what the pipeline completed, of london nothing, of textures (valid, makehuman) their hair,
clothes and neighbourhood. Hair is painted on the scalp of textures.

Skins to leave out, and why: scripts/training/delit_skins/excluded.csv in the repository.
Only of london is the brightness known; of canada, valid and makehuman that of one person beside the other (one factor
in each colour puts a set on london's scale: one_scale in scripts/training/albedo_basis/people.py); that of the others
is what a statistical prior made of their photos.
"""


@dataclass(frozen=True)
class Skin:
    """One person's albedo in canonical UV.

    Attributes:
        name: data set and file. log_albedo: (S, S, 3) float32. weight: (S, S) float32 in [0, 1].
        figures: of the photo, small arrays by name: ``tone`` (3,) always.
    """

    name: str
    log_albedo: np.ndarray
    weight: np.ndarray
    figures: dict[str, np.ndarray]

    @property
    def source(self) -> str:
        """The data set."""
        return self.name.split("_")[0]


def name_of(path: Path) -> str:
    """Of a portrait or a texture: ``synthetic``, ``official``, ``canada``, ``valid``, ``makehuman``, and its file."""
    return f"{path.parent.name.removesuffix('_portraits')}_{path.stem}"


def is_stored(folder: Path, name: str) -> bool:
    return (folder / f"{name}.npz").exists()


def save_skin(
    folder: Path, name: str, albedo: np.ndarray, weight: np.ndarray, plain: np.ndarray, **figures: object
) -> None:
    """Write one skin in both sizes.

    Args:
        albedo: (R, R, 3) float32 linear, R ≥ ``LARGE``. weight: (R, R) in [0, 1].
        plain: (R, R) bool, where skin is of one colour. figures: small arrays to keep.
    """
    large, large_weight = shrunk(albedo, weight, LARGE)
    small, small_weight = shrunk(albedo, weight, SIDE)
    sure = plain & (weight > 0.5)
    sure = sure if sure.sum() > 100 else plain
    tone = np.log(np.maximum(np.median(albedo[sure], axis=0), LEAST))
    _write_picture(folder / f"{name}_{LARGE}.png", to_srgb8(large)[..., ::-1])
    _write_picture(folder / f"{name}_{LARGE}_weight.png", np.round(large_weight * 255).astype(np.uint8))
    with whole_file(folder / f"{name}.npz") as unfinished, open(unfinished, "wb") as stream:
        np.savez_compressed(
            stream,
            log_albedo=np.log(np.maximum(small, LEAST)).astype(np.float16),
            weight=np.round(small_weight * 255).astype(np.uint8),
            tone=tone.astype(np.float32),
            **figures,
        )


def load_skin(folder: Path, name: str) -> Skin:
    with np.load(folder / f"{name}.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    log_albedo = arrays.pop("log_albedo").astype(np.float32)
    return Skin(name, log_albedo, arrays.pop("weight").astype(np.float32) / 255, arrays)


def stored_names(folder: Path) -> list[str]:
    """All skins, in order."""
    return sorted(path.stem for path in folder.glob("*.npz") if not path.name.startswith("."))


def shrunk(albedo: np.ndarray, weight: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(side, side, 3) albedo, a mean over what is seen where anything is, and (side, side) weight."""
    size = (side, side)
    plain = cv2.resize(albedo, size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(weight.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    seen = cv2.resize(albedo * weight[..., None], size, interpolation=cv2.INTER_AREA)
    out = np.where(share[..., None] > 1e-3, seen / np.maximum(share, 1e-3)[..., None], plain)
    return out.astype(np.float32), share.clip(0, 1)


def _write_picture(path: Path, picture: np.ndarray) -> None:
    with whole_file(path) as unfinished:
        unfinished.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
