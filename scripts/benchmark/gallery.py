# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet to look at: people who do not exist, from the photo to the relit head.

    FACEDETAIL_DATA=… python -m scripts.benchmark.gallery OUT.jpg [--people ID …]

For each, from left to right: the photo; clay; relief in raking light; the skin's colours alone; the head in the photo's
light, which has been turned to the side; and from three quarters in the photo's light. People are by name of
``synthetic_portraits``: both sexes, young to old, dark to light. Half a minute a person on one core.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from facedetail_addon.core.models import Models
from facedetail_addon.core.pipeline import reconstruct
from facedetail_addon.core.rendering.harmonics import bands_of, rotation
from facedetail_addon.core.result.preview import appearance_of
from facedetail_addon.core.result.preview_frame import Frame, trace_frame
from facedetail_addon.core.result.preview_panels import (
    RAKING_LIGHTS,
    SOFT_LIGHTS,
    Appearance,
    clay,
    paint_of,
    relit,
    surface_of,
    textured,
    with_relief,
)
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.settings import Settings
from scripts.benchmark.clay_sheet import PEOPLE, Person, head_square, portraits_for, write_jpg
from scripts.benchmark.likeness.identity import orbited
from scripts.harness import description, errors_told, progress

CELL = 200
COLUMNS = ("photo", "clay", "lines", "skin", "light from the side", "three quarters")
_TURNED_DEG, _LIGHT_DEG = 40.0, 80.0  # of the camera and of the light, around the vertical
_ACROSS = 2  # people in a line
_QUALITY = 82
_HEADER_PX, _GAP_PX = 18, 10


def main() -> None:
    """Write the sheet."""
    parser = description(__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.jpg", help="the sheet")
    parser.add_argument("--people", nargs="+", metavar="ID", default=PEOPLE, help="others of the portraits")
    options = parser.parse_args()
    with errors_told():
        write_gallery(options.out, options.people)


def write_gallery(out: Path, names: tuple[str, ...]) -> None:
    """Reconstruct the people and draw them.

    Raises:
        AssetError: there is no such portrait, or the sheet's name does not end in ``.jpg``.
    """
    photos = portraits_for(out, names)
    settings = Settings()
    models, rows = Models.load(settings), []
    for photo in photos:
        rows.append(row(reconstruct(photo, models, settings, lambda _text, _done: None), models))
        progress(f"{photo.stem}: {len(rows)} of {len(photos)}")
    write_jpg(out, sheet(rows), _QUALITY)


def row(found: Reconstruction, models: Models) -> np.ndarray:
    """(CELL, 6 CELL, 3) uint8 of one person."""
    pose, appearance = found.record.pose, appearance_of(found)
    camera = pose.perspective
    square = head_square(Person(found.maps["photo"], camera, pose.vertices, pose.vertices, None), models.model)
    low, high = square.to_photo(np.array([[0.0, 0.0], [1.0, 1.0]]))
    box = (*low, *high)
    frame = trace_frame(pose.vertices, models.model, camera, (CELL, CELL), box)
    middle = pose.landmarks68_mm.mean(axis=0).astype(np.float64)
    aside = trace_frame(pose.vertices, models.model, orbited(camera, middle, _TURNED_DEG), (CELL, CELL), box)
    surface, paint = surface_of(frame), paint_of(appearance, frame)
    return np.concatenate(
        [
            square.crop(found.maps["photo"], CELL, cv2.BORDER_CONSTANT),
            clay(surface, frame, SOFT_LIGHTS),
            clay(with_relief(surface, found.maps["normal"], frame), frame, RAKING_LIGHTS),
            textured(paint, frame),
            relit(turned_light(appearance), paint, frame),
            _lit(appearance, aside),
        ],
        axis=1,
    )


def turned_light(appearance: Appearance) -> Appearance:
    """The same head in its photo's light, turned to the side."""
    turn = Rotation.from_euler("y", _LIGHT_DEG, degrees=True).as_matrix()
    turned = rotation(turn, bands_of(appearance.radiance)) @ appearance.radiance
    return replace(appearance, radiance=turned.astype(np.float32))


def sheet(rows: list[np.ndarray]) -> np.ndarray:
    """Columns of people side by side under their panels' names, white where there is nobody."""
    height = -(-len(rows) // _ACROSS)
    rows = rows + [np.full_like(rows[0], 255)] * (height * _ACROSS - len(rows))
    columns = [np.concatenate([_header(), *rows[start : start + height]]) for start in range(0, len(rows), height)]
    gap = np.full((len(columns[0]), _GAP_PX, 3), 255, np.uint8)
    return np.concatenate([columns[0]] + [x for column in columns[1:] for x in (gap, column)], axis=1)


def _lit(appearance: Appearance, frame: Frame) -> np.ndarray:
    return relit(appearance, paint_of(appearance, frame), frame)


def _header() -> np.ndarray:
    out = np.full((_HEADER_PX, CELL * len(COLUMNS), 3), 255, np.uint8)
    for number, name in enumerate(COLUMNS):
        cv2.putText(out, name, (number * CELL + 4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    return out


if __name__ == "__main__":
    main()
