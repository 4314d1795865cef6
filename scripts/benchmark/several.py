# SPDX-License-Identifier: GPL-3.0-or-later
"""What several photos of one person are worth: drawn people from one to five sides, and merged skins of real ones.

    FACEDETAIL_DATA=… python -m scripts.benchmark.several [--quick] [--people 8] [--turned-up 4] [--pairs 6]

Drawn people wear real skin, and light, lens and expression differ between their photos. Of some the photos were taken
for this: 960 px, sharp, slight expressions, the same hair in all and nothing else on the face. Of others they are as
they turn up: 640 px, any expression, hair, beards, glasses and hats that differ from photo to photo, blurred, grey,
covered. Mean distance of the true skin to the fitted head, NoW protocol; without parallax: by what each photo says by
itself. Best single: the photo of the same set whose own head comes nearest. Seams: median |∇ log luminance| along the
borders where two photos of ``london/`` (neutral and smiling) meet, over that of the skin beside them; 1 is no seam.
Seconds and memory are those of whole reconstructions of drawn people without relief. The last line is JSON.
"""

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.face_model.model import FACE_REGIONS
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.person import by_parallax, join_skin, observe_person, reconstruct_person, skin_layers
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
CAREFUL, TURNED_UP = "taken for this", "as they turn up"
COUNTS = (1, 3, 8)
PEOPLE, OTHERS, PAIRS, QUICK = 8, 4, 6, 1
_SKIN = Settings(resolution=1024, detail=NO_DETAIL)
_FACE_SHARE = 0.5  # of the confidence that counts as seen


@dataclass(frozen=True)
class SetErrors:
    """Of one person's set of photos, mm.

    Attributes:
        joint: of the head that all of them make. apart: without parallax. best: of the best photo alone.
    """

    joint: float
    apart: float
    best: float


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """All parts; lines and figures."""
    data = data_folder("models/ict_facekit.npz and london/")
    tools, _ = load_tools(data, None, None)
    models, studio = product(tools.builtin), load_studio(tools.reference, tools.builtin.model, data)
    figures: dict[str, object] = {}
    lines: list[str] = []
    for kind, asked in ((CAREFUL, options.people), (TURNED_UP, options.turned_up)):
        count = min(asked, QUICK) if options.quick else asked
        people = [measure_person(number, kind, tools, studio, models) for number in range(count)]
        if people:
            figures[kind] = _report(kind, people, lines)
    ratios = seams(data, QUICK if options.quick else options.pairs)
    figures["seams"] = {"median": rounded(np.median(ratios)), "largest": rounded(max(ratios))}
    lines += [f"Seams of {len(ratios)} pairs: {np.median(ratios):.2f}, at most {max(ratios):.2f}.", ""]
    costs = [cost(number, studio) for number in (COUNTS[:2] if options.quick else COUNTS)]
    figures["costs"] = {str(one[0]): {"seconds": one[1], "peak_mb": one[2]} for one in costs}
    return [*lines, *table(("photos", "seconds", "peak memory so far, MB"), costs)], figures


def _report(kind: str, people: list[dict[str, object]], lines: list[str]) -> dict[str, object]:
    """Table and figures of people whose photos are of one kind."""
    figures, rows = {"people": len(people), "sets": {}}, []
    for name in SETS:
        own = [one[name] for one in people if one.get(name) is not None]
        joint, apart, best = (np.array([getattr(one, which) for one in own]) for which in ("joint", "apart", "best"))
        row = {
            "count": len(own),
            "mm": rounded(joint.mean()),
            "without_parallax_mm": rounded(apart.mean()),
            "best_single_mm": rounded(best.mean()),
            "worse_than_best": int((joint > best).sum()),
        }
        figures["sets"][name] = row
        rows.append((name, *row.values()))
    figures["mean_face_mm"] = rounded(np.mean([one["mean"] for one in people]))
    columns = ("photos", "people", "mean mm", "without parallax, mm", "best single, mm", "worse than best single")
    lines += ["", f"**Photos {kind}** (the mean face: {figures['mean_face_mm']} mm)", "", *table(columns, rows)]
    return figures


def measure_person(number: int, kind: str, tools: Tools, studio: Studio, models: Models) -> dict[str, object]:
    """Errors of each set, :class:`SetErrors`; None where a face was not found. ``mean``: that of the mean face."""
    alpha, skin = person_alpha(studio, number), number % len(studio.skins.names)
    yaws = sorted({yaw for views in SETS.values() for yaw in views})
    sitter = number if kind == CAREFUL else None
    heads = {yaw: turned(studio, yaw, number, skin, alpha, sitter) for yaw in yaws}
    seen = {yaw: observed(head, models, tools.reference) for yaw, head in heads.items()}
    vertices = np.unique(visible_skin(tools.reference))
    truth = heads[0].neutral
    scan = truth[vertices], tools.reference.landmarks68.points(truth)[list(MARKS)]

    def error(head: HeadFit) -> float:
        return float(skin_to_scan(scan, tools.builtin.model, head.vertices_neutral).mean())

    def errors(observations: tuple[Observation, ...]) -> tuple[float, float]:
        by_photo = fit(observations, models, SETTINGS)
        apart = error(refine(observations, by_photo, models, SETTINGS))
        head, matches = by_parallax(observations, by_photo, models, SETTINGS)
        return error(refine(observations, head, models, SETTINGS, matches=matches)) if matches else apart, apart

    single = {yaw: errors((observation,))[0] for yaw, observation in seen.items() if observation is not None}
    mean = skin_to_scan(scan, tools.builtin.model, tools.builtin.model.mean).mean()
    found: dict[str, object] = {"mean": float(mean)}
    for name, views in SETS.items():
        if any(yaw not in single for yaw in views):
            found[name] = None
            continue
        best = min(single[yaw] for yaw in views)
        both = errors(tuple(seen[yaw] for yaw in views)) if len(views) > 1 else (single[views[0]],) * 2
        found[name] = SetErrors(*both, best)
    progress(f"person {number + 1}, photos {kind}: {found}")
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
            picture = turned(studio, int(yaw), number, 0, alpha).picture
            cv2.imwrite(str(photos[-1]), picture[..., ::-1])
        began = time.perf_counter()
        reconstruct_person(photos, models, _SKIN, lambda _text, _done: None)
    seconds = round(time.perf_counter() - began, 1)
    return count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def person_alpha(studio: Studio, number: int) -> np.ndarray:
    """(K,) float32 shape of a drawn person."""
    alpha = np.random.default_rng((SEED, number)).standard_normal(len(studio.model.identity_basis))
    return alpha.clip(-3, 3).astype(np.float32)


def turned(
    studio: Studio, yaw: int, number: int, skin: int, alpha: np.ndarray, sitter: int | None = None
) -> DressedHead:
    """Odd numbers are turned to one side, even ones to the other."""
    return draw_head(studio, abs(yaw), 2 * number + (yaw > 0), skin, alpha, sitter)


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
    parser.add_argument("--people", type=int, default=PEOPLE, help="drawn, in photos taken for this")
    parser.add_argument("--turned-up", type=int, default=OTHERS, help="drawn, in photos as they turn up")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of real photos whose skins are merged")
    benchmark(run, parser)
