# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of heads with known skin: what is found of true relief, and what is found where there is none."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.normal_map import normal_map, texel_size_mm
from facedetail_addon.core.detail.space import BOX, TEXEL_MM
from facedetail_addon.core.detail.synthesis import DetailNet, load_detail_net, make_detail
from facedetail_addon.core.detail.types import DetailMaps
from facedetail_addon.settings import Settings
from scripts.benchmark.appearance.measure import brightest
from scripts.benchmark.detail.baselines import dark_is_deep, in_hindsight, linear_shapes
from scripts.benchmark.detail.measure import Amplitude, ReliefErrors, amplitude, band_pass, decoded, relief_errors
from scripts.benchmark.detail.pictures import write_skin
from scripts.benchmark.errors import rms
from scripts.training.skin.folds import random_person
from scripts.training.skin.relief import make_relief
from scripts.training.studio.photos import SIZES, Example, Found, look_at_known, pose_head, take_photo
from scripts.training.studio.studio import SETTINGS, Studio, open_studio

SEED = 5077  # not that of the training set
OURS, DARK, LINEAR, NOTHING = "ours", "dark is deep, best factor", "linear shape from shading, best", "no relief"
METHODS = (OURS, LINEAR, DARK, NOTHING)
EVERYWHERE, BROWS, BEARD, SPOTS = "everywhere", "brows", "where beards grow", "dark spots"
BLANK, BLANK_FLAT, NOISE = "no structure, photo's light", "no structure, even light", "noise of 2 %, photo's light"
_SURE = 0.7  # of the mask
_LEAST_TEXELS = 20_000  # 8 cm²; photos that show less skin are left out
_SPOT_BAND_MM, _SPOT = (1.0, 4.0), -0.75  # value channel: 15 % darker than around
_NOISE = 0.1  # of the value channel: 2 % of brightness
_BROW_TEXELS = 34  # from the landmarks


@dataclass(frozen=True)
class SkinErrors:
    """One photo of known skin.

    Attributes:
        directed: |l = 1| / (l = 0) of the light's luminance as the pipeline found it.
        resolvable_mm: median over the skin.
        methods: by name. amplitude, true_amplitude: of our relief and of the true one.
    """

    directed: float
    resolvable_mm: float
    methods: dict[str, ReliefErrors]
    amplitude: Amplitude
    true_amplitude: Amplitude


@dataclass(frozen=True)
class FalseRelief:
    """What was found on skin without relief: root mean square in mm by place, and by what the photo was emptied of."""

    places: dict[str, float]
    blank: dict[str, float]


@cache
def load_studio() -> Studio:
    return open_studio()


@cache
def load_net(weights: Path) -> DetailNet:
    return load_detail_net(weights)


def measure_head(
    number: int, heads: int, photos: int, weights: Path, keep: Path | None = None, settings: Settings = SETTINGS
) -> tuple[list[SkinErrors], list[FalseRelief]]:
    """Photograph one head with several skins in several lights, and each of these again without any relief.

    Args:
        number: of the head, of ``heads`` in all; the smallest photos first. photos: how many skins.
        weights: folder of the networks' weights. keep: a folder for pictures. settings: of the product.
    """
    studio, net = load_studio(), load_net(weights)
    rng = np.random.default_rng((SEED, number))
    shot = pose_head(studio, rng, int(np.geomspace(*SIZES, heads)[number]) if heads > 1 else 800)
    found, false, transfer = [], [], None
    for seed in rng.integers(2**32, size=photos):
        skin = np.random.default_rng((int(seed), 0))
        person = replace(random_person(skin, shot.beta), flat=False)
        relief = make_relief(studio.skin, person, skin)
        for height in (relief, np.zeros_like(relief)):
            photo = take_photo(studio, shot, height, np.random.default_rng((int(seed), 1)))
            example = look_at_known(studio, photo, height, shot, transfer, settings)
            if example is None:
                continue
            transfer = example.found.light.transfer
            where = (example.found.inputs.mask * example.valid) > _SURE
            if where.sum() < _LEAST_TEXELS:
                continue
            if height is relief:
                name = f"head_{number}_{len(found)}"
                found.append(skin_errors(example, where, studio, net, keep and keep / name))
            else:
                false.append(false_relief(example, where, studio, net, blank=not false))
    return found, false


def skin_errors(
    example: Example, where: np.ndarray, studio: Studio, net: DetailNet, keep: Path | None = None
) -> SkinErrors:
    """Compare what is found on a photo with the truth, where (H, W) bool; ours beside what it must be better than."""
    inputs, truth = example.found.inputs, example.medium + example.fine
    maps = _detail(example.found, inputs, studio, net)
    ours = _box(maps.medium) + _box(maps.fine)
    reliefs = {
        OURS: ours,
        LINEAR: in_hindsight(linear_shapes(inputs), truth, where),
        DARK: in_hindsight([dark_is_deep(inputs)], truth, where),
        NOTHING: np.zeros_like(truth),
    }
    texel_mm = _box(texel_size_mm(studio.model, studio.models.atlas, example.found.head.vertices_neutral))

    def normals_of(height: np.ndarray) -> np.ndarray:
        return decoded(normal_map(height, texel_mm, studio.covered))

    if keep is not None:
        write_skin(keep, inputs.value, truth, reliefs[OURS], reliefs[LINEAR], where)
    light = example.found.light.estimate.radiance
    return SkinErrors(
        directed=float(np.linalg.norm(brightest(light)) / max(light[0] @ LUMINANCE, 1e-6)),
        resolvable_mm=median_resolvable_mm(example.found.inputs),
        methods={name: relief_errors(relief, truth, where, normals_of) for name, relief in reliefs.items()},
        amplitude=amplitude(ours, where),
        true_amplitude=amplitude(truth, where),
    )


def false_relief(example: Example, where: np.ndarray, studio: Studio, net: DetailNet, blank: bool) -> FalseRelief:
    """What is found on a photo of flat skin with pigment.

    Args:
        blank: also empty the photo of all structure, which takes as long three times again.
    """
    relief = relief_of(example.found, example.found.inputs, studio, net)
    places = {name: where & place for name, place in flat_places(example.found.inputs, studio).items()}
    emptied = blank_inputs(example.found.inputs, median_resolvable_mm(example.found.inputs)) if blank else {}
    return FalseRelief(
        places={name: rms(relief[place]) for name, place in places.items() if place.any()},
        blank={name: rms(relief_of(example.found, inputs, studio, net)[where]) for name, inputs in emptied.items()},
    )


def flat_places(inputs: DetailInputs, studio: Studio) -> dict[str, np.ndarray]:
    """(H, W) bool by name: where flat skin is likely to be taken for relief."""
    marks, shape = studio.skin.marks, inputs.value.shape
    brows = np.zeros(shape, np.uint8)
    for first in (17, 22):
        line = marks[first : first + 5].astype(np.int32)
        cv2.polylines(brows, [line], False, 1, 2 * _BROW_TEXELS)
    below = np.arange(shape[0])[:, None] > marks[33, 1]
    lips = cv2.fillPoly(np.zeros(shape, np.uint8), [marks[48:60].astype(np.int32)], 1) > 0
    return {
        EVERYWHERE: np.ones(shape, bool),
        BROWS: brows > 0,
        BEARD: below & ~lips,
        SPOTS: band_pass(inputs.value, _SPOT_BAND_MM) < _SPOT,
    }


def blank_inputs(inputs: DetailInputs, resolvable_mm: float) -> dict[str, DetailInputs]:
    """Inputs of the same photo as if the skin were even in colour and form, by name."""
    none = np.zeros_like(inputs.value)
    blank = replace(inputs, value=none, chroma=none, level=np.full_like(none, 0.5))
    noise = cv2.GaussianBlur(
        np.random.default_rng(SEED).normal(size=none.shape).astype(np.float32), (0, 0), resolvable_mm / TEXEL_MM
    )
    return {
        BLANK: blank,
        BLANK_FLAT: replace(blank, light_x=none, light_y=none),
        NOISE: replace(blank, value=noise * np.float32(_NOISE / noise.std())),
    }


def median_resolvable_mm(inputs: DetailInputs) -> float:
    """Of what the photo shows of skin."""
    sure = inputs.mask > _SURE
    return float(np.median(inputs.resolvable_mm[sure])) if sure.any() else float("nan")


def _detail(found: Found, inputs: DetailInputs, studio: Studio, net: DetailNet) -> DetailMaps:
    return make_detail(inputs, net, found.head.vertices_neutral, studio.model, studio.models.atlas)


def relief_of(found: Found, inputs: DetailInputs, studio: Studio, net: DetailNet) -> np.ndarray:
    """(H, W) float32 mm over BOX: what the product makes of inputs."""
    maps = _detail(found, inputs, studio, net)
    return _box(maps.medium) + _box(maps.fine)


def _box(values: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, …) to (H, W, …) over BOX."""
    x0, y0, x1, y1 = BOX
    return values[y0:y1, x0:x1]
