# SPDX-License-Identifier: GPL-3.0-or-later
"""What the appearance benchmark measures: the pipeline with its settings, and the photos."""

from functools import cache
from pathlib import Path

from facedetail_addon.core.models import Models
from facedetail_addon.settings import Settings

SETTINGS = Settings(resolution=1024)
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
