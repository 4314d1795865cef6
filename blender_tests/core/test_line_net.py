# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped line network on a drawn head without relief, to which lines of form, paint and hair are added."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedetail_addon.core.detail.inputs import CHROMA_UNIT, DetailInputs
from facedetail_addon.core.detail.line_net import (
    CHANNELS,
    LineNet,
    boldness,
    form_likelihood,
    load_line_net,
    net_channels,
)
from facedetail_addon.core.detail.line_view import STEP, look_for_lines, relief_light
from facedetail_addon.core.detail.relief_shading import log_occlusion, slopes
from facedetail_addon.core.detail.shape_from_shading import carve_lines
from facedetail_addon.core.detail.space import TEXEL_MM, VALUE_UNIT
from facedetail_addon.core.image import smoothstep
from facedetail_addon.settings import DRAFT
from scripts.training.skin.space import landmark_texels
from scripts.training.studio.photos import look_at_known, pose_head, take_photo
from scripts.training.studio.studio import SETTINGS as STUDIO_SETTINGS
from scripts.training.studio.studio import open_studio

_PER_MM = 1 / TEXEL_MM
SETTINGS = replace(STUDIO_SETTINGS, quality=DRAFT)


@pytest.fixture(scope="module")
def net() -> LineNet:
    return load_line_net()


@pytest.fixture(scope="module")
def flat() -> tuple[DetailInputs, np.ndarray]:
    """What the product sees of a head without relief, and its (68, 2) landmarks in texels of BOX."""
    studio = open_studio()
    rng = np.random.default_rng(21)
    shot = pose_head(studio, rng, 900)
    nothing = np.zeros(studio.covered.shape, np.float32)
    found = look_at_known(studio, take_photo(studio, shot, nothing, rng), nothing, shot, settings=SETTINGS)
    assert found is not None
    return found.found.inputs, landmark_texels(studio.model)


def stroke(shape: tuple[int, int], curves: list[np.ndarray], sigma_mm: float) -> np.ndarray:
    """(H, W) float32, 1 along curves of (N, 2) texels, with a Gaussian profile."""
    canvas = np.ones(shape, np.uint8)
    for curve in curves:
        cv2.polylines(canvas, [np.round(curve).astype(np.int32)], False, 0, 1)
    away = cv2.distanceTransform(canvas, cv2.DIST_L2, 5) * TEXEL_MM
    return np.exp(-0.5 * (away / sigma_mm) ** 2).astype(np.float32)


def wrinkles(marks: np.ndarray) -> list[np.ndarray]:
    """Three across the forehead."""
    left, right = marks[19], marks[24]
    turn = np.linspace(0, 1, 30)[:, None]
    wave = np.column_stack([np.zeros(30), 2 * _PER_MM * np.sin(turn[:, 0] * np.pi * 2)])
    return [left + (right - left) * turn + wave - [0, up * _PER_MM] for up in (15.0, 21.0, 27.0)]


def rims(marks: np.ndarray) -> list[np.ndarray]:
    """The lower halves of round frames, over cheeks and eye bags."""
    turn = np.linspace(0.05, np.pi - 0.05, 60)
    half = np.column_stack([np.cos(turn) * 24, np.sin(turn) * 21]) * _PER_MM
    return [marks[list(eye)].mean(axis=0) + half for eye in (range(36, 42), range(42, 48))]


def strands(marks: np.ndarray) -> list[np.ndarray]:
    """Hairs that hang steeply into the forehead."""
    rng, top = np.random.default_rng(5), (marks[19] + marks[24]) / 2 - [0, 34 * _PER_MM]
    along = np.linspace(0, 1, 20)[:, None]
    return [
        top + [x * _PER_MM, 0.0] + along * [(4 + rng.normal()) * _PER_MM, 22 * _PER_MM]
        for x in (-14, -11, -9, 6, 8, 11)
    ]


def judged(inputs: DetailInputs, where: np.ndarray, net: LineNet) -> tuple[float, float]:
    """Mean likelihood of the ridge filter and of the network in the middle of (H, W) strokes, where skin is sure."""
    view = look_for_lines(inputs)
    middle = (cv2.resize(where, None, fx=1 / STEP, fy=1 / STEP, interpolation=cv2.INTER_AREA) > 0.7) & (view.mask > 0.9)
    assert middle.sum() > 100
    return float(view.lines.likelihood[middle].mean()), float(form_likelihood(view, net)[middle].mean())


def darker(inputs: DetailInputs, log_luminance: np.ndarray, hue: np.ndarray | float = 0.0) -> DetailInputs:
    return replace(
        inputs,
        value=(inputs.value + log_luminance / VALUE_UNIT).astype(np.float32),
        chroma=(inputs.chroma + hue / CHROMA_UNIT).astype(np.float32),
    )


def test_wrinkles_are_form_and_frames_and_hair_are_not(flat, net):
    """Lines that are alike to the ridge filter, one by one on the same skin."""
    inputs, marks = flat
    shape = inputs.mask.shape
    wrinkled = stroke(shape, wrinkles(marks), 0.6)
    height = -1.0 * wrinkled
    light = relief_light(inputs).log_shading(*slopes(height, TEXEL_MM))[0] + log_occlusion(height, TEXEL_MM)
    framed, hair = stroke(shape, rims(marks), 0.6), stroke(shape, strands(marks), 0.35)
    found = [
        judged(darker(inputs, dark, hue), where, net)
        for dark, hue, where in (
            (light, -0.15 * light, wrinkled),
            (-0.5 * framed, 0.02 * framed, framed),
            (-0.5 * hair, 0.02 * hair, hair),
        )
    ]
    assert min(ridge for ridge, _ in found) > 0.5, "the ridge filter takes all for lines"
    form, frames, strand = (likely for _, likely in found)
    assert form > 1.3 * frames and form > 2.5 * strand
    assert frames < 0.2 and strand < 0.1


def test_what_is_hidden_has_no_form_and_twice_is_the_same(flat, net):
    inputs, _ = flat
    view = look_for_lines(replace(inputs, mask=np.zeros_like(inputs.mask)))
    assert net_channels(view).shape == (CHANNELS, *view.mask.shape)
    first, second = (form_likelihood(view, net) for _ in range(2))
    assert first.dtype == np.float32 and first.max() < 0.02
    np.testing.assert_array_equal(first, second)


def test_maps_of_any_size_are_judged(flat, net):
    inputs, _ = flat
    cut = {name: np.ascontiguousarray(part[100:330, 200:514]) for name, part in vars(inputs).items()}
    view = look_for_lines(DetailInputs(**cut))
    found = form_likelihood(view, net)
    assert found.shape == view.mask.shape and np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1


def test_the_more_of_a_faces_ridges_are_form_the_bolder(flat):
    """What the network says of all ridges together decides; of a face without any nothing is known."""
    inputs, marks = flat
    lined = look_for_lines(darker(inputs, -0.5 * stroke(inputs.mask.shape, wrinkles(marks), 0.6)))
    powers = [boldness(np.full_like(lined.mask, form), lined) for form in (0.2, 0.5, 0.6, 0.9)]
    assert powers == sorted(powers, reverse=True)
    assert powers[0] > 1.2 and powers[-1] < 0.55
    nothing = look_for_lines(replace(inputs, value=np.zeros_like(inputs.value), shading=np.zeros_like(inputs.value)))
    assert boldness(np.full_like(nothing.mask, 0.9), nothing) > 1


def test_edges_of_shine_are_hardly_carved(flat, net):
    """Blotches of damp skin, up to twice as bright, whiter than it, with borders of half a millimetre."""
    inputs, marks = flat
    rng, shape = np.random.default_rng(8), inputs.mask.shape
    noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 2.5 * _PER_MM)
    patchy = smoothstep(noise / noise.std(), 0.4, 0.9)
    where = stroke(shape, [marks[[19, 24]] - [0, 22 * _PER_MM], marks[[41, 48]], marks[[46, 54]]], 14.0)
    shine = np.log1p(patchy * where)
    shiny = darker(inputs, shine, -0.1 * shine)
    view = look_for_lines(shiny)
    relief, filtered = (
        carve_lines(view, likely).height_mm for likely in (form_likelihood(view, net), view.lines.likelihood)
    )
    sure = inputs.mask > 0.7
    assert relief[sure].std() < 0.04
    assert relief[sure].std() < 0.4 * filtered[sure].std()
