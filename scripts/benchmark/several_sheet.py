# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet to look at: what three photos tell of a head that one does not.

    FACEDETAIL_DATA=… python -m scripts.benchmark.several_sheet OUT.jpg [--people NUMBER …]

Drawn people in the skins of people who do not exist. For each, from left to right: three photos; and in clay, from the
front, from the side and from the other side, the head by the first photo alone, by all three, and the true one.
"""

from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.person import by_parallax
from facedetail_addon.core.pipeline import fit, refine
from scripts.benchmark.clay_sheet import CELL, camera_at, in_clay, write_jpg
from scripts.benchmark.geometry.__main__ import _load as load_tools
from scripts.benchmark.geometry.dressed import SETTINGS, DressedHead, load_studio, observed, product
from scripts.benchmark.geometry.groups import PORTRAITS
from scripts.benchmark.geometry.measure import Tools
from scripts.benchmark.several import person_alpha, turned
from scripts.harness import data_folder, description, errors_told, progress
from scripts.training.correspondence.picture import Studio

PEOPLE = (1, 4, 5)
YAWS = (0, -40, 40)
_SIDES = (0, -70, 70)
_QUALITY = 88
_ROOM = 1.15


def main() -> None:
    """Write the sheet."""
    parser = description(__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.jpg", help="the sheet")
    parser.add_argument("--people", nargs="+", type=int, metavar="NUMBER", default=PEOPLE, help="others of the drawn")
    options = parser.parse_args()
    with errors_told():
        if options.out.suffix.lower() != ".jpg":
            raise AssetError(f"The sheet cannot be written as {options.out.name}.", "Give it a name that ends in .jpg.")
        data = data_folder("models/ict_facekit.npz")
        tools, _ = load_tools(data, None, None)
        models, studio = product(tools.builtin), load_studio(tools.reference, tools.builtin.model, data)
        rows = [_row(number, tools, studio, models) for number in options.people]
        write_jpg(options.out, np.concatenate(rows), _QUALITY)


def _row(number: int, tools: Tools, studio: Studio, models: Models) -> np.ndarray:
    """(CELL, 12 CELL, 3) uint8."""
    skins = [index for index, name in enumerate(studio.skins.names) if name.startswith(PORTRAITS)]
    if not skins:
        raise AssetError(f"No skin of {PORTRAITS} is painted.", "Paint them with scripts.benchmark.geometry.")
    alpha, skin = person_alpha(studio, number), skins[number % len(skins)]
    heads = [turned(studio, yaw, number, skin, alpha, number) for yaw in YAWS]
    seen = tuple(observed(head, models, tools.reference) for head in heads)
    if None in seen:
        raise AssetError(f"The face of person {number} is not found in all photos.", "Name another with --people.")
    one = refine(seen[:1], fit(seen[:1], models, SETTINGS), models, SETTINGS)
    joint, matches = by_parallax(seen, fit(seen, models, SETTINGS), models, SETTINGS)
    three = refine(seen, joint, models, SETTINGS, matches=matches)
    shown = ((models.model, one.vertices_neutral), (models.model, three.vertices_neutral))
    shown += ((tools.reference, heads[0].neutral),)
    cells = [_photo(head, tools.reference) for head in heads]
    cells += [in_clay(vertices, model, camera_at(side)) for side in _SIDES for model, vertices in shown]
    progress(f"person {number}: drawn")
    return np.concatenate(cells, axis=1)


def _photo(head: DressedHead, model: FaceModel) -> np.ndarray:
    """(CELL, CELL, 3) uint8 around the head."""
    px = head.camera.project(model.landmarks68.points(head.posed).astype(np.float64))
    square = Region(px.mean(0) - [0, 0.15 * np.ptp(px[:, 1])], 2 * float(np.ptp(px[:, 1])) * _ROOM)
    return square.crop(head.picture, CELL, cv2.BORDER_REPLICATE)


if __name__ == "__main__":
    main()
