# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how well face recognition tells people apart, by sex, skin tone and the set's own groups.

    FACEDETAIL_DATA=… python -m scripts.benchmark.recognition [--quick]

Distances between descriptors of photos: of the neutral and the smiling portrait of each of 82 people of the London set,
and of different people of the same group. Rank-1: how often the nearest of all photos of the other kind is the same
person's, both ways. ``below 0.6``: pairs of different people whom the usual threshold takes for one. Skin tone: the
individual typology angle of the cheeks (Chardon et al. 1991) in these evenly lit photos; below 10° is brown and dark
skin, above 41° light. The second table has pairs of different people only, of sets with one photo a person. The last
line is JSON.
"""

import argparse
import csv
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.observe.identity.recognition import Recognition
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.photo import read_photo
from scripts.benchmark.errors import TONES, rounded, typology_angle
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table

KINDS = ("neutral", "smiling")
SINGLE_SETS = ("canada", "synthetic_portraits", "official_portraits")
THRESHOLD = 0.6
SMALLEST_GROUP = 5
CHEEKS = (50, 280, 101, 330, 205, 425)  # of the face mesh
COLUMNS = (
    "people", "number", "same person: mean", "largest", "different: mean", "smallest", "different below 0.6, %",
    "rank-1 %",
)  # fmt: skip
SINGLE_COLUMNS = ("photos", "faces", "different: mean", "smallest", "different below 0.6, %")


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every set; lines and figures."""
    data, step = data_folder("london/"), 8 if options.quick else 1
    with open(data / "london" / "info.csv", encoding="utf-8") as stream:
        people = list(csv.DictReader(stream))[::step]
    pairs = [[_look(data / "london" / kind / f"{one['face_id']}.jpg") for kind in KINDS] for one in people]
    people, found = zip(
        *((one, pair) for one, pair in zip(people, pairs, strict=True) if None not in pair), strict=True
    )
    progress("london: done")
    descriptors = np.array([[descriptor for descriptor, *_ in pair] for pair in found])
    tones = np.array([pair[0][1] for pair in found])
    figures: dict[str, object] = {
        name: summary(descriptors, which) for name, which in groups(people, tones).items() if which.sum() > 1
    }
    lines = table(COLUMNS, [(name, *_cells(row)) for name, row in figures.items()])
    singles = {name: _single(sorted((data / name).glob("*.jpg"))[::step]) for name in SINGLE_SETS}
    lines += ["", *table(SINGLE_COLUMNS, [(name, *_cells(row)) for name, row in singles.items()])]
    milliseconds = rounded(1000 * np.median([seconds for pair in found for *_, seconds in pair]), 1)
    lines += ["", f"{milliseconds} ms for a descriptor, median of one thread."]
    return lines, {"london": figures, **singles, "milliseconds": milliseconds}


@cache
def load_recognition() -> Recognition:
    """Once per process."""
    return Recognition.load()


def describe(picture: np.ndarray, landmarks68_px: np.ndarray) -> np.ndarray:
    """The descriptor, (128,), of a face of an (H, W, 3) uint8 sRGB picture, by (68, 2) iBUG landmarks in px."""
    return load_recognition().describe(picture, landmarks68_px)


def groups(people: Sequence[dict[str, str]], tones: np.ndarray) -> dict[str, np.ndarray]:
    """By name who belongs to a group, (N,) bool; groups of the set's list with fewer than five people are left out."""
    out = {"all": np.ones(len(people), bool)}
    for column in ("face_gender", "face_eth"):
        names = np.array([one[column].replace("_", " ") for one in people])
        out |= {str(name): names == name for name in np.unique(names) if (names == name).sum() >= SMALLEST_GROUP}
    return out | {name: (low <= tones) & (tones < high) for name, low, high in TONES}


def summary(descriptors: np.ndarray, which: np.ndarray) -> dict[str, float]:
    """Figures of a group.

    Args:
        descriptors: (N, 2, 128), of both photos of all people. which: (N,) bool, those of the group, at least two.
    """
    apart = distances(descriptors[:, 0], descriptors[:, 1])
    everybody = np.arange(len(apart))
    right = np.array([apart.argmin(axis) == everybody for axis in (0, 1)])
    own = apart[np.ix_(which, which)]
    same, different = np.diag(own), own[~np.eye(len(own), dtype=bool)]
    return {
        "people": int(which.sum()),
        "same": rounded(same.mean()),
        "same_largest": rounded(same.max()),
        **_differences(different),
        "rank1_percent": rounded(100 * right[:, which].mean(), 1),
    }


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N, 128) and (M, 128) descriptors to (N, M) Euclidean distances."""
    return np.linalg.norm(one[:, None] - other[None], axis=-1)


def skin_tone(picture: np.ndarray, mesh_px: np.ndarray) -> float:
    """The individual typology angle of the cheeks in degrees, the lighter the higher.

    Args:
        picture: (H, W, 3) uint8 sRGB in even light. mesh_px: (478, 2 or more), the face mesh.
    """
    side = max(1, int(np.ptp(mesh_px[:, 0]) / 20))
    places = mesh_px[list(CHEEKS), :2].astype(int)
    patches = [picture[y - side : y + side, x - side : x + side].reshape(-1, 3) for x, y in places]
    return typology_angle(np.median(np.concatenate(patches), axis=0) / 255)


def _look(path: Path) -> tuple[np.ndarray, float, float] | None:
    """Descriptor, skin tone and seconds for the descriptor of a photo's largest face; None where none is found."""
    picture = read_photo(path).pixels
    faces = _landmarker().find(picture)
    if not faces:
        return None
    began = time.perf_counter()
    descriptor = describe(picture, faces[0].sparse_px)
    seconds = time.perf_counter() - began
    return descriptor, skin_tone(picture, faces[0].mesh_px), seconds


def _single(paths: list[Path]) -> dict[str, float]:
    """Figures of a set in which every photo shows somebody else."""
    found = [one[0] for one in map(_look, paths) if one is not None]
    progress(f"{paths[0].parent.name}: done")
    apart = distances(np.array(found), np.array(found))
    return {"faces": len(found), **_differences(apart[np.triu_indices(len(found), 1)])}


def _differences(different: np.ndarray) -> dict[str, float]:
    return {
        "different": rounded(different.mean()),
        "different_smallest": rounded(different.min()),
        "different_below_percent": rounded(100 * (different < THRESHOLD).mean(), 2),
    }


def _cells(row: dict[str, float]) -> list[str]:
    return [f"{value:g}" for value in row.values()]


@cache
def _landmarker() -> MeshLandmarker:
    cv2.setNumThreads(1)
    return MeshLandmarker.load()


if __name__ == "__main__":
    benchmark(run, benchmark_arguments(__doc__, "every eighth photo", jobs=False))
