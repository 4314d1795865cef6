# SPDX-License-Identifier: GPL-3.0-or-later
"""Real skins in canonical UV for the drawn heads: what the product paints from portraits, light taken off."""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.pipeline import fit, illuminate, observe, paint
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.harness import measured, processes

PATTERNS = ("london/neutral/*.jpg", "canada/*.jpg", "synthetic_portraits/*.jpg", "official_portraits/*.jpg")
SIDE = 512
HELD_OUT = 4  # every fourth portrait, in the order of their names, is only ever drawn for tests
_SETTINGS = Settings(resolution=1024, detail=NO_DETAIL)


@dataclass(frozen=True)
class Skins:
    """The skins of N people.

    Attributes:
        names: of the portraits. srgb: (N, SIDE, SIDE, 3) uint8.
    """

    names: tuple[str, ...]
    srgb: np.ndarray

    def linear(self, index: int) -> np.ndarray:
        """(SIDE, SIDE, 3) float32 albedo."""
        return to_linear(self.srgb[index])


def make_skins(data: Path, folder: Path, jobs: int) -> None:
    """Paint what is missing in ``folder``, a PNG for each portrait (four seconds each)."""
    folder.mkdir(parents=True, exist_ok=True)
    photos = [path for pattern in PATTERNS for path in sorted(data.glob(pattern))]
    missing = [photo for photo in photos if not skin_path(folder, photo).exists()]
    with processes(jobs) as pool:
        measured(pool, partial(_paint, folder), missing)


def load_skins(folder: Path, held_out: bool) -> Skins:
    """Those to learn from, or those to test with."""
    paths = [p for i, p in enumerate(sorted(folder.glob("*.png"))) if (i % HELD_OUT == 0) == held_out]
    pictures = [cv2.imread(str(path))[..., ::-1] for path in paths]
    return Skins(tuple(path.stem for path in paths), np.ascontiguousarray(pictures))


def skin_path(folder: Path, photo: Path) -> Path:
    return folder / f"{photo.parent.name}_{photo.stem}.png"


@cache
def _models() -> Models:
    return Models.load(_SETTINGS)


def _paint(folder: Path, photo: Path) -> bool:
    models = _models()
    try:
        observation = observe(read_photo(photo), models, _SETTINGS)
    except NoFaceError:
        return False
    pose = fit((observation,), models, _SETTINGS).pose
    light = illuminate(observation, pose, models, _SETTINGS)
    albedo = paint(observation, pose, light, models).skin.albedo
    small = cv2.resize(albedo[..., :3], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return cv2.imwrite(str(skin_path(folder, photo)), small[..., ::-1])
