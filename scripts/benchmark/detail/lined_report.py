# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables and figures of lined faces: means over faces' regions, by region, by group of people, and by face."""

from collections.abc import Callable, Sequence

import numpy as np

from scripts.benchmark.detail.lined import BAND_MM, LEAST_CONTRAST, OVER_AGE, LinedRelief, RegionRelief
from scripts.benchmark.detail.regions import REGIONS
from scripts.benchmark.errors import TONES, rounded
from scripts.harness import table

AGES = ((f"{OVER_AGE + 1}–64", OVER_AGE + 1, 65), ("65–79", 65, 80), ("80+", 80, 200))
"""Years from and to; official portraits do not tell them."""
_COLUMNS = ("regions", "lined", "explained", "inverted", "correlation", "best factor", "photo's contrast",
            "relief, mm", "smooth", "relief there, mm")  # fmt: skip


def report_lined(found: list[LinedRelief], asked: int, lines: list[str]) -> dict[str, object]:
    """Tables of what relief explains, and its figures; of smooth regions only how high their relief is."""
    figures: dict[str, object] = {"count": len(found), "missed": asked - len(found)}
    if not found:
        return figures
    every = [region for one in found for region in one.regions.values()]
    by_region = {name: [one.regions[name] for one in found if name in one.regions] for name in REGIONS}
    figures["regions"] = {name: summary(own) for name, own in {"all": every, **by_region}.items()}
    smooth, unseen = figures["regions"]["all"]["smooth"], len(REGIONS) * len(found) - len(every)
    lines += [
        "",
        f"**{len(found)} photos of lined faces ({figures['missed']} left out): share of the variance of log luminance, "
        f"waves of {BAND_MM[0]:g} to {BAND_MM[1]:g} mm, that is shading of the relief (means)**",
        "",
        f"Of {len(every)} regions, {smooth} are smooth (contrast below {LEAST_CONTRAST:g}) and counted apart; {unseen} "
        "more are hardly seen. Shading is that of tipped normals; what grooves shut out of the light is not in it.",
        "",
        *table(("region", *_COLUMNS), ((name, *_cells(row)) for name, row in figures["regions"].items())),
    ]
    figures["groups"], figures["gaps"] = _groups(found, lines)
    figures["faces"] = _faces(found, lines)
    return figures


def summary(regions: Sequence[RegionRelief]) -> dict[str, object]:
    """Means over lined regions; the best factor's is the median, and None stands for what no region tells."""
    shadings = [region.shading for region in regions if region.shading is not None]

    def over(values: list[float], of: Callable[[list[float]], float] = np.mean, digits: int = 3) -> float | None:
        return rounded(of(values), digits) if values else None

    return {
        "count": len(regions),
        "lined": len(shadings),
        "explained": over([one.explained for one in shadings]),
        "inverted": over([one.inverted for one in shadings]),
        "correlation": over([one.correlation for one in shadings]),
        "factor": over([one.factor for one in shadings], np.median),
        "contrast": over([region.contrast for region in regions if region.shading is not None]),
        "relief_mm": over([region.relief_mm for region in regions if region.shading is not None], digits=4),
        "smooth": len(regions) - len(shadings),
        "smooth_relief_mm": over([region.relief_mm for region in regions if region.shading is None], digits=4),
    }


def _groups(found: list[LinedRelief], lines: list[str]) -> tuple[dict[str, object], dict[str, object]]:
    """By dataset, age and skin; and how far apart the groups of each are."""
    splits: dict[str, dict[str, list[LinedRelief]]] = {
        "dataset": {name: [one for one in found if one.face.dataset == name] for name in _datasets(found)},
        "age": {
            name: [one for one in found if one.face.age is not None and low <= one.face.age < high]
            for name, low, high in AGES
        },
        "skin": {name: [one for one in found if low <= one.tone_deg < high] for name, low, high in TONES},
    }
    figures, gaps, rows = {}, {}, []
    for split, groups in splits.items():
        own = {name: people for name, people in groups.items() if people}
        figures[split] = {
            name: {"people": len(people)} | summary([region for one in people for region in one.regions.values()])
            for name, people in own.items()
        }
        rows += [(split, name, row["people"], *_cells(row)) for name, row in figures[split].items()]
        shares = [row["explained"] for row in figures[split].values() if row["explained"] is not None]
        gaps[split] = rounded(max(shares) - min(shares)) if len(shares) > 1 else None
    told = ", ".join(f"{split} {gap:.1%}" for split, gap in gaps.items() if gap is not None)
    lines += ["", *table(("by", "group", "people", *_COLUMNS), rows), ""]
    lines.append(f"Largest gap between groups' explained shares: {told or 'there are no two groups'}. Skin by the ")
    lines[-1] += "typology angle of the albedo: dark below 10°, light above 41°."
    return figures, gaps


def _faces(found: list[LinedRelief], lines: list[str]) -> dict[str, object]:
    """What is explained of each face; those whose relief explains least come first."""
    figures = {
        f"{one.face.dataset}/{one.face.path.stem}": {"tone_deg": rounded(one.tone_deg, 1)}
        | summary(list(one.regions.values()))
        | {"by_region": {name: _share(region) for name, region in one.regions.items()}}
        for one in found
    }
    none_last = sorted(figures, key=lambda name: (figures[name]["explained"] is None, figures[name]["explained"] or 0))
    rows = []
    for name in none_last:
        row = figures[name]
        shares = [_percent(row["by_region"].get(region)) for region in REGIONS]
        rows.append((name, f"{row['tone_deg']:.0f}°", _percent(row["explained"]), *shares, row["relief_mm"]))
    lines += ["", *table(("face", "skin", "explained", *REGIONS, "relief, mm"), rows)]
    return figures


def _share(region: RegionRelief) -> float | None:
    return None if region.shading is None else rounded(region.shading.explained)


def _datasets(found: list[LinedRelief]) -> list[str]:
    return list(dict.fromkeys(one.face.dataset for one in found))


def _cells(row: dict[str, object]) -> list[object]:
    shares = [_percent(row["explained"]), _percent(row["inverted"])]
    names = "correlation", "factor", "contrast", "relief_mm", "smooth", "smooth_relief_mm"
    return [row["count"], row["lined"], *shares, *(row[name] for name in names)]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
