# SPDX-License-Identifier: GPL-3.0-or-later
"""Portraits that are learned from and tested on, observed once and kept in the cache."""

from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.identity.recognition import Recognition
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.pipeline import observe
from facedetail_addon.core.result.observation_file import read_observation, write_observation
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.harness import measured, processes, whole_file

LEARNED = ("synthetic_portraits/*.jpg", "official_portraits/*.jpg", "canada/*.jpg")
HELD_OUT = ("london/neutral/*.jpg", "london/smiling/*.jpg")  # two photos of each of 82 people
SETTINGS = Settings(resolution=512, detail=NO_DETAIL)
_MOST_YAW_DEG = 25.0


@dataclass(frozen=True)
class Portrait:
    """One photo: its name within the data, what it says without any identity prior, and the (128,) descriptor."""

    name: str
    observation: Observation
    descriptor: np.ndarray


def look_at(data: Path, folder: Path, patterns: tuple[str, ...], jobs: int) -> None:
    """Observe what is missing in ``folder`` (0.5 s each)."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [photo for photo in _photos(data, patterns) if not _kept(folder, data, photo).exists()]
    with processes(jobs) as pool:
        measured(pool, partial(_look, folder, data), missing)


def load_portraits(data: Path, folder: Path, patterns: tuple[str, ...]) -> list[Portrait]:
    """Those whose face was found, and looks towards the camera."""
    out = []
    expressions = len(models().model.expression_names)
    for photo in _photos(data, patterns):
        path = _kept(folder, data, photo)
        with np.load(path.with_suffix(".descriptor.npz")) as stored:
            descriptor = stored["descriptor"]
        if not len(descriptor):  # nobody was found
            continue
        observation = Observation(**read_observation(path, expressions))
        if observation.landmarks.seen and abs(observation.landmarks.yaw_deg) < _MOST_YAW_DEG:
            out.append(Portrait(str(photo.relative_to(data)), observation, descriptor))
    return out


@cache
def models() -> Models:
    """Once per process."""
    return Models.load(SETTINGS)


@cache
def _recognition() -> Recognition:
    return Recognition.load()


def _photos(data: Path, patterns: tuple[str, ...]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(data.glob(pattern))]


def _kept(folder: Path, data: Path, photo: Path) -> Path:
    return folder / ("_".join(photo.relative_to(data).with_suffix("").parts) + ".npz")


def _look(folder: Path, data: Path, photo: Path) -> None:
    kept = _kept(folder, data, photo)
    try:
        observation = replace(observe(read_photo(photo), models(), SETTINGS), alpha_prior=None)
        descriptor = _recognition().describe(observation.pixels, observation.landmarks.sparse_px)
    except NoFaceError:
        observation, descriptor = None, np.zeros(0, np.float32)
    with whole_file(kept.with_suffix(".descriptor.npz")) as unfinished, open(unfinished, "wb") as stream:
        np.savez(stream, descriptor=descriptor)
    with whole_file(kept) as unfinished:
        if observation is None:
            unfinished.write_bytes(b"")
        else:
            write_observation(unfinished, observation)
