# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of people through the whole pipeline: what relief explains of their fine brightness, and how high it is."""

import csv
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.space import BOX, SIDE, VALUE_UNIT
from facedetail_addon.core.detail.synthesis import load_detail_net
from facedetail_addon.core.errors import NoFaceError, PhotoError
from facedetail_addon.core.models import Models
from facedetail_addon.core.pipeline import illuminate, inputs_of_detail, reconstruct
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.benchmark.detail.measure import Amplitude, Explained, amplitude, beyond, explained, log_shading
from scripts.benchmark.detail.pictures import write_photo

LONDON, PHOTOS, WILD = "london", "photos", "wild"
SETTINGS = Settings(detail=NO_DETAIL)  # the networks are loaded from a folder that the caller names
_GROUPS = ("black", "east_asian", "west_asian", "white")  # the oldest of each, and the youngest of two
_WRINKLED = ("0000", "0122", "0185", "0243", "0254", "0321")  # wild ones with clear wrinkles or folds
SURE = 0.7
"""Of the mask, from which on it counts."""


@dataclass(frozen=True)
class PortraitDetail:
    """What was found on one photo of a person.

    Attributes:
        group, name: of the photo. brightness: how much of its fine brightness is explained.
        medium, fine: amplitudes where the photo shows skin. beyond: share of their sum beyond ± 1.5 mm.
        seconds: of the detail stage. codes: of the reconstruction's warnings.
    """

    group: str
    name: str
    brightness: Explained
    medium: Amplitude
    fine: Amplitude
    beyond: float
    seconds: float
    codes: tuple[str, ...]


def list_portraits(data: Path) -> list[tuple[str, Path]]:
    """(group, file): six London portraits of different ages and origins, half of them smiling; all of ``photos``; six
    wild ones with wrinkles."""
    london = [
        data / "london" / ("smiling" if number % 2 else "neutral") / f"{face}.jpg"
        for number, face in enumerate(_london_faces(data / "london" / "info.csv"))
    ]
    wild = [data / "wild" / f"{name}.jpg" for name in _WRINKLED]
    photos = sorted((data / "photos").glob("*.png"))
    return [(group, path) for group, paths in ((LONDON, london), (PHOTOS, photos), (WILD, wild)) for path in paths]


@cache
def load_models(weights: Path) -> Models:
    """The product's, with the networks of a folder."""
    return replace(Models.load(SETTINGS), detail_net=load_detail_net(weights))


def measure_portrait(photo: tuple[str, Path], weights: Path, keep: Path | None = None) -> PortraitDetail | None:
    """Reconstruct a photo and look at its relief; None where no face is found.

    Args:
        photo: (group, file). weights: folder of the networks' weights. keep: a folder for pictures.
    """
    (group, path), models = photo, load_models(weights)
    seen = look_at(path, models)
    if seen is None:
        return None
    found, inputs = seen
    record, where = found.record, inputs.mask > SURE
    if not where.any():
        return None
    medium, fine = medium_and_fine(found)
    change = log_shading(medium + fine, inputs) / np.float32(VALUE_UNIT)
    if keep is not None:
        write_photo(keep, f"{group}_{path.stem}", found, models.model, change)
    return PortraitDetail(
        group=group,
        name=f"{path.parent.name}/{path.stem}",
        brightness=explained(inputs.value, change, where),
        medium=amplitude(medium, where),
        fine=amplitude(fine, where),
        beyond=beyond(medium + fine, where),
        seconds=record.stage_seconds["detail"],
        codes=tuple(notice.code for notice in record.notices),
    )


def look_at(path: Path, models: Models) -> tuple[Reconstruction, DetailInputs] | None:
    """A photo's reconstruction, and what its relief was made from; None where no face is found."""
    try:
        found = reconstruct(path, models, SETTINGS, lambda _text, _done: None)
    except (NoFaceError, PhotoError):
        return None
    record = found.record
    light = illuminate(record.observation, record.pose, models, SETTINGS)  # once more: results do not hold it
    return found, inputs_of_detail(record.observation, record.pose, light, models)


def medium_and_fine(found: Reconstruction) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) float32 mm each over BOX, medium and fine."""
    medium, fine = (_over_box(found.maps[f"displacement_{kind}"]) for kind in ("medium", "fine"))
    return medium, fine


def _london_faces(info: Path) -> list[str]:
    with info.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["face_age"].isdigit()]
    oldest_last = sorted(rows, key=lambda row: (int(row["face_age"]), row["face_id"]))
    by_group = [[row["face_id"] for row in oldest_last if row["face_eth"] == group] for group in _GROUPS]
    return [own[-1] for own in by_group] + [by_group[0][0], by_group[-1][0]]


def _over_box(part: np.ndarray) -> np.ndarray:
    """(R, R) to (H, W) float32 over BOX on texels of SIDE."""
    x0, y0, x1, y1 = BOX
    if part.shape[0] != SIDE:
        part = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(part[y0:y1, x0:x1], np.float32)
