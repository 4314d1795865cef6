# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables and figures of the expression benchmark."""

import numpy as np

from facedetail_addon.core.observe.expression.types import EMOTIONS
from facedetail_addon.settings import LANDMARKS, PRIOR_AND_LANDMARKS
from scripts.benchmark.expression.measure import (
    AMBIGUOUS_TOGETHER,
    CHEEKS_AND_FOLDS,
    PARTNER,
    SAME_PRICE,
    WHOLE_FACE,
    Errors,
    Look,
    PairErrors,
)
from scripts.benchmark.expression.photos import (
    PhotoEmotions,
    agreement,
)
from scripts.benchmark.expression.sets import REGIONS
from scripts.harness import table

AREAS = (*REGIONS, CHEEKS_AND_FOLDS, AMBIGUOUS_TOGETHER, WHOLE_FACE)


def report_heads(found: list[Errors], settings: tuple[str, ...], lines: list[str]) -> dict[str, object]:
    """Tables of errors by area, with gains of prior+landmarks; in ``expression`` the neutral face's error is the mean
    size of the true motion."""
    errors = {kind: np.array([getattr(head, kind) for head in found]) for kind in ("expression", "posed")}
    titles = {"expression": "motion from neutral to posed", "posed": "posed heads, aligned by a similarity of the face"}
    for kind, title in titles.items():
        _error_table(f"{len(found)} held-out heads, {title}: mean error in mm", errors[kind], settings, lines)
    return {kind: _area_figures(values, settings) for kind, values in errors.items()}


def report_pairs(found: list[PairErrors], settings: tuple[str, ...], lines: list[str]) -> dict[str, object]:
    """Tables over the members of the ambiguous pairs, and over their differences."""
    members = {
        kind: np.array([getattr(head, kind) for pair in found for head in pair.members])
        for kind in ("expression", "posed")
    }
    members["difference"] = np.array([pair.difference for pair in found])
    sizes = {
        name: round(float(np.mean([getattr(pair, name) for pair in found])), 3)
        for name in ("landmark_rms_mm", "difference_mm", "found_landmark_mm")
    }
    title = (
        f"{len(found)} ambiguous pairs: 68 landmarks {sizes['landmark_rms_mm']} mm (rms) apart, eye bags, cheeks and "
        f"folds {sizes['difference_mm']} mm (mean), the 478 found landmarks {sizes['found_landmark_mm']} mm (rms)"
    )
    lines += ["", f"**{title}**"]
    titles = {"expression": "motion", "posed": "posed heads", "difference": "motion from one of the pair to the other"}
    for kind, name in titles.items():
        _error_table(f"Pairs, {name}: mean error in mm", members[kind], settings, lines)
    return {**sizes, **{kind: _area_figures(values, settings) for kind, values in members.items()}}


def report_photos(found: list[PhotoEmotions], settings: tuple[str, ...], lines: list[str]) -> dict[str, object]:
    """How well the emotions of photos and fitted heads agree, by group; all photos and those not neutral."""
    figures: dict[str, object] = {}
    neutral = EMOTIONS.index("neutral")
    columns = ("photos", "count", "expression", "same emotion", "probability of the photo's", "divergence, bits")
    cells: list[tuple] = []
    for group in dict.fromkeys(one.group for one in found):
        own = [one for one in found if one.group == group]
        for name, chosen in ((group, own), (f"{group}, not neutral", [p for p in own if p.photo.argmax() != neutral])):
            if not chosen:
                continue
            photos, heads = np.array([p.photo for p in chosen]), np.array([p.heads for p in chosen])
            rows = {setting: agreement(photos, heads[:, place]) for place, setting in enumerate(settings)}
            figures[name] = {"count": len(chosen), **rows}
            for setting, row in rows.items():
                cells.append((name, len(chosen), setting, f"{row['top1']:.1%}", row["probability"], row["divergence"]))
    title = "**Photos: emotion of the photo and of a plain render of the fitted head**"
    lines += ["", title, "", *table(columns, cells)]
    return figures


def report_looks(looks: dict[str, list[Look]], lines: list[str]) -> dict[str, object]:
    """Seconds of reading, and how far pictures are from the dictionary."""
    figures: dict[str, object] = {}
    for part, own in looks.items():
        if own:
            figures[part] = {
                "median_seconds": round(float(np.median([look.seconds for look in own])), 4),
                "median_look_up_seconds": round(float(np.median([look.look_up_seconds for look in own])), 4),
                "distance": round(float(np.median([look.distance for look in own])), 3),
            }
    if figures:
        title = "**Reading: median seconds and distance to the nearest entry (held-out renders made like photos: 1)**"
        rows = ((part, *row.values()) for part, row in figures.items())
        lines += ["", title, "", *table(("pictures", "reading, s", "look-up, s", "distance"), rows)]
    return figures


def _area_figures(values: np.ndarray, settings: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Means of (N, settings, areas) by setting and area, and the gains of :func:`_gains`."""
    means = {setting: _by_area(row) for setting, row in zip(settings, values.mean(0), strict=True)}
    gains = _gains(values, settings)
    return means | {f"{kind} over {b}": _by_area(row) for b, both in gains.items() for kind, row in both.items()}


def _by_area(row: np.ndarray) -> dict[str, float]:
    return {area: round(float(value), 3) for area, value in zip(AREAS, row, strict=True)}


def _gains(values: np.ndarray, settings: tuple[str, ...]) -> dict[str, dict[str, np.ndarray]]:
    """By how much prior and landmarks together beat other settings, as a share of their error, with the standard error
    of that share (of paired differences); empty without that source."""
    if PRIOR_AND_LANDMARKS not in settings:
        return {}
    both, gains = values[:, settings.index(PRIOR_AND_LANDMARKS)], {}
    for baseline in (name for name in (LANDMARKS, SAME_PRICE, PARTNER) if name in settings):
        base = values[:, settings.index(baseline)]
        mean = base.mean(0)
        unsure = (base - both).std(0, ddof=1) / np.sqrt(len(values)) / mean
        gains[baseline] = {"gain": 1 - both.mean(0) / mean, "standard error of gain": unsure}
    return gains


def _error_table(title: str, values: np.ndarray, settings: tuple[str, ...], lines: list[str]) -> None:
    gains = _gains(values, settings)
    rows = []
    for place, area in enumerate(AREAS):
        rows.append([area, *(f"{value:.2f}" for value in values[:, :, place].mean(0))])
        rows[-1] += [f"{g['gain'][place]:+.1%} ± {g['standard error of gain'][place]:.1%}" for g in gains.values()]
    head = ("area", *settings, *(f"gain over {baseline}" for baseline in gains))
    lines += ["", f"**{title}**", "", *table(head, rows)]
