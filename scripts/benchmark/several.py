# SPDX-License-Identifier: GPL-3.0-or-later
"""What several photos of one person are worth: drawn people from one to five sides, and merged skins of real ones.

    FACEDETAIL_DATA=… python -m scripts.benchmark.several [--quick] [--people 8] [--pairs 6]

Drawn people wear real skin, hair and glasses, in 640 px photos of any light and lens, each with another expression;
mean distance of the true skin to the fitted head, NoW protocol. Best single: the photo of the same set whose own head
comes nearest. Seams: median |∇ log luminance| along the borders where two photos of ``london/`` (neutral and smiling)
meet, over that of the skin beside them; 1 is no seam. Seconds and memory are those of whole reconstructions of drawn
people without relief. The last line is JSON.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.face_model.model import FACE_REGIONS
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.person import join_skin, observe_person, reconstruct_person, skin_layers
from facedetail_addon.core.pipeline import fit, read_skin, refine
from facedetail_addon.core.skin.merge import seam_contrast
from facedetail_addon.core.stages import Stages
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.benchmark.errors import rounded
from scripts.benchmark.geometry.__main__ import _load as load_tools
from scripts.benchmark.geometry.dressed import SETTINGS, DressedHead, draw_head, load_studio, observed, product
from scripts.benchmark.geometry.dressed import SEVEN_OF_68 as MARKS
from scripts.benchmark.geometry.measure import SEED, Tools, skin_to_scan
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table
from scripts.training.correspondence.picture import Studio
from scripts.training.landmark_calibration.embedding import visible_skin

SETS = {"1 (0°)": (0,), "2 (0, 35°)": (0, 35), "3 (−40, 0, 40°)": (-40, 0, 40), "5 (−60 to 60°)": (-60, -30, 0, 30, 60)}
"""Yaw of the photos, by how tables call them."""
COUNTS = (1, 3, 8)
PEOPLE, PAIRS, QUICK = 8, 6, 1
_SKIN = Settings(resolution=1024, detail=NO_DETAIL)
_FACE_SHARE = 0.5  # of the confidence that counts as seen


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """All parts; lines and figures."""
    data = data_folder("models/ict_facekit.npz and london/")
    tools, _ = load_tools(data, None, None)
    models, studio = product(tools.builtin), load_studio(tools.reference, tools.builtin.model, data)
    count = QUICK if options.quick else options.people
    people = [measure_person(number, tools, studio, models) for number in range(count)]
    figures: dict[str, object] = {"people": count, "sets": {}}
    rows = []
    for name in SETS:
        own = [one[name] for one in people if one.get(name) is not None]
        row = {
            "count": len(own),
            "mm": rounded(np.mean([joint for joint, _ in own])),
            "best_single_mm": rounded(np.mean([best for _, best in own])),
            "worse_than_best": sum(joint > best for joint, best in own),
        }
        figures["sets"][name] = row
        rows.append((name, *row.values()))
    mean = [one["mean"] for one in people]
    lines = table(("photos", "people", "mean mm", "best single, mm", "worse than best single"), rows)
    lines += ["", f"The mean face: {np.mean(mean):.3f} mm.", ""]
    figures["mean_face_mm"] = rounded(np.mean(mean))
    ratios = seams(data, QUICK if options.quick else options.pairs)
    figures["seams"] = {"median": rounded(np.median(ratios)), "largest": rounded(max(ratios))}
    lines += [f"Seams of {len(ratios)} pairs: {np.median(ratios):.2f}, at most {max(ratios):.2f}.", ""]
    costs = [cost(number, studio) for number in (COUNTS[:2] if options.quick else COUNTS)]
    figures["costs"] = {str(one[0]): {"seconds": one[1], "peak_mb": one[2]} for one in costs}
    return [*lines, *table(("photos", "seconds", "peak memory so far, MB"), costs)], figures


def measure_person(number: int, tools: Tools, studio: Studio, models: Models) -> dict[str, object]:
    """Of each set the joint error and that of its best photo alone, mm; None where a face was not found."""
    alpha = np.random.default_rng((SEED, number)).standard_normal(len(studio.model.identity_basis))
    alpha, skin = alpha.clip(-3, 3).astype(np.float32), number % len(studio.skins.names)
    yaws = sorted({yaw for views in SETS.values() for yaw in views})
    heads = {yaw: _turned(studio, yaw, number, skin, alpha) for yaw in yaws}
    seen = {yaw: observed(head, models, tools.reference) for yaw, head in heads.items()}
    vertices = np.unique(visible_skin(tools.reference))
    truth = heads[0].neutral
    scan = truth[vertices], tools.reference.landmarks68.points(truth)[list(MARKS)]

    def error(observations: tuple[Observation, ...]) -> float:
        head = refine(observations, fit(observations, models, SETTINGS), models, SETTINGS)
        return float(skin_to_scan(scan, tools.builtin.model, head.vertices_neutral).mean())

    single = {yaw: error((observation,)) for yaw, observation in seen.items() if observation is not None}
    found: dict[str, object] = {"mean": float(skin_to_scan(scan, tools.builtin.model, tools.builtin.model.mean).mean())}
    for name, views in SETS.items():
        known = all(yaw in single for yaw in views)
        joint = error(tuple(seen[yaw] for yaw in views)) if known and len(views) > 1 else single.get(views[0])
        found[name] = (joint, min(single[yaw] for yaw in views)) if known else None
    progress(f"person {number + 1}: {found}")
    return found


def seams(data: Path, pairs: int) -> list[float]:
    """Of merged skins, contrast along the borders over that beside."""
    models, out = Models.load(_SKIN), []
    names = sorted(path.name for path in (data / "london" / "neutral").glob("*.jpg"))
    for name in names[:: max(1, len(names) // pairs)][:pairs]:
        photos = [data / "london" / kind / name for kind in ("neutral", "smiling")]
        person = observe_person(photos, models, _SKIN, Stages())
        head: HeadFit = fit(person.observations, models, _SKIN)
        seen = [
            read_skin(observation, HeadFit(head.alpha, head.vertices_neutral, (pose,)), models, _SKIN, None, True)
            for observation, pose in zip(person.observations, head.poses, strict=True)
        ]
        skin, joints = join_skin(skin_layers(person, head, seen, models), models)
        border, beside = seam_contrast(skin.maps.albedo, joints[0].share, _face(skin.maps.confidence, models))
        out.append(border / beside if beside > 0 else 1.0)
        progress(f"seams of {name}: {out[-1]:.2f}")
    return out


def cost(count: int, studio: Studio) -> tuple[int, float, int]:
    """How many photos, seconds, and the process' peak memory so far in MB."""
    models = Models.load(_SKIN)
    alpha = np.zeros(len(studio.model.identity_basis), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        photos = []
        for number, yaw in enumerate(np.linspace(-45, 45, count) if count > 1 else [0.0]):
            photos.append(Path(folder) / f"{number}.png")
            picture = _turned(studio, int(yaw), number, 0, alpha).picture
            cv2.imwrite(str(photos[-1]), picture[..., ::-1])
        began = time.perf_counter()
        reconstruct_person(photos, models, _SKIN, lambda _text, _done: None)
    seconds = round(time.perf_counter() - began, 1)
    return count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _turned(studio: Studio, yaw: int, number: int, skin: int, alpha: np.ndarray) -> DressedHead:
    """Odd numbers are turned to one side, even ones to the other."""
    return draw_head(studio, abs(yaw), 2 * number + (yaw > 0), skin, alpha)


def _face(confidence: np.ndarray, models: Models) -> np.ndarray:
    """(R, R) bool: seen skin of the face."""
    atlas, inside = models.atlas, models.model.in_region(*FACE_REGIONS) & ~models.model.in_region("socket")
    out = np.zeros(confidence.shape, bool)
    for rows in atlas.bands():
        here = atlas.covered[rows]
        out[rows][here] = atlas.texels(inside[:, None].astype(np.float32), rows)[:, 0] > _FACE_SHARE
    return out & (confidence > _FACE_SHARE)


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "one person and one pair")
    parser.add_argument("--people", type=int, default=PEOPLE, help="drawn")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of real photos whose skins are merged")
    benchmark(run, parser)
