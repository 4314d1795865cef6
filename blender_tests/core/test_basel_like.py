# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for a Basel file: it is imported like one, and a head of its own modes is found again from 68 points."""

import numpy as np
import pytest

from blender_tests.core.external_files import quiet
from blender_tests.made_up import fit_one_sparse
from blender_tests.quick.test_sparse_fit import FOCAL, SIZE, distance, view
from facedetail_addon.core.face_model.outline import outline_paths
from facedetail_addon.core.model_import.adapt import adapt
from facedetail_addon.core.model_import.correspondence import correspond
from facedetail_addon.core.model_import.external import ExternalModel
from facedetail_addon.core.model_import.importers.read import read_external_model
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from scripts.benchmark.basel_like import BaselSize, write_basel_like

SMALL = BaselSize(vertices=10000, identities=12, expressions=60, colours=4)


@pytest.fixture(scope="module")
def basel(data_dir, tmp_path_factory) -> ExternalModel:
    path = tmp_path_factory.mktemp("basel") / "small.h5"
    write_basel_like(path, data_dir, SMALL)
    return read_external_model(path, quiet)


def test_it_is_a_mask_with_the_modes_it_declares(basel):
    assert len(basel.mean) == SMALL.vertices
    assert (len(basel.identity_basis), len(basel.expression_basis), len(basel.albedo_basis)) == (12, 60, 4)
    assert basel.expression_signed and np.abs(basel.expression_mean).max() > 0.5
    assert (basel.landmarks68 >= 0).sum() > 8
    deviation = np.linalg.norm(basel.identity_basis.reshape(12, -1), axis=1)
    assert (np.diff(deviation) <= 1e-3).all()
    triangles = basel.skin.triangles()
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    assert np.unique(sides, axis=0, return_counts=True)[1].max() == 2


def test_its_heads_are_found_again(basel, model):
    head = adapt(basel, model, correspond(basel, model, MeshLandmarker.load().find)).model
    native = head.native_expressions
    assert native is not None and head.origin.transferred_expressions
    rng = np.random.default_rng(2)
    camera, outline = view(0.0), outline_paths(head)
    fitted, mean = [], []
    for _ in range(3):
        alpha, beta = rng.normal(0, 1, 12).astype(np.float32), rng.normal(0, 1, 60).astype(np.float32)
        posed = head.vertices(alpha) + native.mean + np.tensordot(beta, native.basis, 1)
        marks = camera.project(head.landmarks68.points(posed).astype(np.float64)).astype(np.float32)
        mesh = np.column_stack([np.resize(marks, (478, 2)), np.zeros(478, np.float32)])
        found = FaceLandmarks(mesh, marks, np.float32([0, 0, 512, 512]), 1.0, 0, 0.0)
        fit = fit_one_sparse(found, SIZE, head, outline=outline, focal_px=FOCAL)
        assert fit.native_beta.shape == (60,) and fit.beta.shape == (len(head.expression_names),)
        fitted.append(distance(head, fit.vertices, posed))
        mean.append(distance(head, head.mean + native.mean, posed))
    assert np.mean(fitted) < 0.6 * np.mean(mean)
