# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of lined faces: how much of the fine brightness of forehead, eye bags, crow's feet and smile folds is relief.

What counts is the photo's log luminance, less the smooth head's, in waves of 0.8 to 6 mm, where the product's mask is
sure. It is compared with the shading that tipped normals have in the photo's light; that grooves also shut light out,
which the product's solver reckons with, is left out, so that no free dark explains dark. The measure cannot tell skin
from what lies on it: frames of glasses, strands and moles that are carved as grooves are explained too, so look at
the pictures.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.space import BOX, TEXEL_MM, VALUE_UNIT
from facedetail_addon.core.errors import AssetError
from scripts.benchmark.detail.measure import band_errors, gaussian_texels, log_shading
from scripts.benchmark.detail.pictures import write_lined
from scripts.benchmark.detail.portraits import SURE, load_models, look_at, medium_and_fine
from scripts.benchmark.detail.regions import lined_regions
from scripts.benchmark.errors import rms
from scripts.benchmark.geometry.groups import PORTRAITS as SYNTHETIC
from scripts.benchmark.geometry.groups import skin_tone
from scripts.training.correspondence.skins import SIDE as TONE_SIDE
from scripts.training.skin.space import landmark_texels

OFFICIAL = "official_portraits"
OVER_AGE = 50
BAND_MM = (0.8, 6.0)
LEAST_CONTRAST = 0.02
"""RMS of the band's log luminance, below which skin is smooth and there is nothing to explain."""
_LEAST_CM2 = 1.0  # of sure skin in a region
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class LinedFace:
    """A photo to look at; ``age`` is None where the set does not tell it."""

    dataset: str
    path: Path
    age: int | None


@dataclass(frozen=True)
class Shading:
    """The relief's shading s against the photo's band v.

    Attributes:
        explained: 1 − Σ(v − s)²/Σv². inverted: the same of the relief turned inside out.
        correlation: 0 where there is no relief. factor: of s that is nearest to v; 0 where there is no relief.
    """

    explained: float
    inverted: float
    correlation: float
    factor: float


@dataclass(frozen=True)
class RegionRelief:
    """One region of a face.

    Attributes:
        contrast: RMS of the photo's band. relief_mm: RMS of the relief, medium and fine.
        shading: None where the skin is smooth.
    """

    contrast: float
    relief_mm: float
    shading: Shading | None


@dataclass(frozen=True)
class LinedRelief:
    """One face.

    Attributes:
        face: which. tone_deg: typology angle of the albedo that was found.
        regions: by name, those of which enough skin is seen.
    """

    face: LinedFace
    tone_deg: float
    regions: dict[str, RegionRelief]


def list_lined(data: Path, names: list[str] | None = None) -> list[LinedFace]:
    """People of the synthetic portraits beyond OVER_AGE, and all official portraits, one set after the other.

    Args:
        data: the folder of test data. names: of the photos without their suffix, if only some are wanted.

    Raises:
        AssetError: there is nobody of such a name.
    """
    with (data / SYNTHETIC / "info.csv").open(newline="", encoding="utf-8") as file:
        old = [row for row in csv.DictReader(file) if int(row["age"]) > OVER_AGE]
    old.sort(key=lambda row: (-int(row["age"]), row["id"]))
    faces = [LinedFace(SYNTHETIC, data / SYNTHETIC / f"{row['id']}.jpg", int(row["age"])) for row in old]
    faces += [LinedFace(OFFICIAL, path, None) for path in sorted((data / OFFICIAL).glob("*.jpg"))]
    if names is not None:
        unknown = set(names) - {face.path.stem for face in faces}
        if unknown:
            raise AssetError(f"No lined face is called {', '.join(sorted(unknown))}.", "Name photos without .jpg.")
        return [face for face in faces if face.path.stem in names]
    return faces


def quick(faces: list[LinedFace]) -> list[LinedFace]:
    """The first of each set."""
    return list({face.dataset: face for face in reversed(faces)}.values())


def measure_lined(face: LinedFace, weights: Path, keep: Path | None = None) -> LinedRelief | None:
    """Reconstruct a photo and look at its lines; None where no face is found.

    Args:
        face: which. weights: folder of the networks' weights. keep: a folder for pictures.
    """
    models = load_models(weights)
    seen = look_at(face.path, models)
    if seen is None:
        return None
    found, inputs = seen
    relief = np.add(*medium_and_fine(found))
    regions = _regions(weights)
    if keep is not None:
        write_lined(keep / f"{face.dataset}_{face.path.stem}.png", found, models.model, relief, regions)
    albedo = cv2.resize(found.maps["albedo"], (TONE_SIDE, TONE_SIDE), interpolation=cv2.INTER_AREA)
    return LinedRelief(face, skin_tone(albedo, models.model), region_reliefs(inputs, relief, regions))


def region_reliefs(inputs: DetailInputs, relief: np.ndarray, regions: dict[str, np.ndarray]) -> dict[str, RegionRelief]:
    """Measure (H, W) mm of relief against the photo it is of, in (H, W) bool regions, those with enough sure skin."""
    sure = inputs.mask > SURE
    photo = inputs.value * np.float32(VALUE_UNIT) - inputs.shading
    seen, made, turned = (
        masked_band(part, sure) for part in (photo, log_shading(relief, inputs), log_shading(-relief, inputs))
    )
    out = {}
    for name, region in regions.items():
        where = region & sure
        if where.sum() * TEXEL_MM**2 < 100 * _LEAST_CM2:
            continue
        contrast = rms(seen[where])
        lined = contrast >= LEAST_CONTRAST
        shading = _shading(seen[where], made[where], turned[where]) if lined else None
        out[name] = RegionRelief(contrast, rms(relief[where]), shading)
    return out


def masked_band(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(H, W) float32, the waves of BAND_MM of what lies in (H, W) bool: Gaussian means over what counts alone."""
    inside = where.astype(np.float32)
    short, long = (_mean_nearby(values * inside, inside, gaussian_texels(wave)) for wave in BAND_MM)
    return (short - long) * inside


def _mean_nearby(weighted: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    total, share = (cv2.GaussianBlur(part, (0, 0), sigma) for part in (weighted, weight))
    return total / np.maximum(share, _LEAST_WEIGHT)


def _shading(seen: np.ndarray, made: np.ndarray, turned: np.ndarray) -> Shading:
    power = rms(seen) ** 2
    errors = band_errors(made, seen)
    return Shading(
        explained=1 - rms(seen - made) ** 2 / power,
        inverted=1 - rms(seen - turned) ** 2 / power,
        correlation=errors.correlation,
        factor=errors.factor,
    )


@cache
def _regions(weights: Path) -> dict[str, np.ndarray]:
    shape = BOX[3] - BOX[1], BOX[2] - BOX[0]
    return lined_regions(landmark_texels(load_models(weights).model), shape)
