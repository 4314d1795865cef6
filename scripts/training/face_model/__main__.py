# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the built-in face model from ICT-FaceKit: topology, bases, canonical UV, landmarks, regions.

    FACEDETAIL_DATA=… python -m scripts.training.face_model [--output DIR] [--pictures DIR]

Writes face_model.npz from models/ict_facekit.npz. Needs Blender's Python module. Prints the figures of the model card.
"""

import argparse
import json
import time
from pathlib import Path

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights
from facedetail_addon.core.errors import FaceModelError
from facedetail_addon.core.face_model.model_file import load_face_model, save_face_model
from scripts.harness import data_folder, description, errors_told
from scripts.training.face_model.assemble import build_skin, half_surface, prepare_ground
from scripts.training.face_model.learning import learn
from scripts.training.face_model.remesh import remesh_half
from scripts.training.face_model.report import geometric_floor, mesh_figures, render_sheets
from scripts.training.face_model.source import SKIN_STOP, load_source

HALF_FACES, SEED = 6304, 0


@errors_told()
def main() -> None:
    options, started = _arguments(), time.perf_counter()
    source = load_source(data_folder("models/ict_facekit.npz") / "models")
    kit = source.neutral[:SKIN_STOP].astype(float)
    ground = prepare_ground(source)
    half = remesh_half(half_surface(ground), HALF_FACES, SEED)
    if half is None:
        raise FaceModelError(
            "QuadriFlow lost a border or made an odd one.", "Try another HALF_FACES, a few more or less."
        )
    skin = build_skin(ground, half, kit)
    model, kept = learn(source, skin)
    path = options.output / "face_model.npz"
    save_face_model(path, model)
    register_weights(path)
    written = load_face_model(path)
    figures = mesh_figures(written, skin) | geometric_floor(source, skin, written)
    figures |= {"variance_kept": round(kept, 4), "megabytes": round(path.stat().st_size / 1e6, 2)}
    if options.pictures:
        render_sheets(written, options.pictures)
    print(json.dumps(figures | {"seconds": round(time.perf_counter() - started, 1)}))


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the model and its index entry")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the head")
    return parser.parse_args()


if __name__ == "__main__":
    main()
