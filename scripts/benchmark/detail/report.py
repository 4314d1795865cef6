# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables and figures of the detail benchmark: medians over photos."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

import numpy as np

from scripts.benchmark.detail.heads import METHODS, NOTHING, OURS, FalseRelief, SkinErrors
from scripts.benchmark.detail.measure import BANDS_MM, WIDE_MM, Amplitude, fall
from scripts.benchmark.detail.portraits import PortraitDetail
from scripts.benchmark.errors import rounded
from scripts.harness import table

LIGHTS = (("flat: below 0.3", 0.0, 0.3), ("half: to 0.6", 0.3, 0.6), ("directed: beyond", 0.6, np.inf))
"""By |l = 1| / (l = 0) of the light as the pipeline found it; √3 is light from one point."""
GRAINS = (("below 0.25 mm", 0.0, 0.25), ("0.25 to 0.45 mm", 0.25, 0.45), ("larger", 0.45, np.inf))
"""By the size of the smallest thing that the photo shows on the face, mm."""
LEAST_FALL, MOST_FALSE_MM = 0.25, 0.03
"""What is aimed at: normals' error falls by so much, and so little relief is found on flat skin."""

_PORTRAIT_COLUMNS = (
    "photos", "count", "smooth", "with relief", "explained", "inverted", "medium, mm: 50 / 95 / 99 %",
    "fine, mm: 50 / 95 / 99 %", "beyond 1.5 mm", "seconds",
)  # fmt: skip


def report_skin(found: list[SkinErrors], asked: int, lines: list[str]) -> dict[str, object]:
    """Tables of errors against true relief; figures by method, and ours by light and by grain."""
    figures: dict[str, object] = {"count": len(found), "missed": asked - len(found)}
    if not found:
        return figures
    figures["methods"] = {method: _errors(found, method) for method in METHODS}
    title = f"**{len(found)} photos of known skin against the true relief (medians; {figures['missed']} left out)**"
    _error_table(lines, title, "method", figures["methods"])
    figures["bands"] = _bands(found, lines)
    kinds = {"light": (LIGHTS, lambda one: one.directed), "grain": (GRAINS, lambda one: one.resolvable_mm)}
    for name, (classes, of) in kinds.items():
        figures[name] = {
            label: {"count": len(own)} | _errors(own, OURS) for label, own in _split(found, classes, of) if own
        }
        title = f"**Ours by {name}** ({', '.join(label for label, _, _ in classes)})"
        _error_table(lines, title, name, {f"{label} ({row['count']})": row for label, row in figures[name].items()})
    figures["amplitude_mm"] = {
        "ours": _amplitude([one.amplitude for one in found]), "true": _amplitude([one.true_amplitude for one in found])
    }  # fmt: skip
    shown = (f"{who} {' / '.join(map(str, shares.values()))}" for who, shares in figures["amplitude_mm"].items())
    lines += ["", "Amplitude in mm, 50 / 95 / 99 % are below: " + ", ".join(shown) + ".", ""]
    gone = figures["methods"][OURS]["angle_fall"]
    lines.append(f"Normals' error falls by {gone:.1%} (aim: at least {LEAST_FALL:.0%}).")
    return figures


def report_false(found: list[FalseRelief], lines: list[str]) -> dict[str, object]:
    """Table of relief on skin that has none; figures by place and by what the photos were emptied of."""
    figures: dict[str, object] = {"count": len(found)}
    if not found:
        return figures
    title = f"**{len(found)} photos of flat skin with pigment: relief found, RMS in mm (aim: at most {MOST_FALSE_MM})**"
    rows: list[tuple] = []
    for kind in ("places", "blank"):
        figures[kind] = {}
        for name in dict.fromkeys(name for one in found for name in getattr(one, kind)):
            values = [getattr(one, kind)[name] for one in found if name in getattr(one, kind)]
            row = {"count": len(values), "median": rounded(np.median(values), 4),
                   "p90": rounded(np.percentile(values, 90), 4), "most": rounded(max(values), 4)}  # fmt: skip
            figures[kind][name] = row
            rows.append((name, *row.values()))
    lines += ["", title, "", *table(("what", "photos", "median", "90 %", "most"), rows)]
    return figures


def report_portraits(found: list[PortraitDetail], asked: int, lines: list[str]) -> dict[str, object]:
    """Table of what relief explains on photos of people, and how high it is, by group and photo."""
    figures: dict[str, object] = {"count": len(found), "missed": asked - len(found)}
    groups = [
        (group, [one for one in found if one.group == group]) for group in dict.fromkeys(one.group for one in found)
    ]
    rows: list[tuple] = []
    for group, own in groups + [(one.name, [one]) for one in found]:
        row = figures[group] = _portraits(own)
        cells = [row["smooth"], row["relief"], f"{row['explained']:.1%}", f"{row['inverted_explained']:.1%}"]
        cells += [" / ".join(map(str, row[kind].values())) for kind in ("medium_mm", "fine_mm")]
        rows.append((group, row["count"], *cells, f"{row['beyond']:.2%}", row["seconds"]))
    title = "**Photos: mean difference between the photo's fine brightness and the relief's shading, and amplitudes**"
    lines += ["", title, "", *table(_PORTRAIT_COLUMNS, rows)]
    return figures


def _errors(found: Sequence[SkinErrors], method: str) -> dict[str, float]:
    """Medians of one method; falls are against no relief on the same photo."""
    pairs = [(one.methods[method], one.methods[NOTHING]) for one in found]
    row = {
        "rmse_mm": rounded(np.median([ours.rmse_mm for ours, _ in pairs]), 4),
        "rmse_fall": rounded(np.median([fall(ours.rmse_mm, none.rmse_mm) for ours, none in pairs])),
        "angle_deg": rounded(np.median([ours.angle_deg for ours, _ in pairs]), 2),
        "angle_fall": rounded(np.median([fall(ours.angle_deg, none.angle_deg) for ours, none in pairs])),
        "wide_deg": rounded(np.median([ours.wide_deg for ours, _ in pairs]), 2),
        "wide_fall": rounded(np.median([fall(ours.wide_deg, none.wide_deg) for ours, none in pairs])),
    }
    for number, band in enumerate(BANDS_MM):
        row[f"correlation {_name(band)}"] = rounded(np.median([ours.bands[number].correlation for ours, _ in pairs]))
    return row


def _bands(found: Sequence[SkinErrors], lines: list[str]) -> dict[str, object]:
    """How large our waves are beside the true ones."""
    figures: dict[str, object] = {}
    for number, band in enumerate(BANDS_MM):
        own = [one.methods[OURS].bands[number] for one in found]
        row = {
            "correlation": rounded(np.median([one.correlation for one in own])),
            "correlation_p10": rounded(np.percentile([one.correlation for one in own], 10)),
            "gain": rounded(np.median([one.gain for one in own])),
            "factor": rounded(np.median([one.factor for one in own])),
        }
        figures[_name(band)] = row
    rows = ((name, *row.values()) for name, row in figures.items())
    lines += ["", *table(("waves", "correlation: median", "10 % are below", "gain", "factor to the best"), rows)]
    return figures


def _error_table(lines: list[str], title: str, first: str, rows: dict[str, dict[str, float]]) -> None:
    names = [f"correlation {_name(band)}" for band in BANDS_MM]
    columns = (
        first,
        "RMSE, mm",
        "falls by",
        "normals' error",
        "falls by",
        f"beyond {WIDE_MM:g} mm",
        "falls by",
        *names,
    )
    cells = []
    for label, row in rows.items():
        cells.append([label, row["rmse_mm"], f"{row['rmse_fall']:.1%}", f"{row['angle_deg']}°"])
        cells[-1] += [f"{row['angle_fall']:.1%}", f"{row['wide_deg']}°", f"{row['wide_fall']:.1%}"]
        cells[-1] += [row[name] for name in names]
    lines += ["", title, "", *table(columns, cells)]


def _portraits(own: Sequence[PortraitDetail]) -> dict[str, object]:
    none, with_it, turned = (
        np.array([getattr(one.brightness, key) for one in own]) for key in ("smooth", "relief", "inverted")
    )
    return {
        "count": len(own),
        "smooth": rounded(np.median(none)),
        "relief": rounded(np.median(with_it)),
        "explained": rounded(np.median(1 - with_it / none)),
        "inverted_explained": rounded(np.median(1 - turned / none)),
        "medium_mm": _amplitude([one.medium for one in own]),
        "fine_mm": _amplitude([one.fine for one in own]),
        "beyond": rounded(np.mean([one.beyond for one in own]), 5),
        "seconds": rounded(np.median([one.seconds for one in own]), 1),
        "codes": sorted({code for one in own for code in one.codes}),
    }


def _amplitude(values: Iterable[Amplitude]) -> dict[str, float]:
    """Medians of each percentile."""
    each = [asdict(value) for value in values]
    return {key: rounded(np.median([one[key] for one in each])) for key in each[0]}


def _split(
    found: Sequence[SkinErrors], classes: Iterable[tuple[str, float, float]], of: Callable[[SkinErrors], float]
) -> Iterable[tuple[str, list[SkinErrors]]]:
    for label, low, high in classes:
        yield label, [one for one in found if low <= of(one) < high]


def _name(band: tuple[float, float]) -> str:
    return f"{band[0]:g}–{band[1]:g} mm"
