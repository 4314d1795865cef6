# SPDX-License-Identifier: GPL-3.0-or-later
"""Free the skins of portraits and textures of their light and lay them into canonical UV; what was stopped goes on.

    FACEDETAIL_DATA=… python -m scripts.training.delit_skins [--only portraits] [--sheets DIR]

One process: three minutes for textures, ten for the studio's portraits, half an hour to an hour for the others. Files
lie in the cache (``store.py``). To be looked at on the sheets; ``excluded.csv`` names what is no use.
"""

import argparse
from pathlib import Path

import cv2
import torch

from scripts.harness import data_folder, description, errors_told
from scripts.training.delit_skins.portraits import make_portraits
from scripts.training.delit_skins.sheets import write_sheets
from scripts.training.delit_skins.store import FOLDER, README, stored_names
from scripts.training.delit_skins.studio_skins import make_studio_skins
from scripts.training.delit_skins.textures import make_textures

STAGES = ("textures", "london", "portraits")


@errors_told()
def main() -> None:
    options = _arguments()
    stages = STAGES if options.only is None else (options.only,)
    data = data_folder("the portraits and uv_textures/")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "README.txt").write_text(README, encoding="utf-8")
    if "textures" in stages:
        make_textures(data, FOLDER)
    if "london" in stages:
        make_studio_skins(data / "london", FOLDER)
    if "portraits" in stages:
        make_portraits(data, FOLDER)
    if options.sheets:
        write_sheets(FOLDER, options.sheets, stored_names(FOLDER))


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--only", choices=STAGES, help="one kind of skins alone")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets of all skins")
    return parser.parse_args()


if __name__ == "__main__":
    main()
