# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the 478 face mesh landmarks say about the built-in face model; writes landmark_calibration.npz.

    python scripts/training/calibrate_landmarks.py [--count 3000] [--jobs 2] [--cache FOLDER]

Needs only the shipped face model and landmarker: it draws its own heads. Finished pieces stay in the cache, so that a
run that was stopped goes on where it was; another face model, landmarker or drawing starts anew.
"""

import argparse
import hashlib
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, find_weights, register_weights, sha256
from facedetail_addon.core.face_model.calibration import (
    FILE_NAME,
    LandmarkCalibration,
    load_calibration,
    pose_terms,
    save_calibration,
)
from facedetail_addon.core.face_model.model import FaceModel, PointEmbedding
from facedetail_addon.core.face_model.model_file import load_face_model
from facedetail_addon.core.face_model.normalise import normalise_landmarks
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker, Plan
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import sample_head
from scripts.training.landmark_calibration.embedding import contour_paths, embed_landmarks

CHUNK = 100
SEED = 20
# Shrinks the measured responses as if so many more heads had shown none; a few per cent of the default count.
RESPONSE_RIDGE = 10.0


@dataclass(frozen=True)
class Measured:
    """S synthetic heads and their landmarks: alpha (S, K), beta (S, E), landmarks (S, 478, 3) px and the cameras."""

    alpha: np.ndarray
    beta: np.ndarray
    landmarks: np.ndarray
    cameras: tuple[PerspectiveCamera, ...]


def main() -> None:
    options = _arguments()
    model_path = find_weights("face_model.npz")
    model = load_face_model(model_path)
    cache = options.cache / _fingerprint(model)
    cache.mkdir(parents=True, exist_ok=True)
    chunks = -(-options.count // CHUNK)
    missing = [index for index in range(chunks) if not (cache / f"{index:04d}.npz").exists()]
    began = time.perf_counter()
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for done, found in enumerate(pool.map(measure_chunk, [(index, str(cache)) for index in missing]), 1):
            print(f"{done}/{len(missing)} chunks, {found} faces found, {time.perf_counter() - began:.0f} s", flush=True)
    measured = _load(cache, chunks)
    calibration = calibrate(model, measured)
    path = options.output / FILE_NAME
    save_calibration(path, calibration)
    register_weights(path)
    load_calibration(path)
    share = len(measured.alpha) / (chunks * CHUNK)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB from {len(measured.alpha)} heads ({share:.1%} detected)")
    print(
        f"offset {np.linalg.norm(calibration.offset, axis=1).mean():.2f} mm, spread {calibration.spread.mean():.2f} mm"
    )


def measure_chunk(job: tuple[int, str]) -> int:
    """Draw CHUNK heads, find their landmarks and write them to the cache; returns how many faces were found."""
    index, cache = job
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
    unfinished = Path(cache) / f"{index:04d}.part.npz"
    np.savez_compressed(unfinished, **{name: np.array(column) for name, column in rows.items()})
    unfinished.rename(Path(cache) / f"{index:04d}.npz")
    return len(rows["alpha"])


def calibrate(model: FaceModel, measured: Measured) -> LandmarkCalibration:
    """All the statistics of :class:`LandmarkCalibration` from measured heads."""
    embedding = embed_landmarks(model, measured)
    offset, sigma = _offsets(model, embedding, measured)
    reference = embedding.points(model.mean) + offset
    normalised, poses = _normalised(measured, reference)
    for _ in range(2):
        # The mean of what is normalised becomes the reference it is normalised to.
        reference = normalised.mean(0)
        normalised, poses = _normalised(measured, reference)
    mean = reference.astype(np.float32)
    flat = (normalised - mean).reshape(len(normalised), -1)
    count = min(250, len(flat) // 8)
    _, singular, right = np.linalg.svd(flat, full_matrices=False)
    directions = right[:count].T.astype(np.float16).astype(np.float64)
    coordinates = flat @ directions
    response, whitener = _responses(coordinates, poses, measured)
    pose_count, identities = poses.shape[1], measured.alpha.shape[1]
    contour, paths = contour_paths(model, embedding)
    return LandmarkCalibration(
        model_name=model.name,
        model_fingerprint=model.fingerprint(),
        samples=len(flat),
        embedding=embedding,
        offset=offset.astype(np.float32),
        sigma=sigma.astype(np.float32),
        mean=mean,
        mean_sigma=np.sqrt((flat.reshape(-1, 478, 3) ** 2).sum(-1).mean(0)).astype(np.float32),
        directions=directions.astype(np.float32),
        deviation=(singular[:count] / np.sqrt(len(flat))).astype(np.float32),
        whitener=whitener.astype(np.float32),
        alpha_response=response[pose_count : pose_count + identities].T.astype(np.float32),
        beta_response=response[pose_count + identities :].T.astype(np.float32),
        pose_response=response[:pose_count].T.astype(np.float32),
        contour=contour,
        contour_paths=paths,
    )


def _responses(coordinates: np.ndarray, poses: np.ndarray, measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Regression of landmark coordinates on pose, α and β, (7+K+E, Q), and what whitens the rest, (Q, Q)."""
    design = np.concatenate([poses, measured.alpha, measured.beta], axis=1).astype(np.float64)
    ridge = np.concatenate(
        [np.full(poses.shape[1], 1e-6), np.full(measured.alpha.shape[1], RESPONSE_RIDGE),
         RESPONSE_RIDGE * measured.beta.var(0) + 1e-3]
    )  # fmt: skip
    response = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ coordinates)
    rest = coordinates - design @ response
    covariance = rest.T @ rest / max(len(rest) - design.shape[1], 1)
    return response, np.linalg.inv(np.linalg.cholesky(covariance))


def _normalised(measured: Measured, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    views = [normalise_landmarks(landmarks, reference) for landmarks in measured.landmarks]
    return np.array([view.points for view in views]), np.array([pose_terms(view.yaw, view.pitch) for view in views])


def _offsets(model: FaceModel, embedding: PointEmbedding, measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Offset (478, 3) in the head frame that best explains the error in the picture, and the rest's spread."""
    bases = (embedding.points(b) for b in (model.mean, model.identity_basis, model.expression_basis))
    mean, identity, expression = (basis.astype(np.float64) for basis in bases)
    normal, right, errors = np.zeros((3, 3)), np.zeros((478, 3)), []
    for alpha, beta, landmarks, camera in zip(
        measured.alpha, measured.beta, measured.landmarks, measured.cameras, strict=True
    ):
        points = mean + np.tensordot(alpha, identity, 1) + np.tensordot(beta, expression, 1)
        depth = (points @ camera.rotation.T + camera.translation)[:, 2:]
        error = (landmarks[:, :2] - camera.project(points)) * depth / camera.focal_px
        normal += camera.rotation[:2].T @ camera.rotation[:2]
        right += error @ camera.rotation[:2]
        errors.append(error)
    # Views are mostly frontal: a little ridge keeps the hardly seen depth of the offset small.
    offset = np.linalg.solve(normal + 0.1 * len(errors) * np.eye(3), right.T).T
    left = [error - offset @ camera.rotation[:2].T for error, camera in zip(errors, measured.cameras, strict=True)]
    return offset, np.sqrt((np.array(left) ** 2).mean((0, 2)))


def _fingerprint(model: FaceModel) -> str:
    """Names the cache by all that decides what is measured: the model, the drawing and the landmarker."""
    digest = hashlib.sha256(sha256(find_weights("face_mesh.safetensors")).encode())
    digest.update((Path(__file__).parent / "synthetic_heads.py").read_bytes())
    digest.update(model.fingerprint().encode())
    return digest.hexdigest()[:12]


def _load(cache: Path, chunks: int) -> Measured:
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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000, help="synthetic heads to measure")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "facedetail" / "landmark_calibration")
    parser.add_argument(
        "--output", type=Path, default=WEIGHTS_DIR, help="folder for the calibration and its index entry"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
