# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the expression dictionary of a face model: draw faces with known β, learn a metric, keep features beside β.

    FACEDETAIL_DATA=… python scripts/training/build_expression_dictionary.py [--model builtin] [--assets FOLDER]
        [--count 92000] [--jobs 2] [--cache FOLDER] [--output FOLDER]

For an installed model give its id and the user's folder; the dictionary goes into the model's own and is used from then
on. Needs the shipped landmark calibration and Emotion-Net. FACEDETAIL_DATA gives the looks of real skin (the London
portraits with odd numbers) and the photos that the step from renders to photos is measured on (those, and every second
photo of wild/). Finished pieces stay in the cache, so that a run that was stopped goes on where it was.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, find_weights, register_weights, sha256
from facedetail_addon.core.face_model.calibration import LandmarkCalibration, load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, installed, load_named_model
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.face_model.store import CALIBRATION_FILE
from facedetail_addon.core.observe.expression.dictionary import FILE_NAME, load_dictionary, save_dictionary
from facedetail_addon.core.observe.expression.emotion_net import WEIGHTS, load_emotion_net
from facedetail_addon.core.observe.expression.features import describe_faces
from scripts.training.expression_dictionary.learning import Rendered, learn_dictionary
from scripts.training.expression_dictionary.looks import portrait_looks
from scripts.training.expression_dictionary.photos import odd_portraits, photo_pairs, training_photos
from scripts.training.expression_dictionary.samples import sample_expressions
from scripts.training.fast_heads.renderer import FaceRenderer, make_renderer, render_faces
from scripts.training.fast_heads.scenes import painted_looks, sample_scenes, simulate_landmarks

CHUNK = 1000
SEED = 30
PAINTED_LOOKS = 82
DRAWING = ("expression_samples", "fast_heads", "fast_scenes", "fast_surface", "portrait_looks", "synthetic_heads")


def main() -> None:
    options = _arguments()
    data = os.environ.get("FACEDETAIL_DATA")
    if not data:
        sys.exit("error: FACEDETAIL_DATA is not set\ntry: set it to the folder that holds london/ and wild/")
    torch.set_num_threads(1)
    model = load_named_model(options.model, options.assets)
    calibration_file = named_calibration(options.model, options.assets)
    calibration = load_calibration(calibration_file)
    cache = options.cache / _version(model, calibration_file)
    cache.mkdir(parents=True, exist_ok=True)
    renderer = make_renderer(model, calibration, load_looks(cache / "looks.npy", model, calibration, Path(data)))
    task = Task(cache, renderer, model, calibration)
    indices = range(-(-options.count // CHUNK))
    _in_processes(draw_chunk, task, [i for i in indices if not task.drawn(i).exists()], options.jobs, "drawing")
    if options.draw_only:
        return
    _in_processes(describe_chunk, task, [i for i in indices if not task.described(i).exists()], options.jobs, "reading")
    photos = training_photos(Path(data))
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


@dataclass(frozen=True)
class Task:
    """What each process needs, and where the pieces go."""

    cache: Path
    renderer: FaceRenderer
    model: FaceModel
    calibration: LandmarkCalibration

    def drawn(self, index: int) -> Path:
        """Faces of a chunk."""
        return self.cache / f"drawn_{index:04d}.npz"

    def described(self, index: int) -> Path:
        """Features of a chunk, by the Emotion-Net that read them."""
        return self.cache / f"described_{sha256(find_weights(WEIGHTS))[:8]}_{index:04d}.npy"


def named_calibration(name: str, assets: Path | None) -> Path:
    """The calibration file of the face model of that name."""
    if name == BUILTIN:
        return find_weights(CALIBRATION_FILE)
    return installed(name, assets).folder / CALIBRATION_FILE


def load_looks(path: Path, model: FaceModel, calibration: LandmarkCalibration, data: Path) -> np.ndarray:
    """(L, V) float32 grey albedo: as many faces with real as with painted skin; kept in the cache."""
    if not path.exists():
        portraits = [data / "london" / "neutral" / f"{name}.jpg" for name in odd_portraits(data)]
        real = portrait_looks(model, calibration, portraits)
        painted = painted_looks(model, PAINTED_LOOKS, np.random.default_rng(SEED))
        _write_whole(path, np.concatenate([painted, *[real] * max(1, PAINTED_LOOKS // len(real))]))
    return np.load(path, allow_pickle=False)


def draw_chunk(task: Task, index: int) -> None:
    """Draw the faces of one chunk: β, crops and landmark points."""
    torch.set_num_threads(1)
    rng = np.random.default_rng((SEED, index))
    alpha = rng.standard_normal((CHUNK, len(task.model.identity_basis))).clip(-3, 3).astype(np.float32)
    beta = sample_expressions(rng, task.model, CHUNK)
    scenes = sample_scenes(rng, CHUNK, len(task.renderer.looks))
    points = simulate_landmarks(task.calibration, alpha, beta, scenes.yaw_deg, scenes.pitch_deg, rng)
    crops = render_faces(task.renderer, alpha, beta, scenes, points)
    _write_whole(task.drawn(index), {"beta": beta, "crops": crops, "points": points.astype(np.float32)})


def describe_chunk(task: Task, index: int) -> None:
    """Read the features of one chunk's faces."""
    torch.set_num_threads(1)
    with np.load(task.drawn(index), allow_pickle=False) as drawn:
        rows = describe_faces(load_emotion_net(), drawn["crops"], drawn["points"]).rows
    _write_whole(task.described(index), rows.astype(np.float16))


def load_rendered(task: Task, indices: range) -> Rendered:
    """All chunks' features and expressions."""
    rows = np.concatenate([np.load(task.described(index), allow_pickle=False) for index in indices])
    betas = []
    for index in indices:
        with np.load(task.drawn(index), allow_pickle=False) as drawn:
            betas.append(drawn["beta"])
    return Rendered(rows, np.concatenate(betas))


def _in_processes(work: Callable[[Task, int], None], task: Task, indices: list[int], jobs: int, name: str) -> None:
    if not indices:
        return
    began = time.perf_counter()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        done = pool.map(work, [task] * len(indices), indices)
        for _ in tqdm(done, name, len(indices), unit=f" × {CHUNK} faces", mininterval=1):
            continue
    print(f"{name}: {len(indices) * CHUNK / (time.perf_counter() - began):.0f} faces a second, {jobs} processes")


def _write_whole(path: Path, content: np.ndarray | dict[str, np.ndarray]) -> None:
    """Write an npy or npz file so that it is whole or absent."""
    partial = path.with_name(f".{path.name}")
    with open(partial, "wb") as stream:
        if isinstance(content, dict):
            np.savez(stream, **content)
        else:
            np.save(stream, content)
    partial.replace(path)


def _version(model: FaceModel, calibration_file: Path) -> str:
    """Changes with all that the drawn faces depend on."""
    digest = hashlib.sha256(model.fingerprint().encode())
    digest.update(sha256(calibration_file).encode())
    here = Path(__file__).parent
    for name in DRAWING:
        digest.update((here / f"{name}.py").read_bytes())
    return digest.hexdigest()[:12]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=BUILTIN, help="face model by name, or an installed one's id")
    parser.add_argument("--assets", type=Path, help="the user's folder with installed models")
    parser.add_argument("--count", type=int, default=92000, help="faces to draw; the last 2000 are for measuring")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--draw-only", action="store_true", help="stop after drawing, before Emotion-Net is needed")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "facedetail" / "expression_dictionary")
    parser.add_argument("--output", type=Path, help="folder for the dictionary; by default where it is looked for")
    return parser.parse_args()


if __name__ == "__main__":
    main()
