# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the fit is as good for every skin: the same drawn heads in skins of all sexes, ages and tones."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedetail_addon.core.errors import FaceDetailError
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.pipeline import fit, refine
from scripts.benchmark.geometry.dressed import (
    SETTINGS,
    WITHOUT_SHADE,
    DressedHead,
    draw_head,
    load_studio,
    observed,
    product,
)
from scripts.benchmark.geometry.groups import SPLITS, Wearers, wearers
from scripts.benchmark.geometry.measure import MEAN_FACE, OUR_FIT, Tools, skin_to_scan
from scripts.benchmark.geometry.now import SEVEN_OF_68
from scripts.benchmark.likeness.measure import radius
from scripts.benchmark.likeness.outline import outline_gaps
from scripts.harness import progress, table
from scripts.training.landmark_calibration.embedding import visible_skin

YAWS, HEADS, QUICK_HEADS = (0, 25), 8, 1
FIGURES = ("mean mm", "size error %", "outline mm")
COLUMNS = ("head", "skins", "found", *FIGURES)


@dataclass(frozen=True)
class Paired:
    """Errors of N drawn heads, each in a skin of every cell.

    Attributes:
        fit: (N, 2, 3, 3, 3), the groups of each split, then the figures; NaN where the face was not found.
        unrefined: the same without light and shade. mean_face: (N, 2) its mean mm and size error %.
    """

    fit: np.ndarray
    unrefined: np.ndarray
    mean_face: np.ndarray

    def counted(self, figure: int) -> np.ndarray:
        """(N,) bool: the heads that have a figure in every cell."""
        return np.isfinite(self.fit[..., figure]).all(axis=(1, 2, 3))

    def whole(self, figure: int) -> np.ndarray:
        """(M, 2, 3, 3) one figure of the heads that count."""
        return self.fit[self.counted(figure), ..., figure]

    def whole_unrefined(self, figure: int) -> np.ndarray:
        """The same of the heads without light and shade."""
        return self.unrefined[self.counted(figure), ..., figure]

    def whole_mean_face(self) -> np.ndarray:
        """(M, 2) of the heads that count; they have a size where they have a mean distance."""
        return self.mean_face[self.counted(0)]


@dataclass(frozen=True)
class Gap:
    """Between the groups of a split, in shares of the mean error.

    Attributes:
        share: (worst − best) / mean. sigma: of it, by how much worst − best differs between heads.
        worst, best: the groups' numbers.
    """

    share: float
    sigma: float
    worst: int
    best: int


def measure_fairness(tools: Tools, data: Path, heads: int) -> tuple[list[str], dict[str, object]]:
    """Draw, fit and compare; lines and figures.

    Args:
        data: the folder of test data. heads: shapes per view.

    Raises:
        FaceDetailError: there are none. AssetError: no skins have been painted, or none of some group.
    """
    if heads < 1:
        raise FaceDetailError("There are no heads to compare skins on.", f"Ask for some, such as --heads {HEADS}.")
    builtin = tools.builtin.model
    studio, models = load_studio(tools.reference, builtin, data), product(tools.builtin)
    worn = wearers(studio.skins, builtin, data)
    fits, mean_face = [], []
    for yaw in YAWS:
        for number in range(heads):
            cells = np.full((2, *(len(groups) for groups in SPLITS.values()), len(FIGURES)), np.nan)
            for cell in worn.cells:
                head = draw_head(studio, yaw, number, worn.skin(cell, number))
                cells[(slice(None), *cell)] = _errors(tools, models, head)
            fits.append(cells)
            mean_face.append(_shape_errors(tools, head, builtin.mean))
            progress(f"fairness, yaw {yaw}°: {number + 1} of {heads} heads")
    return report(Paired(*np.swapaxes(fits, 0, 1), np.array(mean_face)), worn)


def _errors(tools: Tools, models: Models, head: DressedHead) -> np.ndarray:
    """(2, 3) the figures of one picture, and those without light and shade."""
    observation = observed(head, models, tools.reference)
    if observation is None:
        return np.full((2, len(FIGURES)), np.nan)
    found = fit((observation,), models, SETTINGS)
    refined = refine((observation,), found, models, SETTINGS)
    return np.array([_head_errors(tools, head, one, observation) for one in (refined, found)])


def _head_errors(tools: Tools, head: DressedHead, fitted: HeadFit, observation: Observation) -> tuple[float, ...]:
    pose, masks = fitted.pose, observation.masks
    gaps = np.abs(outline_gaps(tools.builtin.model, pose.vertices, pose.perspective, masks).mm)
    return *_shape_errors(tools, head, fitted.vertices_neutral), float(gaps.mean()) if len(gaps) else np.nan


def _shape_errors(tools: Tools, head: DressedHead, vertices: np.ndarray) -> tuple[float, float]:
    """Mean mm and size error in % of a neutral head, (V, 3) mm, of the built-in model."""
    model, marks = tools.builtin.model, tools.reference.landmarks68.points(head.neutral)
    scan = head.neutral[np.unique(visible_skin(tools.reference))], marks[list(SEVEN_OF_68)]
    size = np.log(radius(model.landmarks68.points(vertices)) / radius(marks))
    return float(skin_to_scan(scan, model, vertices).mean()), float(100 * np.abs(size))


def report(paired: Paired, worn: Wearers) -> tuple[list[str], dict[str, object]]:
    """A row for each group, and the gaps between them."""
    heads, found = len(paired.fit), np.isfinite(paired.fit[..., 0])
    whole = [paired.whole(figure) for figure in range(len(FIGURES))]
    rows = [
        (MEAN_FACE, "", "", *_means(paired.whole_mean_face().T), None),
        (f"{OUR_FIT}, all", sum(map(len, worn.cells.values())), _of(found), *_cells(whole, ())),
        (f"{WITHOUT_SHADE}, all", "", "", *_means([paired.whole_unrefined(figure) for figure in range(len(FIGURES))])),
    ]
    gap_rows, figures = [], {"shapes": heads, "tones_deg": worn.tones_deg.round(1).tolist(), "groups": {}, "gaps": {}}
    for split, (name, groups) in enumerate(SPLITS.items()):
        for number, group in enumerate(groups):
            means = _cells(whole, (split, number))
            rows.append(
                (f"{name}: {group}", worn.people(split, number), _of(np.take(found, number, split + 1)), *means)
            )
            figures["groups"][f"{name}: {group}"] = dict(zip(FIGURES, means, strict=True))
        gaps = [gap(values, split) for values in whole]
        gap_rows.append((name, *(_told(one, groups) for one in gaps)))
        figures["gaps"][name] = {
            figure: {"share": round(one.share, 4), "sigma": round(one.sigma, 4)} if one else None
            for figure, one in zip(FIGURES, gaps, strict=True)
        }
    told = [one for one in (_largest(figures["gaps"], figure) for figure in FIGURES) if one]
    counted = ", ".join(f"{len(values)} of {heads} ({name})" for name, values in zip(FIGURES, whole, strict=True))
    lines = [
        *table(COLUMNS, rows), "", *table(("gap: (worst − best) / mean, ± σ", *FIGURES), gap_rows), "",
        f"Largest gap: {'; '.join(told) or 'too few heads to tell'}.",
        f"Heads that count, because they were found in every skin: {counted}. Skin by typology angle: dark below "
        f"{worn.tones_deg[0]:.0f}°, light above {worn.tones_deg[1]:.0f}°.",
    ]  # fmt: skip
    return lines, figures


def gap(values: np.ndarray, split: int) -> Gap | None:
    """Between the groups of a split, from (M, 2, 3, 3) errors without NaN; None where M is below 2."""
    if len(values) < 2:
        return None
    others = tuple(axis for axis in range(1, values.ndim) if axis != split + 1)
    by_head = values.mean(axis=others)
    means = by_head.mean(0)
    worst, best = int(means.argmax()), int(means.argmin())
    differences = by_head[:, worst] - by_head[:, best]
    sigma = float(differences.std(ddof=1) / np.sqrt(len(values)))
    return Gap(float(differences.mean() / means.mean()), float(sigma / means.mean()), worst, best)


def _cells(whole: list[np.ndarray], group: tuple[int, ...]) -> list[float | None]:
    """Mean of each figure over a group, ``(split, number)``, or over all for ``()``."""
    return _means([np.take(values, group[1], group[0] + 1) if group else values for values in whole])


def _means(figures: Iterable[np.ndarray]) -> list[float | None]:
    return [round(float(values.mean()), 3) if values.size else None for values in figures]


def _of(found: np.ndarray) -> str:
    return f"{int(found.sum())} of {found.size}"


def _told(one: Gap | None, groups: tuple[str, ...]) -> str | None:
    if one is None:
        return None
    return f"{100 * one.share:.1f} ± {100 * one.sigma:.1f} % ({groups[one.worst]} worst, {groups[one.best]} best)"


def _largest(gaps: dict[str, dict], figure: str) -> str | None:
    shares = {name: found[figure]["share"] for name, found in gaps.items() if found[figure]}
    if not shares:
        return None
    name = max(shares, key=shares.get)
    return f"{100 * shares[name]:.1f} % of the {figure} (by {name})"
