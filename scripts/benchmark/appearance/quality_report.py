# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the qualities, and of what is left out of the best of them."""

import numpy as np

from scripts.benchmark.appearance.measure import AblationErrors
from scripts.benchmark.appearance.quality import QualityErrors
from scripts.benchmark.errors import TONES, rounded
from scripts.harness import table


def report_qualities(found: list[list[QualityErrors]], asked: int, lines: list[str]) -> dict[str, object]:
    """Medians by quality of each set of photos and of each tone of skin, and the largest gap between tones."""
    figures: dict[str, object] = {"missed": asked - len(found)}
    flat = [one for photo in found for one in photo]
    tones = {name: [one for one in flat if low <= one.tone_deg < high] for name, low, high in TONES}
    groups = (
        {"all": flat}
        | {name: [one for one in flat if one.group == name] for name in {o.group: 0 for o in flat}}
        | tones
    )
    rows = []
    for name, own in groups.items():
        for quality in dict.fromkeys(one.quality for one in own):
            mine = [one for one in own if one.quality == quality]
            row = {
                key: rounded(np.median([getattr(one, key) for one in mine]), 2)
                for key in ("held_db", "seen_db", "stage_s", "whole_s")
            }
            figures.setdefault(name, {})[quality] = row | {"count": len(mine)}
            rows.append((name, len(mine), quality, *row.values()))
    title = (
        "**Photos re-rendered in their estimated light: PSNR of squares that were hidden, and of skin that was painted"
    )
    lines += [
        "",
        f"{title} from the photo, dB (medians); seconds of what the quality adds, and of all without relief**",
        "",
    ]
    lines += table(("photos", "count", "quality", "hidden", "seen", "adds, s", "whole, s"), rows)
    gaps = {}
    for quality in dict.fromkeys(one.quality for one in flat):
        levels = [figures[name][quality]["held_db"] for name, _, _ in TONES if quality in figures.get(name, {})]
        gaps[quality] = rounded(max(levels) - min(levels), 2) if levels else 0.0
    figures["gap_db"] = gaps
    lines += [
        "",
        "Largest gap between tones, hidden squares: " + ", ".join(f"{k} {v} dB" for k, v in gaps.items()) + ".",
    ]
    return figures


def report_ablation(found: list[list[AblationErrors]], lines: list[str]) -> dict[str, object]:
    """Medians by what is left out."""
    flat = [one for head in found for one in head]
    keys = ("direction_deg", "leak", "delta_e", "mm", "level", "roughness", "held_db")
    figures = {
        variant: {k: rounded(np.median([getattr(o, k) for o in flat if o.variant == variant]), 3) for k in keys}
        for variant in dict.fromkeys(one.variant for one in flat)
    }
    title = f"**{len(found)} painted heads, one term left out (medians)**"
    columns = ("", "light, °", "leak", "ΔE2000", "mm", "log level", "roughness", "hidden squares, dB")
    lines += ["", title, "", *table(columns, [(name, *row.values()) for name, row in figures.items()])]
    return figures
