# SPDX-License-Identifier: GPL-3.0-or-later
"""ARKit's 52 names, whole expressions, the tongue, and mouths that stay shut."""

import numpy as np
import pytest

from facedetail_addon.core.face_model.arkit import ARKIT_NAMES, added_names, seals, slider_offsets
from facedetail_addon.core.face_model.lips import lip_edges
from facedetail_addon.core.face_model.tongue import tongue_out, tongue_vertices


@pytest.fixture(scope="module")
def sliders(model) -> dict[str, np.ndarray]:
    """(V, 3) mm by the names of sliders."""
    parts = [dict(slider_offsets(model, part)) for part in model.parts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_all_of_apples_names_are_there_and_each_once(model, sliders):
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52
    assert set(ARKIT_NAMES) <= set(sliders)
    assert set(sliders) - set(ARKIT_NAMES) == {
        "browInnerUpLeft", "browInnerUpRight", "cheekPuffLeft", "cheekPuffRight"
    }  # fmt: skip
    assert added_names(model) == ("browInnerUp", "cheekPuff", "tongueOut")


def test_whole_expressions_are_both_sides_together(sliders):
    for name in ("browInnerUp", "cheekPuff"):
        np.testing.assert_allclose(sliders[name], sliders[f"{name}Left"] + sliders[f"{name}Right"], atol=1e-5)
        assert np.abs(sliders[name]).max() > 5


@pytest.mark.parametrize("names", [("mouthRollUpper",), ("mouthRollLower",), ("mouthRollUpper", "mouthRollLower")])
def test_a_rolled_mouth_leaves_no_slit_from_corner_to_corner(model, sliders, names):
    place, upper, lower = lip_edges(model)
    assert place.min() <= 0.1 and place.max() >= 0.9
    shape = model.mean + sum(sliders[name] for name in names)
    open_before = model.mean + sum(model.expression_basis[model.expression_names.index(name)] for name in names)
    gap, before = ((upper.points(one) - lower.points(one))[:, 1] for one in (shape, open_before))
    assert before.max() > 0.9 and gap.max() < 0


def test_puffed_cheeks_open_no_mouth(model, sliders):
    _, upper, lower = lip_edges(model)
    rest = (upper.points(model.mean) - lower.points(model.mean))[:, 1]
    gap = [(upper.points(one) - lower.points(one))[:, 1] for one in (model.mean + sliders["cheekPuff"],)][0]
    assert (gap - rest).max() < 0.05, "no column is further open than at rest"
    assert np.abs(sliders["cheekPuff"]).max() > 10, "and cheeks puff"


def test_what_shuts_the_mouth_moves_lips_alone(model):
    for name, offset in seals(model).items():
        moved = np.abs(offset).max(axis=1) > 0.1
        assert moved.any() and not moved[model.skin.stop :].any(), name
        assert np.abs(model.mean[moved] - (0, -35, 105)).max() < 40, name
        assert (offset[:, [0, 2]] == 0).all(), name


def test_the_tongue_alone_comes_out_between_the_lips(model):
    gums = next(part for part in model.parts if part.name == "gums")
    offset = tongue_out(model)
    moved = np.abs(offset).max(axis=1) > 0
    assert not moved[: gums.start].any() and not moved[gums.stop :].any()
    tongue = tongue_vertices(model, gums)
    assert 200 < tongue.sum() < 600 and set(np.flatnonzero(gums.of(moved[:, None])[:, 0])) <= set(
        np.flatnonzero(tongue)
    )
    jaw = 0.5 * model.expression_basis[model.expression_names.index("jawOpen")]
    shape = model.mean + jaw + offset
    lips = model.landmarks68.points(model.mean + jaw)[[62, 66]]
    tip = gums.of(shape)[gums.of(shape)[:, 2].argmax()]
    assert tip[2] > lips[:, 2].max() + 5, "in front of both lips"
    edges = gums.faces[np.isin(gums.faces, np.flatnonzero(tongue)).any(axis=1)]
    long = [
        np.linalg.norm(gums.of(one)[edges[:, 0]] - gums.of(one)[edges[:, 1]], axis=1) for one in (shape, model.mean)
    ]
    assert (long[0] / long[1]).max() < 8, "it is stretched, not torn"


def test_a_model_without_such_a_tongue_or_with_whole_expressions_gets_no_more(model):
    from dataclasses import replace

    names = tuple({"browInnerUpLeft": "browInnerUp"}.get(name, name) for name in model.expression_names)
    assert "browInnerUp" not in added_names(replace(model, expression_names=names))
    parts = tuple(part for part in model.parts if part.name != "gums")
    assert tongue_out(replace(model, parts=parts)) is None
