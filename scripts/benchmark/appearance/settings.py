# SPDX-License-Identifier: GPL-3.0-or-later
"""What the appearance benchmark measures: the pipeline with its settings, and the photos."""

from functools import cache
from pathlib import Path

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.models import Models
from facedetail_addon.settings import Settings

SETTINGS = Settings(resolution=1024)
_REAL = ("01", "02", "08", "14", "17", "18", "22", "31", "33", "36", "44", "49", "53")
_DARK = (
    "female-13", "female-24", "female-34", "female-44", "female-57", "female-61", "female-83", "male-36", "male-49",
    "male-53", "male-61", "male-67", "male-92",
)  # fmt: skip
_BY_TONE = {
    "london": ("london/neutral", ("001", "007", "029", "064", "101", "125")),
    "official": ("official_portraits", ("02", "08", "17", "22", "36", "44")),
    "synthetic": ("synthetic_portraits", ("female-13", "female-34", "male-12", "male-61", "male-92", "female-96")),
}
LONDON, PHOTOS, WILD = "london", "photos", "wild"


@cache
def load_models() -> Models:
    return Models.load(SETTINGS)


def list_photos(data: Path, london_step: int, wild: int) -> list[tuple[str, Path]]:
    """(group, file): every so many of the London portraits, neutral and smiling in turn, all of ``photos`` and a few
    wild ones."""
    london = [sorted((data / "london" / kind).glob("*.jpg")) for kind in ("neutral", "smiling")]
    chosen = [path for kind, paths in enumerate(london) for path in paths[kind * london_step // 2 :: london_step]]
    outside = sorted((data / "wild").glob("*.jpg"))
    outside = outside[:: max(1, len(outside) // max(1, wild))][:wild]
    groups = ((LONDON, chosen), (PHOTOS, sorted((data / "photos").glob("*.png"))), (WILD, outside))
    return [(group, path) for group, paths in groups for path in paths]


def list_portraits(data: Path) -> list[Path]:
    """Portraits for the albedo's borders: of real people, then dark and shiny ones of people who do not exist.

    Raises:
        AssetError: one is missing.
    """
    real = [data / "official_portraits" / f"{name}.jpg" for name in _REAL]
    return _there(real + [data / "synthetic_portraits" / f"{name}.jpg" for name in _DARK])


def list_by_tone(data: Path) -> list[tuple[str, Path]]:
    """(group, file): six of each set, dark, medium and light skin by the typology angle among those that have it.

    Raises:
        AssetError: one is missing.
    """
    found = [(group, data / folder / f"{name}.jpg") for group, (folder, names) in _BY_TONE.items() for name in names]
    _there([path for _, path in found])
    return found


def _there(photos: list[Path]) -> list[Path]:
    """The photos; told before any is measured, for measuring takes long."""
    for photo in photos:
        if not photo.is_file():
            raise AssetError(f"There is no portrait {photo}.", "Take the data that the benchmark was made for.")
    return photos
