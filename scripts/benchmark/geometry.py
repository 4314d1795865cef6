# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the proxy head comes to the true one: synthetic photos of heads with known shape, NoW protocol.

    FACEDETAIL_DATA=… python scripts/benchmark/geometry.py [--quick] [--heads 50] [--assets DIR]

Prints a Markdown table and, as the last line, one JSON object. With ``--assets``, the user's folder, every installed
face model is fitted to the same heads. The true heads are ICT-FaceKit's: models made from the kit have an advantage.
Dense: 478 points and what was measured of them; sparse: the 68 of iBUG, here the face mesh's.
"""

import argparse
import json
import os
import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage.data
from scipy.spatial import Delaunay

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts" / "training"), str(Path(__file__).resolve().parent)]

from geometry_models import DENSE, SPARSE, Candidate, builtin_candidate, installed_candidates  # noqa: E402
from now import SEVEN_OF_68, scan_to_mesh  # noqa: E402
from reference_heads import load_reference_heads  # noqa: E402
from synthetic_heads import HeadSample, Painter, make_painter, render_head, sample_head  # noqa: E402

from facedetail_addon.core.assets.shipped import find_weights  # noqa: E402
from facedetail_addon.core.face_model.calibration import load_calibration  # noqa: E402
from facedetail_addon.core.face_model.ibug import IBUG_FROM_MESH  # noqa: E402
from facedetail_addon.core.face_model.model import FaceModel  # noqa: E402
from facedetail_addon.core.face_model.model_file import load_face_model  # noqa: E402
from facedetail_addon.core.face_model.normalise import similarity  # noqa: E402
from facedetail_addon.core.fit.dense import fit_proxy  # noqa: E402
from facedetail_addon.core.model_import.gaze import with_gaze_motion  # noqa: E402
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker  # noqa: E402
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks  # noqa: E402

# Seeds of the calibration start with another number: these heads were never measured.
SEED = 99
SIZE = 512
MESH_POINTS = 468
OUR_FIT = "our fit"


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


def main() -> None:
    options = _arguments()
    data = os.environ.get("FACEDETAIL_DATA")
    if not data:
        sys.exit("error: FACEDETAIL_DATA is not set\ntry: set it to the folder that holds models/ict_facekit.npz")
    tools, stages = _load(Path(data), options.calibration, options.assets)
    yaws = (0, 25) if options.quick else (0, 25, 45)
    heads = min(options.heads, 3) if options.quick else options.heads
    figures: dict[str, object] = {"stages": stages}
    lines = ["| yaw | head | median mm | mean mm | std mm |", "|---|---|---|---|---|"]
    for yaw in yaws:
        errors, posed, seconds = _measure(tools, yaw, heads)
        print(f"yaw {yaw}° done", file=sys.stderr)
        figures[f"yaw{yaw}"] = {name: _summary(values) for name, values in errors.items()}
        figures[f"yaw{yaw}"]["posed expression"] = {"mean": posed[OUR_FIT]}
        figures[f"yaw{yaw}"] |= {"posed": posed, "seconds": seconds}
        for name in errors:
            values = figures[f"yaw{yaw}"][name]
            lines.append(f"| {yaw}° | {name} | {values['median']} | {values['mean']} | {values['std']} |")
        lines += [f"| {yaw}° | {name}, posed, 68 landmarks to their own | | {far} | |" for name, far in posed.items()]
    figures["models"] = _costs(tools, figures[f"yaw{yaws[0]}"]["seconds"])
    figures["peak_memory_mb"], figures["heads"] = peak_memory_mb(), heads
    lines += ["", "| stage (on a 512 px photo) | seconds | peak memory so far, MB |", "|---|---|---|"]
    lines += [f"| {name} | {stage['seconds']} | {stage['peak_mb']} |" for name, stage in stages.items()]
    lines += _costs_table(figures["models"])
    lines += ["", "The true heads are ICT-FaceKit's: the built-in head and others made from the kit have an advantage."]
    lines += ["", f"{heads} heads per view; peak memory of the benchmark itself {peak_memory_mb()} MB."]
    print("\n".join([*lines, json.dumps(figures)]))


def _load(data: Path, calibration_path: Path | None, assets: Path | None) -> tuple[Tools, dict[str, dict[str, float]]]:
    """Load everything; time and peak memory of the stages before the large ground truth is loaded."""
    stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(name: str):
        began = time.perf_counter()
        yield
        stages[name] = {"seconds": round(time.perf_counter() - began, 3), "peak_mb": peak_memory_mb()}

    with stage("load face model and calibration"):
        model = load_face_model(find_weights("face_model.npz"))
        calibration = load_calibration(calibration_path)
    with stage("load landmarker"):
        landmarker = MeshLandmarker.load()
    photo = skimage.data.astronaut()
    landmarker.find(photo)
    with stage("find landmarks"):
        (face, *_) = landmarker.find(photo)
    with stage("fit"):
        fit_proxy(face, photo.shape[1::-1], model, calibration)
    builtin = builtin_candidate(model, calibration)
    installed = tuple(installed_candidates(assets, builtin, landmarker.find)) if assets else ()
    reference = with_gaze_motion(load_reference_heads(data))
    return Tools(reference, make_painter(reference), landmarker, builtin, installed), stages


def _costs(tools: Tools, fit_seconds: dict[str, float]) -> dict[str, dict[str, float | None]]:
    """What each model costs, by its name."""
    out: dict[str, dict[str, float | None]] = {}
    for row, (candidate, method) in tools.fits().items():
        costs = out.setdefault(candidate.name, dict(candidate.costs))
        costs[f"{method} fit seconds"] = fit_seconds[row]
    return out


def _costs_table(models: dict[str, dict[str, float | None]]) -> list[str]:
    columns = list(next(iter(models.values())))
    lines = ["", f"| model | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, costs in models.items():
        values = ("" if costs[column] is None else f"{costs[column]:g}" for column in columns)
        lines.append(f"| {name} | {' | '.join(values)} |")
    return lines


def peak_memory_mb() -> int:
    """Largest resident memory of this process so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _measure(
    tools: Tools, yaw: int, heads: int
) -> tuple[dict[str, list[np.ndarray]], dict[str, float], dict[str, float]]:
    """Distances per head by name of row, mean distances of posed landmarks, and median seconds."""
    reference, fits, builtin = tools.reference, tools.fits(), tools.builtin.model
    seven = list(SEVEN_OF_68)
    scan_vertices = np.unique(_visible(reference))
    frontal = tools.builtin.calibration.mean[:MESH_POINTS, :2]
    mesh_triangles = _face_forward(Delaunay(frontal).simplices, frontal)
    errors: dict[str, list[np.ndarray]] = {"mean face": [], "landmarks as surface": []} | {name: [] for name in fits}
    posed: dict[str, list[float]] = {name: [] for name in fits}
    times: dict[str, list[float]] = {"find landmarks": []} | {name: [] for name in fits}
    for subject, seconds in _subjects(tools, yaw, heads):
        times["find landmarks"].append(seconds)
        scan = subject.neutral[scan_vertices], reference.landmarks68.points(subject.neutral)[seven]
        raw = subject.landmarks.mesh_px[:MESH_POINTS].astype(np.float64) * [1, -1, -1]
        raw_seven = raw[np.array(IBUG_FROM_MESH)[seven]]
        errors["mean face"].append(_skin_to_scan(scan, builtin, builtin.mean))
        errors["landmarks as surface"].append(scan_to_mesh(*scan, raw, mesh_triangles, raw_seven))
        for name, (candidate, method) in fits.items():
            began = time.perf_counter()
            fit = candidate.fit(method, subject.landmarks, (SIZE, SIZE))
            times[name].append(time.perf_counter() - began)
            errors[name].append(_skin_to_scan(scan, candidate.model, fit.vertices_neutral))
            posed[name].append(_posed_error(reference, candidate.model, subject, fit.vertices))
    return (
        errors,
        {name: round(float(np.mean(values)), 3) for name, values in posed.items()},
        {name: round(float(np.median(values)), 3) for name, values in times.items()},
    )


def _skin_to_scan(scan: tuple[np.ndarray, np.ndarray], model: FaceModel, vertices: np.ndarray) -> np.ndarray:
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
            sys.exit(f"error: no face in synthetic head {number} at {yaw}°\ntry: look at what synthetic_heads.py draws")
        yield Subject(sample, tools.reference.vertices(sample.alpha), posed, faces[0]), seconds


def _posed_error(reference: FaceModel, model: FaceModel, subject: Subject, vertices: np.ndarray) -> float:
    """Mean distance in mm of the 68 landmarks on the posed heads, after a similarity over them."""
    truth = reference.landmarks68.points(subject.posed).astype(np.float64)
    found = model.landmarks68.points(vertices).astype(np.float64)
    scale, rotation, translation = similarity(found, truth)
    return float(np.linalg.norm(scale * found @ rotation.T + translation - truth, axis=1).mean())


def _visible(model: FaceModel) -> np.ndarray:
    """(T, 3) skin triangles outside mouth bag and eye sockets."""
    triangles = model.skin.triangles()
    socket = model.in_region("socket")
    return triangles[~socket[triangles].any(1)]


def _face_forward(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, i]] for i in range(3))
    turned = np.cross(b - a, c - a) < 0
    return np.where(turned[:, None], triangles[:, ::-1], triangles)


def _summary(per_head: list[np.ndarray]) -> dict[str, float]:
    joined = np.concatenate(per_head)
    values = {"median": np.median(joined), "mean": joined.mean(), "std": joined.std()}
    return {name: round(float(value), 3) for name, value in values.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three heads, two views: under a minute")
    parser.add_argument("--heads", type=int, default=50, help="heads per view")
    parser.add_argument("--calibration", type=Path, help="another landmark_calibration.npz than the shipped one")
    parser.add_argument("--assets", type=Path, help="the user's folder: its installed face models are measured too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
