# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of people as the product unwraps them, without the slow refinement of the head."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from facedetail_addon.core.detail.line_view import STEP, view_channels
from facedetail_addon.core.detail.space import SIDE
from facedetail_addon.core.errors import FaceDetailError
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.pipeline import fit, illuminate, inputs_of_detail, observe
from scripts.harness import progress, whole_file
from scripts.training.studio.studio import SETTINGS as STUDIO_SETTINGS

SETTINGS = replace(STUDIO_SETTINGS, resolution=SIDE // STEP)
"""Textures as fine as a view: a quarter of the work."""


def make_portraits(folder: Path, paths: list[Path], models: Models) -> None:
    """Write what is missing: (h, w, 14) channels of each photo's view, half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        out = portrait_path(folder, path)
        if out.exists():
            continue
        try:
            channels = look(path, models)
        except FaceDetailError as error:
            progress(f"{path.name}: {error.message}")
            continue
        with whole_file(out) as unfinished, open(unfinished, "wb") as stream:
            np.savez(stream, channels=channels.astype(np.float16))
        progress(f"{out.stem}")


def portrait_path(folder: Path, photo: Path) -> Path:
    return folder / f"{photo.parent.name}_{photo.stem}.npz"


def look(path: Path, models: Models) -> np.ndarray:
    """(h, w, 14) channels of one photo's view."""
    seen = observe(read_photo(path), models, SETTINGS)
    head = fit((seen,), models, SETTINGS)
    return view_channels(inputs_of_detail(seen, head.pose, illuminate(seen, head.pose, models, SETTINGS), models))
