# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos made worse: relief may become flatter with them, but what was not there before must not appear."""

import csv
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear, to_srgb
from scripts.benchmark.detail.lined import LinedFace, list_lined
from scripts.benchmark.detail.portraits import SURE, load_models, look_at, medium_and_fine
from scripts.benchmark.errors import best_factor, rms, rounded
from scripts.benchmark.geometry.groups import PORTRAITS as SYNTHETIC
from scripts.harness import table

LINED = ("female-34", "female-69", "male-47", "08", "17")
"""Lined faces of all tones, by their photos' names."""
YOUNG_TO, YOUNG = 30, 3
"""Years below which a face is young, and how many of these."""
_SEED = 3
_QUALITY = 12  # of JPEG: blocks are seen in plain skin
_NOISE = 14.0  # standard deviation, of 255
_SMALLER = 4  # times, before it is enlarged again
_FLASH_EV = 1.3


@dataclass(frozen=True)
class WorseRelief:
    """Relief of one photo that was made worse beside that of the photo as it is, medium and fine together.

    Attributes:
        name: of the photo. lined: whether it shows a lined face. way: in which it was made worse.
        before_mm, after_mm: RMS of heights where both photos' masks are sure.
        correlation: of both. new_mm: RMS of what is left of the worse photo's relief without its best multiple of the
            other's. codes: of notices that the photo as it is does not have.
    """

    name: str
    lined: bool
    way: str
    before_mm: float
    after_mm: float
    correlation: float
    new_mm: float
    codes: tuple[str, ...]


def list_faces(data: Path) -> list[tuple[LinedFace, bool]]:
    """Lined faces of all tones, and young ones of as many countries; whether each is lined."""
    lined = [(face, True) for face in list_lined(data, list(LINED))]
    with (data / SYNTHETIC / "info.csv").open(newline="", encoding="utf-8") as file:
        young = sorted((row for row in csv.DictReader(file) if int(row["age"]) < YOUNG_TO), key=lambda row: row["id"])
    chosen = young[:: max(1, len(young) // YOUNG)][:YOUNG]
    faces = [LinedFace(SYNTHETIC, data / SYNTHETIC / f"{row['id']}.jpg", int(row["age"])) for row in chosen]
    return lined + [(face, False) for face in faces]


def measure_worse(face: tuple[LinedFace, bool], weights: Path) -> list[WorseRelief] | None:
    """Reconstruct a photo as it is and in every way of WAYS; None where no face is found in the photo as it is.

    Args:
        face: which, and whether it is lined. weights: folder of the networks' weights.
    """
    (face, lined), models, out = face, load_models(weights), []
    seen = look_at(face.path, models)
    if seen is None:
        return None
    before, sure = np.add(*medium_and_fine(seen[0])), seen[1].mask > SURE
    told = {notice.code for notice in seen[0].record.notices}
    photo = cv2.imread(str(face.path))
    with tempfile.TemporaryDirectory() as folder:
        for number, (way, change) in enumerate(WAYS.items()):
            path = Path(folder) / f"{number}.png"
            cv2.imwrite(str(path), change(photo))
            worse = look_at(path, models)
            if worse is None:
                continue
            after, both = np.add(*medium_and_fine(worse[0])), sure & (worse[1].mask > SURE)
            codes = tuple(sorted({notice.code for notice in worse[0].record.notices} - told))
            out.append(_compared(face, lined, way, before[both], after[both], codes))
    return out


def report_worse(found: list[list[WorseRelief]], asked: int, lines: list[str]) -> dict[str, object]:
    """A table of means by way and kind of face, and its figures."""
    every = [one for own in found for one in own]
    figures: dict[str, object] = {"count": len(found), "missed": asked - len(found)}
    rows = []
    for way in WAYS:
        for kind, lined in (("lined", True), ("young", False)):
            own = [one for one in every if one.way == way and one.lined == lined]
            if own:
                figures[f"{way}, {kind}"] = row = _summary(own)
                rows.append((way, kind, *row.values()))
    columns = (
        "made worse",
        "faces",
        "count",
        "relief, mm",
        "then",
        "correlation",
        "new, mm",
        "most new, mm",
        "notices",
    )
    title = f"**{len(found)} photos made worse ({asked - len(found)} left out): means, and the largest of what is new**"
    lines += ["", title, "", *table(columns, rows)]
    return figures


def _summary(own: list[WorseRelief]) -> dict[str, object]:
    codes = sorted({code for one in own for code in one.codes})
    return {
        "count": len(own),
        "before_mm": rounded(np.mean([one.before_mm for one in own]), 4),
        "after_mm": rounded(np.mean([one.after_mm for one in own]), 4),
        "correlation": rounded(np.mean([one.correlation for one in own])),
        "new_mm": rounded(np.mean([one.new_mm for one in own]), 4),
        "most_new_mm": rounded(np.max([one.new_mm for one in own]), 4),
        "codes": ", ".join(f"{code} {sum(code in one.codes for one in own)}" for code in codes),
    }


def _compared(
    face: LinedFace, lined: bool, way: str, before: np.ndarray, after: np.ndarray, codes: tuple[str, ...]
) -> WorseRelief:
    flat = min(before.std(), after.std()) < 1e-6 if len(before) else True
    return WorseRelief(
        name=f"{face.dataset}/{face.path.stem}",
        lined=lined,
        way=way,
        before_mm=rms(before) if len(before) else 0.0,
        after_mm=rms(after) if len(after) else 0.0,
        correlation=0.0 if flat else float(np.corrcoef(before, after)[0, 1]),
        new_mm=rms(after if flat else after - before * best_factor(before, after)) if len(after) else 0.0,
        codes=codes,
    )


def _coded(photo: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", photo, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1], cv2.IMREAD_COLOR)


def _noisy(photo: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(_SEED).normal(0, _NOISE, photo.shape)
    return (photo + noise).clip(0, 255).round().astype(np.uint8)


def _enlarged(photo: np.ndarray) -> np.ndarray:
    small = cv2.resize(photo, None, fx=1 / _SMALLER, fy=1 / _SMALLER, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, photo.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _beautified(photo: np.ndarray) -> np.ndarray:
    """What beauty filters do: contrasts of the skin below its edges' are gone."""
    return cv2.bilateralFilter(cv2.bilateralFilter(photo, 0, 40, 9), 0, 40, 9)


def _flashed(photo: np.ndarray) -> np.ndarray:
    """Overexposed and clipped, as by a flash on the camera."""
    return (to_srgb(to_linear(photo / np.float32(255)) * 2**_FLASH_EV).clip(0, 1) * 255).round().astype(np.uint8)


WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    f"JPEG of quality {_QUALITY}": _coded,
    f"noise of {_NOISE:g}/255": _noisy,
    f"enlarged {_SMALLER} times": _enlarged,
    "beauty filter": _beautified,
    f"overexposed by {_FLASH_EV:g} EV": _flashed,
}
"""(H, W, 3) uint8 to (H, W, 3) uint8, sRGB in OpenCV's order, by how tables name it."""
