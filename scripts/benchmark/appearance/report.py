# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables and figures of the appearance benchmark."""

from collections.abc import Callable, Iterable

import numpy as np

from scripts.benchmark.appearance.borders import DARK, BorderErrors
from scripts.benchmark.appearance.measure import PhotoErrors, PortraitErrors
from scripts.benchmark.errors import rounded
from scripts.harness import table

DIRECTED = 0.4
"""|l = 1| / (l = 0) of the true light from which on its direction means something; √3 is light from one point."""

_LIGHT_COLUMNS = (
    "light", "count", "method", "harmonics: median", "90 %", "irradiance seen", "direction: median", "90 %",
    "brightness", "tint",
)  # fmt: skip
_ALBEDO_COLUMNS = (
    "skin", "method", "ΔE2000", "ΔE, best factor per channel", "RMSE, best factor", "shading leak", "90 %", "signed"
)  # fmt: skip


def report_heads(found: list[PortraitErrors], asked: int, lines: list[str]) -> dict[str, object]:
    """Tables of light and albedo errors; figures by method."""
    figures: dict[str, object] = {"count": len(found), "missed": asked - len(found)}
    if not found:
        return figures
    figures["light"] = _lights(found, lines)
    figures["albedo"] = _albedos(found, lines)
    regions = {
        name: rounded(np.mean([one.regions[name] for one in found if name in one.regions])) for name in found[0].regions
    }
    mean_skin = rounded(np.mean([one.mean_skin for one in found]))
    lines += ["", "Mean CIEDE2000 of the estimated albedo by region, after the best factor per channel: "
              + ", ".join(f"{name} {value}" for name, value in regions.items())
              + f"; one colour per channel on the mean skin: {mean_skin}."]  # fmt: skip
    figures |= {"regions": regions, "mean_skin": mean_skin}
    figures["misplaced_px"] = rounded(np.median([one.misplaced_px for one in found]))
    return figures


def report_photos(found: list[PhotoErrors], asked: int, lines: list[str]) -> dict[str, object]:
    """Table of PSNR and SSIM by group, look and mask."""
    figures: dict[str, object] = {"missed": asked - len(found)}
    rows: list[tuple] = []
    for group, own in _groups(found):
        figures[group] = {"count": len(own)}
        for mask in own[0].psnr[next(iter(own[0].psnr))]:
            for look in own[0].psnr:
                decibels = [one.psnr[look][mask] for one in own]
                row = {"psnr": rounded(np.median(decibels), 2), "psnr_p10": rounded(np.percentile(decibels, 10), 2),
                       "ssim": rounded(np.median([one.ssim[look][mask] for one in own]))}  # fmt: skip
                figures[group].setdefault(mask, {})[look] = row
                rows.append((group, len(own), mask, look, *row.values()))
    lines += ["", "**Photos: Cycles' picture through the photo's camera against the photo**", ""]
    lines += table(("photos", "count", "where", "picture", "PSNR, dB: median", "10 % are below", "SSIM: median"), rows)
    if found:
        look, mask = next(iter(found[0].psnr)), next(iter(next(iter(found[0].psnr.values()))))
        worst = sorted(found, key=lambda one: one.psnr[look][mask])[:5]
        figures["worst"] = {one.name: rounded(one.psnr[look][mask], 2) for one in worst}
        regions = {name for one in found for name in one.regions_db}
        figures["regions_db"] = {
            name: rounded(np.median([one.regions_db[name] for one in found if name in one.regions_db]), 2)
            for name in sorted(regions)
        }
        lines += ["", "Worst: " + ", ".join(f"{name} {value} dB" for name, value in figures["worst"].items()) + "."]
        by_region = ", ".join(f"{name} {value}" for name, value in figures["regions_db"].items())
        lines += [f"By region, median dB: {by_region}."]
    return figures


def report_borders(found: list[BorderErrors], asked: int, lines: list[str]) -> dict[str, object]:
    """Table of medians, by the skin's tone."""
    figures: dict[str, object] = {"missed": asked - len(found)}
    rows: list[tuple] = []
    for kind, own in (
        (f"dark (luminance below {DARK})", [one for one in found if one.tone < DARK]),
        ("others", [one for one in found if one.tone >= DARK]),
    ):
        figures[kind] = {"count": len(own)}
        for what in ("rims", "filled", "uneven", "strange", "shine"):
            for name in dict.fromkeys(name for one in own for name in getattr(one, what)):
                values = [getattr(one, what)[name] for one in own if name in getattr(one, what)]
                figures[kind][f"{what}, {name}"] = _median(values)
                rows.append((kind, what, name, len(values), _median(values), _high(values)))
    title = f"**Albedo of {len(found)} portraits: rims along lines (log luminance per mm beyond statistical skin's), "
    title += "CIEDE2000 of filled-in skin to the cheeks, unevenness (logs), "
    title += "percent of another hue than skin's, skin under highlights over skin beside**"
    lines += ["", title, ""]
    lines += table(("skin", "what", "where", "count", "median", "90 %"), rows)
    return figures


def report_balls(errors: dict[str, tuple[float, float]], lines: list[str]) -> dict[str, object]:
    """Table of relative RMSE by light."""
    lines += [
        "",
        "**White ball in Cycles under our picture of a light, against irradiance by harmonics: relative RMSE**",
    ]
    rows = ((name, f"{promised:.2%}", f"{given:.2%}") for name, (promised, given) in errors.items())
    lines += ["", *table(("light", "what the picture promises", "the light as given"), rows)]
    return {name: {"promised": rounded(one, 4), "given": rounded(other, 4)} for name, (one, other) in errors.items()}


def _lights(found: list[PortraitErrors], lines: list[str]) -> dict[str, object]:
    figures: dict[str, object] = {}
    rows: list[tuple] = []
    kinds: dict[str, Callable[[PortraitErrors], bool]] = {
        "all": lambda one: True,
        f"directed (≥ {DIRECTED})": lambda one: _directed(one) >= DIRECTED,
        f"flat (< {DIRECTED})": lambda one: _directed(one) < DIRECTED,
    }
    for kind, chosen in kinds.items():
        own = [one for one in found if chosen(one)]
        for method in own[0].light if own else ():
            errors = [one.light[method] for one in own]
            row = {
                "relative": _median([e.relative for e in errors]),
                "relative_p90": _high([e.relative for e in errors]),
                "lit": _median([e.lit for e in errors]),
                "direction_deg": _median([e.direction_deg for e in errors], 1),
                "direction_deg_p90": _high([e.direction_deg for e in errors], 1),
                "stops": _median([abs(e.stops) for e in errors], 2),
                "tint_deg": _median([e.tint_deg for e in errors], 1),
            }
            figures.setdefault(kind, {"count": len(own)})[method] = row
            shares = [f"{row[key]:.1%}" for key in ("relative", "relative_p90", "lit")]
            angles = [f"{row[key]}°" for key in ("direction_deg", "direction_deg_p90")]
            shown = [*shares, *angles, f"± {row['stops']} stops", f"{row['tint_deg']}°"]
            rows.append((kind, len(own), method, *shown))
    lines += ["", f"**{len(found)} painted heads: error of the light**", "", *table(_LIGHT_COLUMNS, rows)]
    return figures


def _albedos(found: list[PortraitErrors], lines: list[str]) -> dict[str, object]:
    figures: dict[str, object] = {}
    rows: list[tuple] = []
    for kind, own in (
        ("all", found),
        ("with subsurface scattering", [one for one in found if one.subsurface]),
        ("without", [one for one in found if not one.subsurface]),
    ):
        for method in own[0].albedo if own else ():
            errors = [one.albedo[method] for one in own]
            row = {
                "delta_e": _median([e.delta_e for e in errors], 2),
                "delta_e_scaled": _median([e.delta_e_scaled for e in errors], 2),
                "si_rmse": _median([e.si_rmse for e in errors]),
                "leak": _median([abs(e.leak) for e in errors]),
                "leak_p90": _high([abs(e.leak) for e in errors]),
                "signed_leak": _median([e.leak for e in errors]),
            }
            figures.setdefault(kind, {})[method] = row
            rows.append((kind, method, *row.values()))
    title = f"**{len(found)} painted heads: error of the albedo where the face is seen (medians)**"
    lines += ["", title, "", *table(_ALBEDO_COLUMNS, rows)]
    return figures


def _directed(one: PortraitErrors) -> float:
    return next(iter(one.light.values())).directed


def _groups(found: list[PhotoErrors]) -> Iterable[tuple[str, list[PhotoErrors]]]:
    for group in dict.fromkeys(one.group for one in found):
        yield group, [one for one in found if one.group == group]


def _median(values: list[float], digits: int = 3) -> float:
    return rounded(np.median(values), digits)


def _high(values: list[float], digits: int = 3) -> float:
    return rounded(np.percentile(values, 90), digits)
