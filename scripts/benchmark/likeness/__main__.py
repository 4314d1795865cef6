# SPDX-License-Identifier: GPL-3.0-or-later
"""The same person twice: heads fitted to a neutral and a smiling portrait of each of many people.

    FACEDETAIL_DATA=… python -m scripts.benchmark.likeness [--quick] [--jobs 2] [--identity [--pictures DIR]]

Prints Markdown tables and, as the last line, one JSON object. Within: mean distance of a person's two neutral heads
over the face, along the mean head's normals, after a similarity; between: of two people's. Rank-1: how often the
nearest head of the other kind is the same person's. Size: one σ within a person, and how much larger than the mean head
people are on average. Outline: mean distance between where the photo shows bare skin end and the head's outline; its
sign says where the photo's lies farther out. Without light and shade heads are drafts;
without masks the fit does not see the outline; the mean head has the
fitted expression and camera, but nobody's shape.

``--identity`` compares pictures instead of heads, by descriptors of face recognition: each neutral portrait with what
is drawn of its reconstruction in the photo's light, in the photo's view on grey and over the photo, and from 40° to the
left and to the right. Beside them the photo's colours on the mean head, the person's smiling portrait, and others'.
Rank-1: how often, of all smiling portraits, the drawing's own person's is the nearest.
"""

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.rendering.normals import vertex_normals
from scripts.benchmark.likeness.identity import described, identity_table
from scripts.benchmark.likeness.measure import compare
from scripts.benchmark.likeness.portraits import MEAN_HEAD, ROWS, Head, face_vertices, fitted, load_models
from scripts.harness import benchmark, benchmark_arguments, data_folder, measured, processes, table

KINDS = ("neutral", "smiling")
QUICK_PEOPLE = 10
COLUMNS = (
    "head", "within mm", "between mm", "within / between", "rank-1 %", "size within σ %", "size over the mean %",
    "outline mm", "seconds of the fit",
)  # fmt: skip

Pair = tuple[dict[str, Head], dict[str, Head]]


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every person; lines and figures."""
    folders = [data_folder("london/") / "london" / kind for kind in KINDS]
    people = sorted({path.name for path in folders[0].glob("*.jpg")} & {path.name for path in folders[1].glob("*.jpg")})
    if options.quick:
        people = people[:: max(1, len(people) // QUICK_PEOPLE)][:QUICK_PEOPLE]
    if options.identity:
        return identity_run([(folders[0] / name, folders[1] / name) for name in people], options)
    with processes(options.jobs) as pool:
        heads = measured(pool, fitted, [folder / name for name in people for folder in folders])
    pairs = [(one, other) for one, other in zip(heads[::2], heads[1::2], strict=True) if one and other]
    model = load_models().model
    figures: dict[str, object] = {row: summary(pairs, row, model) for row in ROWS}
    lines = [*likeness_table(figures), "", *region_table(figures, model)]
    figures |= {"people": len(pairs), "no_face": len(people) - len(pairs)}
    return [*lines, "", f"{len(pairs)} people; {len(people) - len(pairs)} left out: no face found."], figures


def identity_run(photos: list[tuple[Path, Path]], options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Pictures of every person; lines and figures."""
    with processes(options.jobs) as pool:
        found = measured(pool, partial(described, keep=options.pictures), photos)
    lines, figures = identity_table(found)
    missing = len(photos) - len(found)
    lines += ["", f"{len(found)} people; {missing} left out: no face found."]
    return lines, {"identity": figures, "people": len(found), "no_face": missing}


def summary(pairs: list[Pair], row: str, model: FaceModel) -> dict[str, object]:
    """Figures of one row."""
    mean, face = model.skin.of(model.mean), face_vertices(model)
    normals = vertex_normals(mean, model.skin.triangles())[face]
    both = [[pair[kind][row] for pair in pairs] for kind in range(len(KINDS))]
    every = [head for kind in both for head in kind]
    figures: dict[str, object] = {}
    if row != MEAN_HEAD:
        faces = [np.array([head.face for head in kind]) for kind in both]
        likeness = compare(*faces, mean[face], normals)
        figures = {name: round(value, 4) for name, value in asdict(likeness).items()}
        figures["within_over_between"] = round(likeness.within_mm / likeness.between_mm, 4)
    seen = [np.abs(head.gaps.mm).mean() for head in every if len(head.gaps.mm)]
    gaps, region = (np.concatenate([getattr(head.gaps, name) for head in every]) for name in ("mm", "region"))
    figures["outline_mm"], figures["outline_photos"] = round(float(np.mean(seen)), 3), len(seen)
    figures["outline_by_region"] = {
        model.region_names[which]: {
            "mm": round(float(np.abs(gaps[region == which]).mean()), 2),
            "signed_mm": round(float(gaps[region == which].mean()), 2),
            "points_per_photo": round(float((region == which).sum() / len(every)), 1),
        }
        for which in np.unique(region)
    }
    return figures | {"fit_seconds": round(float(np.median([head.seconds for head in every])), 3)}


def likeness_table(figures: dict[str, dict]) -> list[str]:
    """One line a row."""
    cells = []
    for row, found in figures.items():
        alike = (None,) * 6
        if "within_mm" in found:
            alike = (
                f"{found['within_mm']:.3f}", f"{found['between_mm']:.3f}", f"{found['within_over_between']:.3f}",
                f"{100 * found['rank1']:.0f}", f"{100 * found['size_sigma']:.1f}",
                f"{100 * np.expm1(found['size_bias']):+.1f}",
            )  # fmt: skip
        cells.append((row, *alike, f"{found['outline_mm']:.2f}", f"{found['fit_seconds']:.2f}"))
    return table(COLUMNS, cells)


def region_table(figures: dict[str, dict], model: FaceModel) -> list[str]:
    """The outline by region: distance, signed distance, and places a photo."""
    by_row = {row: found["outline_by_region"] for row, found in figures.items()}
    names = [name for name in model.region_names if any(name in regions for regions in by_row.values())]
    cells = [
        (row, *(_gap_cell(regions[name]) if name in regions else None for name in names))
        for row, regions in by_row.items()
    ]
    return table(("outline mm (signed; places a photo)", *names), cells)


def _gap_cell(region: dict[str, float]) -> str:
    return f"{region['mm']:.1f} ({region['signed_mm']:+.1f}; {region['points_per_photo']:.1f})"


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "ten people")
    parser.add_argument("--identity", action="store_true", help="compare pictures, by face recognition")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="with --identity, keep a strip a person there")
    benchmark(run, parser)
