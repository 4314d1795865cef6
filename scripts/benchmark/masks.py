# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the masks of person, hair and skin against what landmarks say of a face.

    FACEDETAIL_DATA=… python -m scripts.benchmark.masks [--quick] [--sheet FILE.png]

No photo here has true masks. But a face has skin on its cheeks and little hair; the table counts the photos where a
mask says otherwise. Where no hair is found over the forehead, heads are bald or covered, or it was missed: look there.
``--quick`` takes every eighth photo; ``--sheet`` draws the masks of every eighth photo. The last line is JSON.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.masks.find import find_masks
from facedetail_addon.core.observe.masks.networks import MaskNetworks
from facedetail_addon.core.observe.masks.types import PhotoMasks
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table

SETS = ("london/neutral", "synthetic_portraits", "official_portraits", "wild")
CHEEKS = (50, 280, 101, 330, 205, 425)
TOP, BOTTOM = 10, 152  # of the face's outline
ABOVE = (0.15, 0.25, 0.3)  # face heights over the outline's top
COLUMNS = (
    "photos", "faces found", "ms, median", "hair on the face > 0.15", "skin of the cheeks < 0.8",
    "no hair over the forehead", "its place is not in the photo",
)  # fmt: skip
TILE, ACROSS = 220, 4
HAIR_COLOUR, SKIN_COLOUR = np.float32([255, 0, 255]), np.float32([0, 255, 0])


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every set of photos; lines and figures."""
    data, figures, tiles = data_folder("photos"), {}, []
    landmarker, networks = MeshLandmarker.load(), MaskNetworks.load()
    for name in SETS:
        seen, milliseconds = [], []
        for number, path in enumerate(sorted((data / name).glob("*.jpg"))):
            if options.quick and number % 8:
                continue
            picture = np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])
            for face in landmarker.find(picture)[:1]:
                start = time.perf_counter()
                masks = find_masks(picture, face, networks)
                milliseconds.append(1000 * (time.perf_counter() - start))
                seen.append(look(masks, face))
                if options.sheet and number % 8 == 0:
                    tiles.append(tile(picture, masks))
        hair, skin, above = np.array(seen).T
        figures[name] = {
            "faces": len(seen),
            "median_ms": round(float(np.median(milliseconds)), 1),
            "hair_on_face": int((hair > 0.15).sum()),
            "no_skin_on_cheeks": int((skin < 0.8).sum()),
            "no_hair_above": int((above < 0.5).sum()),
            "above_not_seen": int(np.isnan(above).sum()),
        }
        progress(f"{name}: done")
    if options.sheet:
        write_sheet(options.sheet, tiles)
    return table(COLUMNS, [[name, *figures[name].values()] for name in SETS]), figures


def look(masks: PhotoMasks, face: FaceLandmarks) -> tuple[float, float, float]:
    """Mean hair over the face, mean skin of the cheeks, and most hair over the forehead (NaN where it is not seen)."""
    hair = masks.sample(face.mesh_px[:468, :2])[:, 1]
    skin = masks.sample(face.mesh_px[list(CHEEKS), :2])[:, 2]
    top, bottom = face.mesh_px[[TOP, BOTTOM], :2]
    above = masks.sample(top + np.outer(ABOVE, top - bottom))[:, 1]
    most = float(np.nanmax(above)) if np.isfinite(above).any() else np.nan
    return float(np.nanmean(hair)), float(np.nanmean(skin)), most


def tile(picture: np.ndarray, masks: PhotoMasks) -> np.ndarray:
    """(TILE, 3 TILE, 3) uint8: the crop, person (the rest dark) with hair drawn over, and skin."""
    crop = masks.region.crop(picture, TILE, cv2.BORDER_CONSTANT).astype(np.float32)
    person, hair, skin = (
        cv2.resize(mask, (TILE, TILE), interpolation=cv2.INTER_AREA)[..., None]
        for mask in (masks.person, masks.hair, masks.skin)
    )
    with_hair = crop * (0.25 + 0.75 * person) * (1 - 0.6 * hair) + 0.6 * hair * HAIR_COLOUR
    with_skin = crop * (0.35 + 0.25 * skin) + 0.4 * skin * SKIN_COLOUR
    return np.concatenate([crop, with_hair, with_skin], axis=1).clip(0, 255).astype(np.uint8)


def write_sheet(path: Path, tiles: list[np.ndarray]) -> None:
    """All tiles in rows."""
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % ACROSS)
    rows = [np.concatenate(tiles[i : i + ACROSS], axis=1) for i in range(0, len(tiles), ACROSS)]
    cv2.imwrite(str(path), np.concatenate(rows)[:, :, ::-1])


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "every eighth photo", jobs=False)
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="a picture of the masks, to look at")
    benchmark(run, parser)
