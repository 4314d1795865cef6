# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets of skins: each as it is painted, and below it what of it was seen."""

from pathlib import Path

import cv2
import numpy as np

from scripts.training.delit_skins.store import LARGE

_FACE = (slice(110, 490), slice(66, 446))  # of LARGE
_NAME_PX = 14


def write_sheets(folder: Path, to: Path, names: list[str], tile: int = 128, columns: int = 12, rows: int = 5) -> None:
    """PNG files of so many skins each, named by their first one."""
    to.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(names), columns * rows):
        part = names[first : first + columns * rows]
        tiles = [_tile(folder, name, tile) for name in part]
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
        lines = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
        cv2.imwrite(str(to / f"{part[0]}.png"), np.vstack(lines))


def _tile(folder: Path, name: str, side: int) -> np.ndarray:
    colour = cv2.imread(str(folder / f"{name}_{LARGE}.png"))[_FACE]
    weight = cv2.imread(str(folder / f"{name}_{LARGE}_weight.png"), cv2.IMREAD_GRAYSCALE)[_FACE]
    seen = (colour * (weight[..., None] / 255)).astype(np.uint8)
    small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in (colour, seen)]
    label = np.zeros((_NAME_PX, side, 3), np.uint8)
    short = name.split("_", 1)[1].replace("_diffuse", "").replace("_Busi", "")[-side // 6 :]
    cv2.putText(label, short, (1, _NAME_PX - 4), cv2.FONT_HERSHEY_PLAIN, 0.8, (255, 255, 255), 1)
    return np.vstack([label, *small])
