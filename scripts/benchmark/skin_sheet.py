# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet to look at: the skin of people who do not exist, as its map and from three quarters in Blender.

    FACEDETAIL_DATA=… python -m scripts.benchmark.skin_sheet OUT.jpg [--people ID …] [--quality fine]

For each, from left to right: the photo; the face in the albedo map; the head in the studio's light, by Cycles. People
are by name of ``synthetic_portraits``: both sexes, young to old, dark to light. Needs Blender's Python module; half a
minute a person on one core.
"""

import argparse
from pathlib import Path

import bpy
import cv2
import numpy as np

from facedetail_addon.core.models import Models
from facedetail_addon.core.pipeline import reconstruct
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.scene.build.scene import build_scene
from facedetail_addon.scene.lookdev.pictures import Lookdev, orbit_picture
from facedetail_addon.scene.lookdev.sheet import over_backdrop
from facedetail_addon.settings import Settings, option_of
from scripts.benchmark.clay_sheet import PEOPLE, Person, head_square, portraits_for, write_jpg
from scripts.harness import description, errors_told, progress

CELL = 240
_MORE = ("female-26", "female-9", "male-63", "male-67")
_ACROSS, _GAP_PX = 3, 8  # people in a line, and between them
_FACE = slice(0.22, 0.78)  # of the map's side
_TURNED_DEG = 40.0
_QUALITY = 85


def main() -> None:
    """Write the sheet."""
    parser = description(__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.jpg", help="the sheet")
    parser.add_argument("--people", nargs="+", metavar="ID", default=PEOPLE + _MORE, help="others of the portraits")
    qualities = option_of(Settings, "quality")
    parser.add_argument("--quality", choices=qualities.values, default=Settings().quality, help=qualities.help)
    with errors_told():
        write_skins(parser.parse_args())


def write_skins(options: argparse.Namespace) -> None:
    """Reconstruct the people, build their heads and draw them.

    Raises:
        AssetError: there is no such portrait, or the sheet's name does not end in ``.jpg``.
    """
    photos = portraits_for(options.out, tuple(options.people))
    settings = Settings(quality=options.quality)
    models, cells = Models.load(settings), []
    for photo in photos:
        cells.append(row(reconstruct(photo, models, settings, lambda _text, _done: None), models))
        progress(f"{photo.stem}: {len(cells)} of {len(photos)}")
    write_jpg(options.out, sheet(cells), _QUALITY)


def row(found: Reconstruction, models: Models) -> np.ndarray:
    """(CELL, W, 3) uint8 of one person; the open Blender file is lost."""
    pose = found.record.pose
    square = head_square(
        Person(found.maps["photo"], pose.perspective, pose.vertices, pose.vertices, None), models.model
    )
    albedo = found.maps["albedo"]
    face = slice(*(round(edge * len(albedo)) for edge in (_FACE.start, _FACE.stop)))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    head = build_scene(found, models.model, scene=bpy.context.scene)
    turned = over_backdrop(orbit_picture(head, Lookdev(height=CELL), _TURNED_DEG))
    photo = square.crop(found.maps["photo"], CELL, cv2.BORDER_CONSTANT)
    return np.concatenate(
        [photo, cv2.resize(albedo[face, face], (CELL, CELL), interpolation=cv2.INTER_AREA), turned], axis=1
    )


def sheet(rows: list[np.ndarray]) -> np.ndarray:
    """People in lines, white where there is nobody."""
    rows = rows + [np.full_like(rows[0], 255)] * (-len(rows) % _ACROSS)
    gap = np.full((CELL, _GAP_PX, 3), 255, np.uint8)
    lines = [rows[start : start + _ACROSS] for start in range(0, len(rows), _ACROSS)]
    between = [[x for one in line for x in (gap, one)][1:] for line in lines]
    return np.concatenate([np.concatenate(line, axis=1) for line in between])


if __name__ == "__main__":
    main()
