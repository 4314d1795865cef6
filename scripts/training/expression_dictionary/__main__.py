# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the expression dictionary of a face model: draw faces with known β, learn a metric, keep features beside β.

    FACEDETAIL_DATA=… python -m scripts.training.expression_dictionary [--model builtin] [--assets FOLDER]
        [--count 92000] [--jobs 2] [--cache FOLDER] [--output FOLDER]

For an installed model give its id and the user's folder; the dictionary goes into the model's own and is used from then
on. Needs the shipped landmark calibration and Emotion-Net. FACEDETAIL_DATA gives the looks of real skin (the London
portraits with odd numbers) and the photos that the step from renders to photos is measured on (those, and every second
photo of wild/). Finished pieces stay in the cache, so that a run that was stopped goes on where it was.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import torch

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, find_weights, register_weights
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, installed, load_named_model
from facedetail_addon.core.face_model.store import CALIBRATION_FILE
from facedetail_addon.core.observe.expression.dictionary import FILE_NAME, load_dictionary, save_dictionary
from facedetail_addon.core.observe.expression.emotion_net import load_emotion_net
from scripts.harness import CACHE, data_folder, description, errors_told, measured, processes
from scripts.training.expression_dictionary.learning import learn_dictionary
from scripts.training.expression_dictionary.photos import photo_pairs, training_photos
from scripts.training.expression_dictionary.pieces import (
    CHUNK,
    Task,
    describe_chunk,
    draw_chunk,
    load_looks,
    load_rendered,
    version_of,
)
from scripts.training.fast_heads.renderer import make_renderer


@errors_told()
def main() -> None:
    options = _arguments()
    data = data_folder("london/ and wild/")
    torch.set_num_threads(1)
    model = load_named_model(options.model, options.assets)
    calibration_file = named_calibration(options.model, options.assets)
    calibration = load_calibration(calibration_file)
    cache = options.cache / version_of(model, calibration_file)
    cache.mkdir(parents=True, exist_ok=True)
    renderer = make_renderer(model, calibration, load_looks(cache / "looks.npy", model, calibration, data))
    task = Task(cache, renderer, model, calibration)
    indices = range(-(-options.count // CHUNK))
    with processes(options.jobs) as pool:
        measured(pool, partial(draw_chunk, task), [i for i in indices if not task.drawn(i).exists()])
        if options.draw_only:
            return
        measured(pool, partial(describe_chunk, task), [i for i in indices if not task.described(i).exists()])
    photos = training_photos(data)
    pairs = photo_pairs(photos, model, calibration, renderer, load_emotion_net())
    dictionary, figures = learn_dictionary(load_rendered(task, indices), pairs, model)
    shipped = options.model == BUILTIN
    path = (options.output or (WEIGHTS_DIR if shipped else calibration_file.parent)) / FILE_NAME
    save_dictionary(path, dictionary)
    if shipped:
        register_weights(path)
    load_dictionary(path).for_model(model)
    figures |= {"megabytes": round(path.stat().st_size / 1e6, 2), "photo_pairs": len(pairs.photos)}
    print(json.dumps(figures))


def named_calibration(name: str, assets: Path | None) -> Path:
    """The calibration file of the face model of that name."""
    if name == BUILTIN:
        return find_weights(CALIBRATION_FILE)
    return installed(name, assets).folder / CALIBRATION_FILE


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--model", default=BUILTIN, help="face model by name, or an installed one's id")
    parser.add_argument("--assets", type=Path, help="the user's folder with installed models")
    parser.add_argument("--count", type=int, default=92000, help="faces to draw; the last 2000 are for measuring")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--draw-only", action="store_true", help="stop after drawing, before Emotion-Net is needed")
    parser.add_argument("--cache", type=Path, default=CACHE / "expression_dictionary")
    parser.add_argument("--output", type=Path, help="folder for the dictionary; by default where it is looked for")
    return parser.parse_args()


if __name__ == "__main__":
    main()
