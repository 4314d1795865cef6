# SPDX-License-Identifier: GPL-3.0-or-later
"""How landmarks fall off with yaw, on dressed heads in real skin: the part of the calibration that renews itself alone.

    FACEDETAIL_DATA=… python -m scripts.training.landmark_calibration.turned [--pieces 14]

The heads are those of the correspondence network's training set; what is missing of it is drawn first.
"""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import find_weights, register_weights
from facedetail_addon.core.face_model.calibration import (
    FILE_NAME,
    LandmarkCalibration,
    load_calibration,
    pose_terms,
    save_calibration,
)
from facedetail_addon.core.face_model.normalise import normalise_landmarks
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.region import Region
from scripts.harness import CACHE, data_folder, description, errors_told, measured, processes, whole_file
from scripts.training.correspondence.dataset import CHUNK, chunk_path, load_chunk, make_chunks
from scripts.training.correspondence.samples import CROP
from scripts.training.correspondence.skins import make_skins

KNOTS_DEG = (-70, -50, -35, -20, 0, 20, 35, 50, 70)
WIDTH_DEG = 9.0
_SEED = 3
_LEAST_FLAG = 0.9
_STEADY = 30.0  # heads that a shift of 0 counts as
# Measured against the calibration's painted heads, frontal ones vary 3 times as much, which on photos of the same
# people makes heads less alike to themselves: they count as 1. Far sides are as bad on photos as here, and count whole.
_FRONTAL_DEG, _FULL_FROM_DEG, _HEADROOM = 15.0, 45.0, 1.6


@errors_told()
def main() -> None:
    options = _arguments()
    root = CACHE / "correspondence"
    make_skins(data_folder("the portraits"), root / "skins", options.jobs)
    make_chunks(root / "train", root / "skins", options.pieces, options.jobs)
    folder = root / "face_mesh"
    folder.mkdir(exist_ok=True)
    missing = [index for index in range(options.pieces) if not (folder / f"{index:04d}.npz").exists()]
    with processes(options.jobs) as pool:
        measured(pool, partial(find_landmarks, root / "train", folder), missing)
    path = options.output / FILE_NAME
    calibration = turned(load_calibration(find_weights(FILE_NAME)), folder, options.pieces)
    save_calibration(path, calibration)
    register_weights(path)
    load_calibration(path)
    print(dict(zip(KNOTS_DEG, calibration.yaw_noise.round(1).tolist(), strict=True)))


def find_landmarks(pictures: Path, folder: Path, index: int) -> int:
    """The face mesh on one piece of the set, begun where a detector would begin; returns how many faces it knows."""
    chunk, landmarker = load_chunk(chunk_path(pictures, index)), MeshLandmarker.load()
    rng = np.random.default_rng((_SEED, index))
    landmarks, flags = [], []
    for picture, points in zip(chunk["picture"], chunk["points"], strict=True):
        marks = points[:68].astype(np.float64) * CROP
        low, high = marks.min(0), marks.max(0)
        region = Region((low + high) / 2 + rng.normal(size=2) * 3, 1.6 * float((high - low).max()))
        found, flag = landmarker.find_in_region(np.ascontiguousarray(picture), region)
        landmarks.append(found)
        flags.append(flag)
    arrays = {"landmarks": np.array(landmarks), "flag": np.array(flags), "alpha": chunk["alpha"], "beta": chunk["beta"]}
    with whole_file(folder / f"{index:04d}.npz") as unfinished, open(unfinished, "wb") as stream:
        np.savez(stream, **arrays)
    return int((arrays["flag"] > _LEAST_FLAG).sum())


def turned(calibration: LandmarkCalibration, folder: Path, pieces: int) -> LandmarkCalibration:
    """The calibration with noise and shift by yaw."""
    columns: dict[str, list] = {}
    for index in range(pieces):
        with np.load(folder / f"{index:04d}.npz", allow_pickle=False) as data:
            for name in data.files:
                columns.setdefault(name, []).append(data[name])
    heads = {name: np.concatenate(parts) for name, parts in columns.items()}
    known = heads["flag"] > _LEAST_FLAG
    views = [normalise_landmarks(mesh, calibration.mean, calibration.mean_sigma) for mesh in heads["landmarks"][known]]
    coordinates = np.array([(view.points - calibration.mean).ravel() for view in views]) @ calibration.directions
    poses = np.array([pose_terms(view.yaw, view.pitch) for view in views])
    rest = coordinates - heads["alpha"][known] @ calibration.alpha_response.T
    rest -= heads["beta"][known] @ calibration.beta_response.T + poses @ calibration.pose_response.T
    yaw = np.degrees([view.yaw for view in views])
    noise, shifts = [], []
    for knot in KNOTS_DEG:
        weights = np.exp(-(((yaw - knot) / WIDTH_DEG) ** 2) / 2)
        count = weights.sum() ** 2 / (weights**2).sum()
        shift = weights @ rest / weights.sum() * count / (count + _STEADY)
        whitened = (rest - shift) @ calibration.whitener.T
        noise.append(float(weights @ (whitened**2).mean(1) / weights.sum()))
        shifts.append(shift)
    noise = np.array(noise)
    turn = np.clip((np.abs(KNOTS_DEG) - _FRONTAL_DEG) / (_FULL_FROM_DEG - _FRONTAL_DEG), 0, 1)
    frontal = noise[KNOTS_DEG.index(0)]
    relative = noise / frontal ** (1 - turn) / _HEADROOM**turn
    return replace(
        calibration,
        yaw_knots=np.radians(KNOTS_DEG).astype(np.float32),
        yaw_noise=np.maximum(relative, 1).astype(np.float32),
        yaw_shift=(np.array(shifts).T * turn).astype(np.float32),
    )


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--pieces", type=int, default=14, help=f"of {CHUNK} heads")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument(
        "--output", type=Path, default=find_weights(FILE_NAME).parent, help="folder for the calibration"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
