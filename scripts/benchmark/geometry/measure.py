# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of fitted heads on synthetic photos of heads with known shape."""

import time
from dataclasses import dataclass

import numpy as np
from scipy.spatial import Delaunay

from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.face_model.ibug import IBUG_FROM_MESH
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.face_model.normalise import similarity
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from scripts.benchmark.geometry.candidates import DENSE, SPARSE, Candidate
from scripts.benchmark.geometry.now import SEVEN_OF_68, scan_to_mesh
from scripts.training.heads.painter import Painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import HeadSample, sample_head
from scripts.training.landmark_calibration.embedding import visible_skin

# Seeds of the calibration start with another number: these heads were never measured.
SEED = 99
SIZE = 512
MESH_POINTS = 468
MEAN_FACE, OUR_FIT = "mean face", "our fit"


@dataclass(frozen=True)
class Subject:
    """One held-out head: truth neutral and posed (V, 3) mm, its photo's landmarks."""

    sample: HeadSample
    neutral: np.ndarray
    posed: np.ndarray
    landmarks: FaceLandmarks


@dataclass(frozen=True)
class Tools:
    """Everything loaded once."""

    reference: FaceModel
    painter: Painter
    landmarker: MeshLandmarker
    builtin: Candidate
    installed: tuple[Candidate, ...]

    def fits(self) -> dict[str, tuple[Candidate, str]]:
        """Model and method of each row."""
        rows = {OUR_FIT: (self.builtin, DENSE), f"{OUR_FIT}, {SPARSE}": (self.builtin, SPARSE)}
        for candidate in self.installed:
            rows |= {f"{candidate.name}, {method}": (candidate, method) for method in (DENSE, SPARSE)}
        return rows


def measure_view(
    tools: Tools, yaw: int, heads: int
) -> tuple[dict[str, list[np.ndarray]], dict[str, float], dict[str, float]]:
    """Of some heads from one side, by name of row: distances per head, mean distances of posed landmarks, seconds."""
    reference, fits, builtin = tools.reference, tools.fits(), tools.builtin.model
    seven = list(SEVEN_OF_68)
    scan_vertices = np.unique(visible_skin(reference))
    frontal = tools.builtin.calibration.mean[:MESH_POINTS, :2]
    mesh_triangles = _face_forward(Delaunay(frontal).simplices, frontal)
    errors: dict[str, list[np.ndarray]] = {MEAN_FACE: [], "landmarks as surface": []} | {name: [] for name in fits}
    posed: dict[str, list[float]] = {name: [] for name in fits}
    times: dict[str, list[float]] = {"find landmarks": []} | {name: [] for name in fits}
    for subject, seconds in _subjects(tools, yaw, heads):
        times["find landmarks"].append(seconds)
        scan = subject.neutral[scan_vertices], reference.landmarks68.points(subject.neutral)[seven]
        raw = subject.landmarks.mesh_px[:MESH_POINTS].astype(np.float64) * [1, -1, -1]
        raw_seven = raw[np.array(IBUG_FROM_MESH)[seven]]
        errors[MEAN_FACE].append(skin_to_scan(scan, builtin, builtin.mean))
        errors["landmarks as surface"].append(scan_to_mesh(*scan, raw, mesh_triangles, raw_seven))
        for name, (candidate, method) in fits.items():
            began = time.perf_counter()
            fit = candidate.fit(method, subject.landmarks, (SIZE, SIZE))
            times[name].append(time.perf_counter() - began)
            errors[name].append(skin_to_scan(scan, candidate.model, fit.vertices_neutral))
            posed[name].append(_posed_error(reference, candidate.model, subject, fit.pose.vertices))
    return (
        errors,
        {name: round(float(np.mean(values)), 3) for name, values in posed.items()},
        {name: round(float(np.median(values)), 3) for name, values in times.items()},
    )


def skin_to_scan(scan: tuple[np.ndarray, np.ndarray], model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """Distances of a scan to the whole skin: nostrils are sockets in the built-in model, but not in the truth."""
    seven = model.landmarks68.points(vertices)[list(SEVEN_OF_68)]
    return scan_to_mesh(*scan, model.skin.of(vertices), model.skin.triangles(), seven)


def _subjects(tools: Tools, yaw: int, heads: int):
    """Held-out heads of one view with the seconds their landmarks took."""
    for number in range(heads):
        rng = np.random.default_rng((SEED, yaw, number))
        sample = sample_head(rng, tools.reference, size=SIZE, yaw_deg=float(yaw))
        posed = tools.reference.vertices(sample.alpha, sample.beta)
        picture, _ = render_head(tools.painter, posed, sample.camera, rng)
        began = time.perf_counter()
        faces = tools.landmarker.find(picture)
        seconds = time.perf_counter() - began
        if not faces:
            raise NoFaceError(f"No face in synthetic head {number} at {yaw}°.", "Look at what training/heads draws.")
        yield Subject(sample, tools.reference.vertices(sample.alpha), posed, faces[0]), seconds


def _posed_error(reference: FaceModel, model: FaceModel, subject: Subject, vertices: np.ndarray) -> float:
    """Mean distance in mm of the 68 landmarks on the posed heads, after a similarity over them."""
    truth = reference.landmarks68.points(subject.posed).astype(np.float64)
    found = model.landmarks68.points(vertices).astype(np.float64)
    scale, rotation, translation = similarity(found, truth)
    return float(np.linalg.norm(scale * found @ rotation.T + translation - truth, axis=1).mean())


def _face_forward(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, i]] for i in range(3))
    turned = np.cross(b - a, c - a) < 0
    return np.where(turned[:, None], triangles[:, ::-1], triangles)
