# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the 478 face mesh landmarks say about the built-in face model; writes landmark_calibration.npz.

    python -m scripts.training.landmark_calibration [--count 3000] [--jobs 2] [--cache FOLDER]

Needs only the shipped face model and landmarker: it draws its own heads. Finished pieces stay in the cache, so that a
run that was stopped goes on where it was; another face model, landmarker or drawing starts anew.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, find_weights, register_weights
from facedetail_addon.core.face_model.calibration import (
    FILE_NAME,
    load_calibration,
    save_calibration,
)
from facedetail_addon.core.face_model.model_file import load_face_model
from scripts.harness import CACHE, description, errors_told, measured, processes
from scripts.training.landmark_calibration.measuring import CHUNK, load_measured, measure_chunk, version_of
from scripts.training.landmark_calibration.statistics import calibrate


@errors_told()
def main() -> None:
    options = _arguments()
    model_path = find_weights("face_model.npz")
    model = load_face_model(model_path)
    cache = options.cache / version_of(model)
    cache.mkdir(parents=True, exist_ok=True)
    chunks = -(-options.count // CHUNK)
    missing = [index for index in range(chunks) if not (cache / f"{index:04d}.npz").exists()]
    with processes(options.jobs) as pool:
        measured(pool, partial(measure_chunk, cache), missing)
    heads = load_measured(cache, chunks)
    calibration = calibrate(model, heads)
    path = options.output / FILE_NAME
    save_calibration(path, calibration)
    register_weights(path)
    load_calibration(path)
    share = len(heads.alpha) / (chunks * CHUNK)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB from {len(heads.alpha)} heads ({share:.1%} detected)")
    print(
        f"offset {np.linalg.norm(calibration.offset, axis=1).mean():.2f} mm, spread {calibration.sigma.mean():.2f} mm"
    )


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--count", type=int, default=3000, help="synthetic heads to measure")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--cache", type=Path, default=CACHE / "landmark_calibration")
    parser.add_argument(
        "--output", type=Path, default=WEIGHTS_DIR, help="folder for the calibration and its index entry"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
