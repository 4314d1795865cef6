# SPDX-License-Identifier: GPL-3.0-or-later
"""The training set: drawn piece by piece and kept in the cache, so that a run that was stopped goes on."""

from functools import cache, partial
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from scripts.harness import data_folder, measured, processes, whole_file
from scripts.training.correspondence.picture import Studio, make_studio
from scripts.training.correspondence.points import canonical_points
from scripts.training.correspondence.samples import Sample, random_sample
from scripts.training.correspondence.skins import load_skins

CHUNK = 250
SEED, TEST_SEED = 41, 42
FIELDS = ("picture", "points", "alpha", "beta", "rotation")


def make_chunks(folder: Path, skins: Path, count: int, jobs: int, first: int = 0, held_out: bool = False) -> None:
    """Draw what is missing of ``count`` chunks, from the skins to learn from or from those held out."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [index for index in range(first, first + count) if not chunk_path(folder, index).exists()]
    with processes(jobs) as pool:
        measured(pool, partial(_draw_chunk, folder, skins, held_out), missing)


def chunk_path(folder: Path, index: int) -> Path:
    return folder / f"{index:04d}.npz"


def load_chunk(path: Path) -> dict[str, np.ndarray]:
    """Arrays of :class:`.samples.Sample`, stacked."""
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in FIELDS}


def stacked(samples: list[Sample]) -> dict[str, np.ndarray]:
    return {name: np.array([getattr(sample, name) for sample in samples]) for name in FIELDS}


@cache
def _studio(skins: Path, held_out: bool) -> Studio:
    return make_studio(load_named_model(BUILTIN), load_skins(skins, held_out), data_folder("the glasses"))


def _draw_chunk(folder: Path, skins: Path, held_out: bool, index: int) -> int:
    studio = _studio(skins, held_out)
    embedding = canonical_points(studio.model, load_calibration())
    seed = TEST_SEED if held_out else SEED
    numbers = range(index * CHUNK, (index + 1) * CHUNK)
    samples = [random_sample(studio, embedding, np.random.default_rng((seed, number))) for number in numbers]
    with whole_file(chunk_path(folder, index)) as unfinished, open(unfinished, "wb") as stream:
        np.savez(stream, **stacked(samples))
    return index
