# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief of skin that the photo does not show: turned heads with known relief, half-hidden lined faces.

    FACEDETAIL_DATA=… python -m scripts.benchmark.unseen [--heads 6] [--quick]

Prints, for made-up heads that are turned by 25 to 40°, the angle between true and found normals of the unseen cheek:
without any relief, with mirrored lines, and with pores as well. For portraits, of which each half is hidden in turn:
how mirrored lines compare with those that the photo shows there, and the slopes' energy along the border against that
beside it. And the processor's seconds.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.normal_map import normal_map, texel_size_mm
from facedetail_addon.core.detail.space import BOX, TEXEL_MM
from facedetail_addon.core.detail.synthesis import DetailNet, line_relief, load_detail_net, make_detail
from facedetail_addon.core.detail.unseen import mirrored_lines, unseen_relief
from facedetail_addon.core.image import smoothstep
from facedetail_addon.core.observe.photo import read_photo
from scripts.benchmark.detail.measure import decoded, mean_angle_deg
from scripts.benchmark.errors import rms
from scripts.harness import benchmark, benchmark_arguments, data_folder_if_set, progress, table
from scripts.training.heads.samples import sample_head
from scripts.training.skin.folds import random_person
from scripts.training.skin.relief import make_relief
from scripts.training.studio.camera import see_head
from scripts.training.studio.photos import Shot, look, look_at_known, take_photo
from scripts.training.studio.studio import Studio, open_studio

SEED, SIZE = 6151, 1000
LINED = ("male-47", "male-44", "female-24")
_YAW_DEG = (25.0, 40.0)
_SURE, _UNSEEN, _LINED = 0.7, 0.9, 0.4  # of the mask, of what is unseen, and of places that may have lines
_SEAM_MM, _BESIDE_MM = 3.0, 20.0  # widths
_EDGE_TEXELS = 5.0  # half the width of the border of what is hidden


@dataclass(frozen=True)
class TurnedHead:
    """One head: degrees of its turn; mean angles of normals on unseen skin; cm² of it; processor's seconds."""

    yaw_deg: float
    area_cm2: float
    smooth_deg: float
    lines_deg: float
    whole_deg: float
    seconds: float


@dataclass(frozen=True)
class HiddenHalf:
    """One half of a face.

    Attributes:
        name: of the photo. correlation, ratio: of mirrored lines with the photo's own, and of their RMS.
        seam: mean square of slopes in a band along the border over that beside it. own_seam: of the photo's own lines.
    """

    name: str
    correlation: float
    ratio: float
    seam: float
    own_seam: float


def measure_turned(number: int, studio: Studio, net: DetailNet) -> TurnedHead | None:
    """None where no face is found, or nothing of the unseen cheek can have lines."""
    rng = np.random.default_rng((SEED, number))
    yaw = float(rng.uniform(*_YAW_DEG) * rng.choice([-1, 1]))
    sample = sample_head(rng, studio.model, size=SIZE, yaw_deg=yaw)
    vertices = studio.model.vertices(sample.alpha, sample.beta)
    beta = dict(zip(studio.model.expression_names, sample.beta, strict=True))
    shot = Shot(vertices, sample.camera, see_head(studio, vertices, sample.camera), beta)
    relief = make_relief(studio.skin, replace(random_person(rng, beta), flat=False), rng)
    example = look_at_known(studio, take_photo(studio, shot, relief, rng), relief, shot)
    if example is None:
        return None
    inputs = example.found.inputs
    x0, y0, x1, y1 = BOX
    atlas, neutral = studio.models.atlas, example.found.head.vertices_neutral
    maps = make_detail(inputs, net, neutral, studio.model, atlas)
    whole, pores = (part[y0:y1, x0:x1] for part in (maps.unseen, maps.fine))
    lines = line_relief(inputs, net)
    began = time.process_time()
    unseen_relief(inputs, lines, pores)
    seconds = time.process_time() - began
    share = unseen_share(inputs)
    where = (share > _UNSEEN) & (inputs.lined > _LINED) & studio.covered & (_mirrored(inputs.mask) > _SURE)
    if not where.any():
        return None
    texel_mm = texel_size_mm(studio.model, atlas, neutral)[y0:y1, x0:x1]
    normals = [
        decoded(normal_map(height, texel_mm, studio.covered))[where]
        for height in (np.zeros_like(relief), mirrored_lines(inputs, lines, share), whole, relief)
    ]
    angles = [mean_angle_deg(found, normals[-1]) for found in normals[:-1]]
    return TurnedHead(yaw, float(where.sum()) * TEXEL_MM**2 / 100, *angles, seconds)


def measure_halves(path: Path, studio: Studio, net: DetailNet) -> list[HiddenHalf]:
    """Of a frontal portrait."""
    found = look(studio, read_photo(path))
    return [] if found is None else [_hidden_half(path.stem, found.inputs, net, left) for left in (False, True)]


def _hidden_half(name: str, inputs: DetailInputs, net: DetailNet, left: bool) -> HiddenHalf:
    own = line_relief(inputs, net).height_mm
    column = np.arange(inputs.mask.shape[1]) + 0.5 - inputs.mask.shape[1] / 2
    kept = smoothstep(column if left else -column, -_EDGE_TEXELS, _EDGE_TEXELS).astype(np.float32)[None]
    half = replace(inputs, mask=inputs.mask * kept, unseen=np.maximum(inputs.unseen, inputs.mask * (1 - kept)))
    lines = line_relief(half, net)
    mirrored = mirrored_lines(half, lines, unseen_share(half))
    sure = np.minimum(inputs.mask, _mirrored(inputs.mask)) > _SURE
    where = sure & (inputs.lined > _LINED)
    hidden = where & (kept < 0.01)
    return HiddenHalf(
        name=name,
        correlation=float(np.corrcoef(own[hidden], mirrored[hidden])[0, 1]),
        ratio=rms(mirrored[hidden]) / max(rms(own[hidden]), 1e-9),
        seam=_seam(lines.height_mm + mirrored, where, column),
        own_seam=_seam(own, where, column),
    )


def unseen_share(inputs: DetailInputs) -> np.ndarray:
    """(H, W) 1 where relief of unseen skin may be, as the product takes it."""
    return inputs.unseen * (1 - smoothstep(inputs.mask, 0.0, 0.5))


def _seam(height: np.ndarray, where: np.ndarray, column: np.ndarray) -> float:
    energy = sum(slope**2 for slope in np.gradient(height))
    along, beside = (where & (np.abs(column) < width / 2 / TEXEL_MM) for width in (_SEAM_MM, 2 * _BESIDE_MM))
    return float(energy[along].mean() / max(energy[beside].mean(), 1e-12))


def _mirrored(values: np.ndarray) -> np.ndarray:
    return values[:, ::-1]


def measure(arguments: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Tables, and the figures by name."""
    studio, net, data = open_studio(), load_detail_net(), data_folder_if_set()
    heads: list[TurnedHead] = []
    for number in range(2 if arguments.quick else arguments.heads):
        found = measure_turned(number, studio, net)
        heads += [] if found is None else [found]
        progress(f"head {number + 1}")
    halves: list[HiddenHalf] = []
    for name in (LINED[:1] if arguments.quick else LINED) if data else ():
        halves += measure_halves(data / "synthetic_portraits" / f"{name}.jpg", studio, net)
        progress(name)
    columns = "turned by °", "unseen cm²", "smooth °", "with lines °", "and pores °", "seconds"
    rows = [
        (f"{h.yaw_deg:.0f}", f"{h.area_cm2:.0f}", *(f"{a:.2f}" for a in (h.smooth_deg, h.lines_deg, h.whole_deg)),
         f"{h.seconds:.2f}") for h in heads
    ]  # fmt: skip
    lines = table(columns, rows)
    if halves:
        columns = "half of", "correlation", "RMS ratio", "slopes² at the border over beside", "of the photo's own lines"
        rows = [(h.name, *(f"{value:.2f}" for value in (h.correlation, h.ratio, h.seam, h.own_seam))) for h in halves]
        lines += ["", *table(columns, rows)]
    return lines, {"turned": [vars(h) for h in heads], "hidden": [vars(h) for h in halves]}


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "two heads and one portrait", jobs=False)
    parser.add_argument("--heads", type=int, default=6, help="turned heads (default %(default)s)")
    benchmark(measure, parser)
