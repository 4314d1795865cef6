# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic heads and the landmarks that are found on them, made piece by piece and kept in the cache."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import find_weights, sha256
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.face_model.model_file import load_face_model
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker, Plan
from scripts.harness import whole_file
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import sample_head

CHUNK = 100
SEED = 20


@dataclass(frozen=True)
class Measured:
    """S synthetic heads and their landmarks: alpha (S, K), beta (S, E), landmarks (S, 478, 3) px and the cameras."""

    alpha: np.ndarray
    beta: np.ndarray
    landmarks: np.ndarray
    cameras: tuple[PerspectiveCamera, ...]


def measure_chunk(cache: Path, index: int) -> int:
    """Draw CHUNK heads, find their landmarks and write them to the cache; returns how many faces were found."""
    model = load_face_model(find_weights("face_model.npz"))
    painter, landmarker = make_painter(model), MeshLandmarker.load(Plan(search=False))
    rows: dict[str, list] = {
        name: [] for name in ("alpha", "beta", "landmarks", "rotation", "translation", "focal", "size")
    }
    for number in range(index * CHUNK, (index + 1) * CHUNK):
        rng = np.random.default_rng((SEED, number))
        sample = sample_head(rng, model)
        picture, _ = render_head(painter, model.vertices(sample.alpha, sample.beta), sample.camera, rng)
        faces = landmarker.find(picture)
        if not faces:
            continue
        camera = sample.camera
        view = (camera.rotation, camera.translation, camera.focal_px, camera.image_size)
        for column, value in zip(rows.values(), (sample.alpha, sample.beta, faces[0].mesh_px, *view), strict=True):
            column.append(value)
    with whole_file(cache / f"{index:04d}.npz") as unfinished:
        np.savez_compressed(unfinished, **{name: np.array(column) for name, column in rows.items()})
    return len(rows["alpha"])


def version_of(model: FaceModel) -> str:
    """Names the cache by all that decides what is measured: the model, the drawing and the landmarker."""
    digest = hashlib.sha256(sha256(find_weights("face_mesh.safetensors")).encode())
    for path in sorted((Path(__file__).parents[1] / "heads").glob("*.py")):
        digest.update(path.read_bytes())
    digest.update(model.fingerprint().encode())
    return digest.hexdigest()[:12]


def load_measured(cache: Path, chunks: int) -> Measured:
    pieces = []
    for index in range(chunks):
        with np.load(cache / f"{index:04d}.npz", allow_pickle=False) as data:
            pieces.append({name: data[name] for name in data.files})
    joined = {name: np.concatenate([piece[name] for piece in pieces if len(piece["alpha"])]) for name in pieces[0]}
    cameras = tuple(
        PerspectiveCamera(rotation, translation, float(focal), size / 2, (int(size[0]), int(size[1])))
        for rotation, translation, focal, size in zip(
            joined["rotation"], joined["translation"], joined["focal"], joined["size"], strict=True
        )
    )
    return Measured(joined["alpha"], joined["beta"], joined["landmarks"].astype(np.float64), cameras)
