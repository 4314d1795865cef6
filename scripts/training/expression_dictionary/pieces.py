# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawn faces and their features, made piece by piece and kept in the cache."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import find_weights, sha256
from facedetail_addon.core.face_model.calibration import LandmarkCalibration
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.observe.expression.emotion_net import WEIGHTS, load_emotion_net
from facedetail_addon.core.observe.expression.features import describe_faces
from scripts.harness import whole_file
from scripts.training.expression_dictionary.learning import Rendered
from scripts.training.expression_dictionary.looks import portrait_looks
from scripts.training.expression_dictionary.photos import odd_portraits
from scripts.training.expression_dictionary.samples import sample_expressions
from scripts.training.fast_heads.renderer import FaceRenderer, render_faces
from scripts.training.fast_heads.scenes import painted_looks, sample_scenes, simulate_landmarks

CHUNK = 1000
SEED = 30
PAINTED_LOOKS = 82
_DRAWING = ("expression_dictionary/samples.py", "expression_dictionary/looks.py", "fast_heads/*.py", "heads/*.py")
"""Of the training's folder: what decides how faces are drawn."""


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
    rng = np.random.default_rng((SEED, index))
    alpha = rng.standard_normal((CHUNK, len(task.model.identity_basis))).clip(-3, 3).astype(np.float32)
    beta = sample_expressions(rng, task.model, CHUNK)
    scenes = sample_scenes(rng, CHUNK, len(task.renderer.looks))
    points = simulate_landmarks(task.calibration, alpha, beta, scenes.yaw_deg, scenes.pitch_deg, rng)
    crops = render_faces(task.renderer, alpha, beta, scenes, points)
    _write_whole(task.drawn(index), {"beta": beta, "crops": crops, "points": points.astype(np.float32)})


def describe_chunk(task: Task, index: int) -> None:
    """Read the features of one chunk's faces."""
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


def _write_whole(path: Path, content: np.ndarray | dict[str, np.ndarray]) -> None:
    """Write an npy or npz file so that it is whole or absent."""
    with whole_file(path) as unfinished:
        if isinstance(content, dict):
            np.savez(unfinished, **content)
        else:
            np.save(unfinished, content)


def version_of(model: FaceModel, calibration_file: Path) -> str:
    """Changes with all that the drawn faces depend on."""
    digest = hashlib.sha256(model.fingerprint().encode())
    digest.update(sha256(calibration_file).encode())
    for pattern in _DRAWING:
        for path in sorted(Path(__file__).parents[1].glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
