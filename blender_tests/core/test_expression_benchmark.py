# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression benchmark's rulers: regions, ambiguous pairs, errors whose size is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facedetail_addon.core.fit.types import HeadFit, PoseFit
from facedetail_addon.core.geometry.camera import AffineCamera
from facedetail_addon.core.observe.expression.types import ExpressionPrior
from facedetail_addon.settings import LANDMARKS, PRIOR, PRIOR_AND_LANDMARKS
from scripts.benchmark.expression.measure import (
    NEUTRAL,
    PARTNER,
    WHOLE_FACE,
    Errors,
    PairErrors,
    Seen,
    fit_sources,
    head_errors,
    load_tools,
    load_truth,
    measure_head,
    measure_pair,
    settings_of,
)
from scripts.benchmark.expression.photos import agreement
from scripts.benchmark.expression.report import AREAS, report_heads, report_pairs
from scripts.benchmark.expression.sets import (
    AMBIGUOUS,
    DIFFERENCE_MM,
    LANDMARK_LIMIT_MM,
    REGIONS,
    ambiguous_pair,
    face_regions,
    held_out_head,
)
from scripts.training.heads.picture import render_head

SETTINGS = settings_of((LANDMARKS,))
PLACE = {area: place for place, area in enumerate(AREAS)}


@pytest.fixture(scope="module")
def truth(data_dir):
    return load_truth(data_dir)


@pytest.fixture(scope="module")
def tools():
    return load_tools((LANDMARKS,))


@pytest.fixture(scope="module")
def regions(model):
    return face_regions(model)


def test_regions_are_disjoint_and_alike_left_and_right(model, regions):
    assert tuple(regions) == REGIONS
    assert np.sum(list(regions.values()), axis=0).max() == 1
    across = model.mean[: model.skin.stop, 0]
    for mask in regions.values():
        left, right = (mask & (across > 0.5)).sum(), (mask & (across < -0.5)).sum()
        assert min(left, right) > 80
        assert abs(int(left) - int(right)) <= 0.02 * (left + right)


def test_regions_hold_the_landmarks_of_their_name(model, regions):
    nearest = model.landmarks68.vertices[np.arange(68), model.landmarks68.weights.argmax(1)]
    for name, rows in {
        "forehead and brows": range(17, 27), "nose": (28, 29, 30, 33), "eyes and lids": range(36, 48),
        "mouth": range(48, 60), "chin and jaw": (7, 8, 9), "cheeks": (2, 14),
    }.items():  # fmt: skip
        assert regions[name][nearest[list(rows)]].all(), name


@pytest.mark.parametrize(
    "expression, name",
    [
        ("browDown", "forehead and brows"), ("eyeBlink", "eyes and lids"), ("eyeSquint", "eye bags"),
        ("cheekSquint", "cheeks"), ("noseSneer", "nasolabial folds"), ("mouthDimple", "mouth"),
    ],
)  # fmt: skip
def test_an_expression_moves_its_region_most(model, regions, expression, name):
    modes = [model.expression_names.index(expression + side) for side in ("Left", "Right")]
    motion = np.linalg.norm(model.expression_basis[modes].sum(0), axis=1)[: model.skin.stop]
    means = {region: motion[mask].mean() for region, mask in regions.items()}
    assert max(means, key=means.get) == name


def test_fields_of_the_reference_arrive_on_the_built_in_head(model, truth, regions):
    face = np.any(list(regions.values()), axis=0)
    skin = truth.reference.skin.stop
    carried = truth.places.points(truth.reference.expression_basis[:, :skin])[:, face]
    own = model.skin.of(model.expression_basis)[:, face]
    assert np.linalg.norm(carried - own, axis=-1).mean() < 0.01 < 0.5 < np.linalg.norm(own, axis=-1).mean()


@pytest.mark.parametrize("number", range(5))
def test_pairs_hardly_differ_in_landmarks_but_in_cheeks_and_folds(model, truth, regions, number):
    pair = ambiguous_pair(number, truth.reference, truth.places, truth.regions)
    names, reference = np.array(truth.reference.expression_names), truth.reference
    betas = np.array([pair.sample.beta, pair.other_beta])
    assert betas.min() >= 0
    assert betas.max() <= 1
    gaze = np.char.startswith(names, "eyeLook")
    assert (betas[0, gaze] == betas[1, gaze]).all()
    first, second = (reference.vertices(pair.sample.alpha, beta).astype(np.float64) for beta in betas)
    rotation = pair.sample.camera.rotation
    marks = (reference.landmarks68.points(second) - reference.landmarks68.points(first)) @ rotation[:2].T
    apart = np.sqrt((marks**2).sum(1).mean())
    assert apart == pytest.approx(pair.landmark_rms_mm, abs=2e-3)
    assert apart <= LANDMARK_LIMIT_MM + 2e-3
    moved = np.linalg.norm(truth.places.points((second - first)[: reference.skin.stop]), axis=1)
    difference = moved[np.any([regions[name] for name in AMBIGUOUS], axis=0)].mean()
    assert difference == pytest.approx(pair.difference_mm, abs=2e-3)
    assert difference >= DIFFERENCE_MM - 2e-3
    again = ambiguous_pair(number, truth.reference, truth.places, truth.regions)
    assert (again.other_beta == pair.other_beta).all()


def test_held_out_heads_have_expressions_and_look_ahead(truth):
    heads = [held_out_head(number, truth.reference) for number in range(30)]
    assert max(abs(head.yaw_deg) for head in heads) <= 20
    assert np.mean([head.beta.any() for head in heads]) > 0.9


def test_a_perfect_fit_has_no_error_wherever_it_lies(model, regions):
    areas = {**regions, WHOLE_FACE: np.any(list(regions.values()), axis=0)}
    beta = np.zeros(len(model.expression_names), np.float32)
    beta[[model.expression_names.index(name) for name in ("jawOpen", "mouthSmileLeft", "cheekPuffRight")]] = 0.6
    neutral, posed = model.vertices(), model.vertices(beta=beta)
    camera = AffineCamera(np.eye(2, 4))
    marks = model.landmarks68.points(posed)
    fit = HeadFit(np.zeros(0), neutral, (PoseFit(beta, camera, None, posed, marks, 0.0),))
    skin = model.skin.stop
    expression, aligned = head_errors({LANDMARKS: fit}, neutral[:skin], posed[:skin], areas)
    assert expression[0] == pytest.approx(0, abs=1e-4)
    assert aligned[0] == pytest.approx(0, abs=1e-4)
    motion = np.linalg.norm((posed - neutral)[:skin], axis=1)
    assert expression[1] == pytest.approx([motion[mask].mean() for mask in areas.values()], abs=1e-4)

    turn = Rotation.random(random_state=4).as_matrix().astype(np.float32)
    moved = replace(fit.pose, vertices=1.1 * posed @ turn.T + 30)
    elsewhere = replace(fit, vertices_neutral=neutral @ turn.T, poses=(moved,))
    _, aligned = head_errors({LANDMARKS: elsewhere}, neutral[:skin], posed[:skin], areas)
    assert aligned[0] == pytest.approx(0, abs=1e-3)


def test_the_neutral_face_errs_by_the_true_motion_and_landmarks_err_less(truth, data_dir):
    found = [measure_head(number, (LANDMARKS,), data_dir) for number in range(2)]
    lines = []
    figures = report_heads(found, SETTINGS, lines)
    reference, motions = truth.reference, []
    for number in range(2):
        beta = held_out_head(number, reference).beta
        field = np.tensordot(beta, reference.skin.of(reference.expression_basis), 1)
        motions.append(np.linalg.norm(truth.places.points(field), axis=1))
    for name in REGIONS:
        expected = np.mean([motion[truth.regions[name]].mean() for motion in motions])
        assert figures["expression"][NEUTRAL][name] == pytest.approx(expected, abs=2e-3)
    assert figures["expression"][LANDMARKS]["mouth"] < figures["expression"][NEUTRAL]["mouth"]
    assert figures["posed"][LANDMARKS][WHOLE_FACE] < 4
    assert sum(line.startswith("| cheeks |") for line in lines) == 2


def test_a_pair_is_measured_as_its_members_and_their_difference(truth, data_dir):
    found = measure_pair(0, (LANDMARKS,), data_dir)
    pair = ambiguous_pair(0, truth.reference, truth.places, truth.regions)
    assert found.difference[1, PLACE["bags, cheeks, folds"]] == pytest.approx(pair.difference_mm, abs=2e-3)
    assert len(found.members) == 2
    assert not np.allclose(found.members[0].expression[1], found.members[1].expression[1])
    figures = report_pairs([found], SETTINGS, [])
    assert figures["difference"][NEUTRAL]["bags, cheeks, folds"] == pytest.approx(pair.difference_mm, abs=2e-3)
    # Landmarks that hardly differ are found where they hardly differ: same skin, same light.
    assert figures["found_landmark_mm"] < 1.5


def test_the_true_expression_as_reading_beats_its_partners(truth, tools):
    tools = replace(tools, sources=(LANDMARKS, PRIOR_AND_LANDMARKS, PRIOR))
    pair = ambiguous_pair(1, truth.reference, truth.places, truth.regions)
    head = truth.reference.vertices(pair.sample.alpha, pair.sample.beta)
    picture, _ = render_head(truth.painter, head, pair.sample.camera, np.random.default_rng(6))
    (landmarks,) = tools.landmarker.find(picture)
    sure = 1e4 * np.eye(len(pair.other_beta))
    own, partner = (
        Seen(picture, landmarks, ExpressionPrior(beta, sure, 1.0), None) for beta in (pair.sample.beta, pair.other_beta)
    )
    fits = fit_sources(tools, own, partner)
    settings = settings_of(tools.sources, pairs=True)
    assert (*fits, NEUTRAL) == settings
    skin = truth.reference.skin.stop
    neutral, posed = (
        truth.places.points(vertices[:skin]) for vertices in (truth.reference.vertices(pair.sample.alpha), head)
    )
    expression, _ = head_errors(fits, neutral, posed, truth.areas)
    error = dict(zip(settings, expression[:, PLACE["bags, cheeks, folds"]], strict=True))
    assert error[PRIOR] < 0.1
    assert error[PRIOR_AND_LANDMARKS] < 0.2 < error[LANDMARKS]
    assert error[PARTNER] == pytest.approx(pair.difference_mm, abs=0.2)
    gain = report_pairs([_pair_errors(expression)] * 2, settings, [])["expression"][f"gain over {LANDMARKS}"]
    expected = 1 - error[PRIOR_AND_LANDMARKS] / error[LANDMARKS]
    assert gain["bags, cheeks, folds"] == pytest.approx(expected, abs=2e-3)


def _pair_errors(values: np.ndarray) -> PairErrors:
    errors = Errors(values, values, None)
    return PairErrors((errors, errors), values, 0.5, 2.0, 0.4)


def test_emotions_agree_wholly_partly_or_not_at_all():
    one, other = np.eye(7)[[3, 3]], np.eye(7)[[3, 4]]
    assert agreement(one, one) == {"top1": 1.0, "probability": 1.0, "divergence": 0.0}
    assert agreement(one, other) == {"top1": 0.5, "probability": 0.5, "divergence": 0.5}
