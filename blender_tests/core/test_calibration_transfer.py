# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in head's landmark calibration on other models: on itself in disguise, and on a mask."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from blender_tests.made_up import fit_one
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.calibration import (
    LandmarkCalibration,
    load_calibration,
    pose_terms,
    save_calibration,
)
from facedetail_addon.core.face_model.normalise import similarity
from facedetail_addon.core.model_import.adapt import AdaptedModel, adapt
from facedetail_addon.core.model_import.calibration_transfer import transfer_calibration
from facedetail_addon.core.model_import.correspondence import correspond
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from scripts.benchmark.correspondence.known_heads import mask

MODES = 30
SIZE = 1.2
SEED = 3


@pytest.fixture(scope="module")
def calibration() -> LandmarkCalibration:
    return load_calibration()


@pytest.fixture(scope="module")
def known(model):
    """A mask, and which built-in vertices its own are."""
    head = mask(model, SEED)
    return head, cKDTree(model.skin.of(model.mean)).query(head.place)[1]


@pytest.fixture(scope="module")
def adapted(model, known) -> AdaptedModel:
    """The mask, larger, with the first built-in modes of identity in reverse order."""
    head, of = known
    external = replace(
        head.model,
        mean=SIZE * head.model.mean,
        identity_basis=SIZE * model.identity_basis[MODES - 1 :: -1, of],
        expression_mean=np.zeros_like(head.model.mean),
    )
    return adapt(external, model, correspond(external, model, None))


@pytest.fixture(scope="module")
def transferred(calibration, model, adapted) -> LandmarkCalibration:
    return transfer_calibration(calibration, model, adapted)


def seen(calibration: LandmarkCalibration, alpha: np.ndarray, beta: np.ndarray) -> FaceLandmarks:
    """Frontal landmarks that the calibration says such a head has, 2 px per mm."""
    shape = calibration.pose_response @ pose_terms(0, 0)
    shape += calibration.alpha_response[:, : len(alpha)] @ alpha + calibration.beta_response @ beta
    points = calibration.mean + (calibration.directions @ shape).reshape(-1, 3)
    mesh = (2 * points * [1, -1, -1] + [256, 256, 0]).astype(np.float32)
    box = np.append(mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0))
    return FaceLandmarks(mesh_px=mesh, sparse_px=mesh[:68, :2], box_px=box, score=1.0, rotation=0, yaw_deg=0.0)


def apart_mm(points: np.ndarray, true: np.ndarray) -> float:
    """Mean distance after a similarity, which landmarks of one photo cannot tell."""
    scale, rotation, translation = similarity(points.astype(np.float64), true.astype(np.float64))
    return float(np.linalg.norm(scale * points @ rotation.T + translation - true, axis=1).mean())


def test_it_belongs_to_the_model_and_to_no_other(transferred, adapted, model, calibration, tmp_path):
    transferred.require_model(adapted.model)
    with pytest.raises(AssetError, match="another face model"):
        transferred.require_model(model)
    with pytest.raises(AssetError, match="another face model"):
        transfer_calibration(transferred, model, adapted)
    save_calibration(tmp_path / "c.npz", transferred)
    back = load_calibration(tmp_path / "c.npz")
    back.require_model(adapted.model)
    assert np.array_equal(back.alpha_response, transferred.alpha_response)
    assert np.array_equal(back.mean, transferred.mean)


def test_modes_answer_as_the_same_modes_of_the_built_in_head(transferred, calibration, adapted):
    wanted = adapted.correspondence.scale * calibration.alpha_response[:, MODES - 1 :: -1]
    off = np.linalg.norm(transferred.alpha_response - wanted, axis=0) / np.linalg.norm(wanted, axis=0)
    assert np.median(off) < 0.35
    likeness = np.corrcoef(transferred.alpha_response.ravel(), wanted.ravel())[0, 1]
    assert likeness > 0.95


def test_points_lie_where_the_same_skin_is(transferred, calibration, known, adapted, model):
    """The mean landmarks stay as far from their points as measured; the rest is another size and place."""
    points = transferred.embedding.points(adapted.model.mean)
    measured = calibration.mean - calibration.embedding.points(model.mean)
    frame = transferred.mean - points
    inside = np.linalg.norm(transferred.offset / adapted.correspondence.scale - calibration.offset, axis=1) < 0.5
    assert 0.7 < inside.mean() < 1  # a mask ends before the outline's landmarks
    assert np.linalg.norm(frame - SIZE * measured, axis=1)[inside].mean() < 4
    assert (transferred.sigma[~inside] > SIZE * calibration.sigma[~inside]).mean() > 0.9


def test_expressions_answer_by_name(calibration, model, adapted):
    """In any order; a name that the built-in head lacks answers as its points move."""
    order = np.random.default_rng(0).permutation(len(model.expression_names))[:20]
    names = (*(model.expression_names[i] for i in order), "tongueOut")
    jaw = model.expression_names.index("jawOpen")
    basis = adapted.model.expression_basis[[*order, jaw]]
    other = replace(adapted, model=replace(adapted.model, expression_names=names, expression_basis=basis))
    response = transfer_calibration(calibration, model, other).beta_response
    scale = adapted.correspondence.scale
    assert np.allclose(response[:, :-1], scale * calibration.beta_response[:, order], atol=1e-4)
    likeness = np.corrcoef(response[:, -1], calibration.beta_response[:, jaw])[0, 1]
    assert 0.8 < likeness < 1


def test_a_fit_finds_who_it_is(transferred, adapted):
    rng = np.random.default_rng(1)
    for _ in range(3):
        alpha = rng.normal(0, 1, MODES)
        beta = np.zeros(len(adapted.model.expression_names))
        beta[adapted.model.expression_names.index("jawOpen")] = 0.5
        fit = fit_one(seen(transferred, alpha, beta), (512, 512), adapted.model, transferred)
        skin = adapted.model.skin.stop
        true = adapted.model.vertices(alpha)[:skin]
        assert apart_mm(fit.vertices_neutral[:skin], true) < 0.88 * apart_mm(adapted.model.mean[:skin], true)
        assert fit.beta[adapted.model.expression_names.index("jawOpen")] > 0.3
        assert fit.residual_px < 8
