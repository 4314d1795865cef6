# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wears the skins of drawn heads: sex, age and tone of the people of ``synthetic_portraits``."""

import csv
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.model import FaceModel
from scripts.benchmark.errors import typology_angle
from scripts.training.correspondence.skins import SIDE, Skins

PORTRAITS = "synthetic_portraits"
SPLITS = {"sex": ("female", "male"), "age": ("18–34", "35–54", "55+"), "skin": ("dark", "middle", "light")}
"""What people are told apart by, and the groups of each."""
_AGES = (35, 55)
_TONE_REGIONS = ("forehead", "cheeks")

Cell = tuple[int, int, int]
"""A group of every split, by their numbers."""


@dataclass(frozen=True)
class Wearers:
    """The skins of each cell.

    Attributes:
        cells: indices into the skins, at least one, for every combination of groups.
        tones_deg: (2,) the individual typology angles that part dark from middle and middle from light.
    """

    cells: dict[Cell, tuple[int, ...]]
    tones_deg: np.ndarray

    def skin(self, cell: Cell, number: int) -> int:
        """The skins of a cell take turns."""
        return self.cells[cell][number % len(self.cells[cell])]

    def people(self, split: int, group: int) -> int:
        """How many skins a group has."""
        return sum(len(skins) for cell, skins in self.cells.items() if cell[split] == group)


def wearers(skins: Skins, model: FaceModel, data: Path) -> Wearers:
    """Sort the skins of synthetic portraits by sex, age, and thirds of their typology angle.

    Args:
        model: the built-in one, in whose UV skins are painted. data: the folder of test data.

    Raises:
        AssetError: there is no skin for some combination.
    """
    with open(data / PORTRAITS / "info.csv", encoding="utf-8", newline="") as file:
        people = {f"{PORTRAITS}_{row['id']}": row for row in csv.DictReader(file)}
    which = [index for index, name in enumerate(skins.names) if name in people]
    angles = [skin_tone(skins.srgb[index], model) for index in which]
    thirds = np.quantile(angles, [1 / 3, 2 / 3]) if angles else np.zeros(2)
    cells: dict[Cell, tuple[int, ...]] = dict.fromkeys(product(*(range(len(of)) for of in SPLITS.values())), ())
    for index, angle in zip(which, angles, strict=True):
        person = people[skins.names[index]]
        sex, age = SPLITS["sex"].index(person["gender"]), np.searchsorted(_AGES, int(person["age"]), side="right")
        cells[sex, int(age), int(np.searchsorted(thirds, angle))] += (index,)
    empty = [
        ", ".join(groups[number] for groups, number in zip(SPLITS.values(), cell, strict=True))
        for cell, found in cells.items()
        if not found
    ]
    if empty:
        raise AssetError(
            f"No painted skin of {PORTRAITS} is held out for: {'; '.join(empty)}.", "Paint the rest with --make-skins."
        )
    return Wearers(cells, thirds)


def skin_tone(skin: np.ndarray, model: FaceModel) -> float:
    """Degrees of the individual typology angle; dark skin has the lower.

    Args:
        skin: (SIDE, SIDE, 3) uint8 sRGB in canonical UV; the median over forehead and cheeks counts.
    """
    part = model.skin
    corners = part.triangles(), part.uv_triangles()
    of_vertex = np.zeros((part.stop - part.start, 2), np.float32)
    of_vertex[corners[0]] = part.uv[corners[1]]
    at = (of_vertex[model.in_region(*_TONE_REGIONS)] * [1, -1] + [0, 1]) * SIDE
    column, row = at.astype(int).clip(0, SIDE - 1).T
    return typology_angle(np.median(skin[row, column], axis=0) / 255)
