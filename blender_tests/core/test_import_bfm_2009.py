# SPDX-License-Identifier: GPL-3.0-or-later
"""The Basel Face Model of 2009: files in its layout come back as what was written; each defect has its words."""

import numpy as np
import pytest
from scipy.io import savemat

from blender_tests.core.external_files import (
    Skin,
    bfm_2009_variables,
    quiet,
    refusal,
    skin_of,
    volume,
    write_bfm_2009,
    write_expressions_2009,
)
from facedetail_addon.core.model_import.importers.read import read_external_model, source_sha256


@pytest.fixture(scope="module")
def skin(model) -> Skin:
    return skin_of(model)


@pytest.fixture(scope="module")
def variables(skin) -> dict[str, np.ndarray]:
    return bfm_2009_variables(skin)


@pytest.mark.parametrize("compressed", [True, False])
def test_2009_comes_back_as_written(variables, skin, tmp_path, compressed):
    path = write_bfm_2009(tmp_path, variables, compressed)
    found = read_external_model(path, quiet)
    np.testing.assert_allclose(found.mean, skin.mean, atol=1e-4)
    np.testing.assert_allclose(found.identity_basis, skin.identity, atol=1e-4 * np.abs(skin.identity).max())
    np.testing.assert_allclose(found.albedo_mean, skin.albedo_mean, atol=1e-5)
    np.testing.assert_allclose(found.albedo_basis, skin.albedo, atol=1e-5)
    assert found.name == "bfm2009" and found.expression_basis.shape == (0, len(skin.mean), 3)
    assert found.expression_names == () and not found.expression_mean.any() and found.landmarks68 is None
    assert volume(found.mean, found.skin.triangles()) > 0
    assert {frozenset(t) for t in found.skin.triangles().tolist()} == {frozenset(t) for t in skin.triangles.tolist()}
    assert found.source_sha256 == source_sha256(path)


def test_2009_takes_the_expressions_beside_it(variables, skin, tmp_path):
    path = write_bfm_2009(tmp_path, variables)
    alone = source_sha256(path)
    vertices = np.delete(np.arange(len(skin.mean)), np.arange(100, 375))
    write_expressions_2009(tmp_path, skin, vertices)
    found = read_external_model(path, quiet)
    np.testing.assert_allclose(found.neutral, skin.mean[vertices], atol=1e-4)
    np.testing.assert_allclose(found.expression_mean, skin.expression_mean[vertices], atol=1e-4)
    np.testing.assert_allclose(found.expression_basis, skin.expression[:, vertices], atol=1e-3)
    np.testing.assert_allclose(found.identity_basis, skin.identity[:, vertices], atol=1e-3)
    assert found.identity_basis.flags.c_contiguous and found.albedo_basis.flags.c_contiguous
    kept = np.isin(skin.triangles, vertices).all(axis=1)
    corners = vertices[found.skin.triangles()]
    assert {frozenset(t) for t in corners.tolist()} == {frozenset(t) for t in skin.triangles[kept].tolist()}
    assert found.source_sha256 == source_sha256(path) != alone


def spoiled(name: str, spoil) -> callable:
    def apply(variables: dict) -> None:
        variables[name] = spoil(variables[name].copy())

    return apply


def put(at, value) -> callable:
    def apply(array: np.ndarray) -> np.ndarray:
        array[at] = value
        return array

    return apply


MAT_DEFECTS = {
    "no tl": (lambda v: v.pop("tl"), "no variable tl"),
    "no texEV": (lambda v: v.pop("texEV"), "no variable texEV"),
    "rows": (spoiled("shapePC", lambda a: a[:-1]), "not three for every vertex"),
    "short mean": (spoiled("shapeMU", lambda a: a[:-3]), " × 1, expected "),
    "mean as a row": (spoiled("shapeMU", lambda a: a.T), "shapeMU is 1 × "),
    "modes disagree": (spoiled("shapeEV", lambda a: a[:-1]), "shapeEV is 6 × 1, expected 7 × 1"),
    "colours disagree": (spoiled("texPC", lambda a: a[:-3]), " × 6, expected "),
    "tl transposed": (spoiled("tl", lambda a: a.T), "tl is 3 × "),
    "NaN": (spoiled("shapePC", put((4, 2), np.nan)), "shapePC holds values that are not numbers"),
    "NaN in mean": (spoiled("texMU", put(4, np.inf)), "texMU holds values that are not numbers"),
    "negative": (spoiled("shapeEV", put(0, -1)), "shapeEV holds negative values"),
    "index 0": (spoiled("tl", put((0, 0), 0)), "tl names vertices outside"),
    "index too high": (spoiled("tl", put((0, 0), 10**6)), "tl names vertices outside"),
    "fraction": (spoiled("tl", put((0, 0), 1.5)), "tl holds fractions"),
    "complex": (spoiled("shapeMU", lambda a: a + 1j), "shapeMU is complex64"),
    "cells": (spoiled("shapeMU", lambda a: np.array([[1, "a"]], dtype=object)), "shapeMU is of the class cell"),
    "struct": (spoiled("shapeMU", lambda a: {"x": 1.0}), "shapeMU is of the class struct"),
    "text": (spoiled("tl", lambda a: "triangles"), "tl is of the class char"),
    "cube": (spoiled("tl", lambda a: np.zeros((2, 2, 2))), "tl is 2 × 2 × 2, not a matrix"),
    "colours above 255": (spoiled("texMU", lambda a: a * 300), "texMU does not lie between 0 and 255"),
    "millimetres": (spoiled("shapeMU", lambda a: a / 1000), "the unit of length is another"),
    "many modes": (
        lambda v: v.update(shapePC=np.zeros((3, 1000), np.float32), tl=np.ones((1, 3))),
        "1,000 and 6 modes",
    ),
}


@pytest.mark.parametrize("defect", MAT_DEFECTS)
def test_a_defect_of_2009_says_what_it_is(variables, tmp_path, defect):
    spoil, expected = MAT_DEFECTS[defect]
    changed = dict(variables)
    if isinstance(changed.get("shapeMU"), np.ndarray):
        spoil(changed)
    message = refusal(write_bfm_2009(tmp_path, changed))
    assert expected in message and "01_MorphableModel.mat" in message


@pytest.mark.parametrize("compressed", [True, False])
def test_a_truncated_or_oversized_mat_file_is_refused(variables, tmp_path, compressed):
    path = write_bfm_2009(tmp_path, variables, compressed)
    content = path.read_bytes()
    for keep in (0.002, 0.3, 0.9):
        path.write_bytes(content[: int(keep * len(content))])
        assert "damaged" in refusal(path) or "no variable" in refusal(path)


def test_a_mat_file_that_declares_too_much_is_refused_unread(variables, tmp_path):
    path = write_bfm_2009(tmp_path, dict(variables, shapePC=np.ones((6, 2), np.float32)), compressed=False)
    content = path.read_bytes()
    sides = np.array([6, 2], "<i4").tobytes()
    assert content.count(sides) == 1
    path.write_bytes(content.replace(sides, np.array([3 * 10**8, 100], "<i4").tobytes()))
    assert "more than any face model has" in refusal(path)


def rewrite(name: str, spoil) -> callable:
    def apply(folder) -> None:
        path = folder / name
        path.write_bytes(spoil(path.read_bytes()))

    return apply


def indices(values) -> callable:
    def apply(folder) -> None:
        savemat(folder / "BFM_exp_idx.mat", {"trimIndex": np.array(values)})

    return apply


EXPRESSION_DEFECTS = {
    "no vertices": (lambda folder: (folder / "BFM_exp_idx.mat").unlink(), "BFM_exp_idx.mat is not beside it"),
    "no deviations": (lambda folder: (folder / "std_exp.txt").unlink(), "std_exp.txt is not beside it"),
    "truncated": (rewrite("Exp_Pca.bin", lambda b: b[:-4]), "Exp_Pca.bin cannot be imported: it has"),
    "longer": (rewrite("Exp_Pca.bin", lambda b: b + b"\0"), "Exp_Pca.bin cannot be imported: it has"),
    "empty": (rewrite("Exp_Pca.bin", lambda b: b""), "it declares 0 modes"),
    "many modes": (rewrite("Exp_Pca.bin", lambda b: b"\xff\xff\xff\x7f" + b[4:]), "it declares 2,147,483,647 modes"),
    "NaN": (rewrite("Exp_Pca.bin", lambda b: b[:-4] + b"\0\0\xc0\x7f"), "it holds values that are not numbers"),
    "fewer deviations": (rewrite("std_exp.txt", lambda b: b.rsplit(b" ", 1)[0]), "it has 4 numbers, expected 5"),
    "words": (rewrite("std_exp.txt", lambda b: b"one two"), "it is not a text of numbers"),
    "negative": (rewrite("std_exp.txt", lambda b: b"-" + b), "it holds negative values"),
    "other vertices": (indices([[1], [2], [3]]), "for 5 modes of the 3 vertices in BFM_exp_idx.mat"),
    "vertices twice": (indices([[1], [1]]), "trimIndex is not a list of different vertices"),
    "vertex 0": (indices([[0], [1]]), "trimIndex is not a list of different vertices"),
    "vertex too high": (indices([[10**6], [1]]), "trimIndex is not a list of different vertices"),
    "a matrix": (indices([[1, 2], [3, 4]]), "trimIndex is 2 × 2"),
    "not MATLAB": (rewrite("BFM_exp_idx.mat", lambda b: b"hello"), "damaged or truncated MATLAB file"),
}


@pytest.mark.parametrize("defect", EXPRESSION_DEFECTS)
def test_a_defect_of_the_expressions_says_what_it_is(variables, skin, tmp_path, defect):
    path = write_bfm_2009(tmp_path, variables)
    write_expressions_2009(tmp_path, skin, np.arange(len(skin.mean)))
    spoil, expected = EXPRESSION_DEFECTS[defect]
    spoil(tmp_path)
    assert expected in refusal(path)
