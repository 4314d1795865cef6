# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines run out at their ends, and folds stay grooves: no cliffs and no ropes."""

import numpy as np
import pytest

from blender_tests.quick.test_lines import COLUMNS, OBLIQUE, ROWS, SHAPE, brightness, carved, groove, inputs_of
from facedetail_addon.core.detail.line_ends import tapered
from facedetail_addon.core.detail.line_view import STEP_MM
from facedetail_addon.core.detail.lines import LineField
from facedetail_addon.core.image import smoothstep

HALF = SHAPE[0] // 2, SHAPE[1] // 2
ROW, FIRST, LAST = 60, 40, 120
"""Of a line that runs to the right on texels of STEP_MM: 32 mm."""


def line_of(turn: float) -> tuple[np.ndarray, LineField]:
    """Likelihood of a straight line, and directions that are wrong by ``turn``."""
    likelihood = np.zeros(HALF, np.float32)
    likelihood[ROW - 2 : ROW + 3, FIRST:LAST] = 0.8
    across = np.full(HALF, np.pi + 2 * turn, np.float32)  # twice the angle, from x towards y
    one = np.ones(HALF, np.float32)
    return likelihood, LineField(likelihood, likelihood, 0 * one, np.cos(across), np.sin(across), one)


@pytest.mark.parametrize("turn", [0.0, 0.12, -0.12])
def test_a_line_is_whole_in_the_middle_and_runs_out_at_both_ends(turn):
    share = tapered(*line_of(turn))[ROW]
    assert share[FIRST + 10 : LAST - 10].min() > 0.95
    for ends in (share[FIRST:], share[:LAST][::-1]):
        assert ends[0] < 0.4
        assert (np.diff(ends[:8]) > -1e-6).all() and np.diff(ends[:10]).max() < 0.4 * STEP_MM / 0.4, "no cliff"


def test_where_skin_ends_a_groove_has_run_out():
    """Skin is seen on the left alone: towards its edge the groove gets shallow over millimetres."""
    truth = groove(0.3)
    left = smoothstep(-COLUMNS, -34, -32)
    inputs = inputs_of(brightness(truth, inputs_of(np.zeros(SHAPE), OBLIQUE)), OBLIQUE, mask=left)
    found = carved(inputs).height_mm
    deepest = -found.min(axis=0)
    assert deepest[80:120].mean() > 0.1
    assert deepest[160:].max() < 0.3 * deepest[80:120].mean()
    assert np.abs(np.diff(deepest[100:200])).max() < 0.12 * deepest[80:120].mean(), "mm per texel"


def test_a_fold_is_no_rope():
    """A step that bulges, as a cheek over a smile fold, in light from the other side: more groove than ridge."""
    away = (ROWS - 24) * np.cos(0.2) - (COLUMNS - 32) * np.sin(0.2)
    along = np.clip(1 - (np.abs(COLUMNS - 32) / 24) ** 4, 0, 1)
    step = (0.5 * along * (np.tanh(away / 0.8) - 1.6 * np.exp(-0.5 * (away / 0.7) ** 2))).astype(np.float32)
    inputs = inputs_of(brightness(step, inputs_of(np.zeros(SHAPE), OBLIQUE)), OBLIQUE)
    found = carved(inputs).height_mm
    assert found.min() < -0.15
    assert found.max() < -0.6 * found.min()
