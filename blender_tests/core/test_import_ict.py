# SPDX-License-Identifier: GPL-3.0-or-later
"""ICT-FaceKit: its pack and its folder of meshes give the same head, and each defect says what it is."""

import os
import shutil

import numpy as np
import pytest

from blender_tests.core.external_files import quiet, refusal, write_ict_obj
from facedetail_addon.core.errors import FaceModelError
from facedetail_addon.core.model_import.external import ExternalModel
from facedetail_addon.core.model_import.importers.read import read_external_model, source_sha256

IDENTITIES, EXPRESSIONS = 3, 2


@pytest.fixture(scope="module")
def pack(data_dir):
    return data_dir / "models" / "ict_facekit.npz"


@pytest.fixture(scope="module")
def kit(pack) -> ExternalModel:
    return read_external_model(pack, quiet)


@pytest.fixture(scope="module")
def meshes(kit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit") / "FaceXModel"
    folder.mkdir()
    write_ict_obj(folder, kit, IDENTITIES, EXPRESSIONS)
    return folder


def test_the_kit_is_whole_and_in_millimetres(kit, model):
    assert kit.mean.shape == (26719, 3) and kit.identity_basis.shape == (100, 26719, 3)
    assert sorted(kit.expression_names) == sorted(model.expression_names)
    assert not kit.expression_signed and kit.albedo_mean is None and "MIT" in kit.licence
    # The built-in head is learned from it: the same points of the face, in the same units and axes.
    there = model.landmarks68.points(model.mean)
    assert np.linalg.norm(kit.mean[kit.landmarks68] - there, axis=1).max() < 3.0
    jaw = kit.expression_basis[kit.expression_names.index("jawOpen")][kit.landmarks68[8]]
    assert jaw[1] < -15


def test_objects_are_apart_and_keep_their_uv(kit):
    names = [part.name for part in kit.parts]
    assert names[:6] == ["skin", "gums", "teeth_upper", "teeth_lower", "eye_left", "eye_right"]
    assert {"lacrimal", "eye_blend", "eye_occlusion", "lashes"} == set(names[6:])
    centre = {part.name: part.of(kit.mean).mean(axis=0) for part in kit.parts}
    assert centre["eye_left"][0] > 20 and centre["eye_right"][0] < -20
    assert centre["teeth_upper"][1] > centre["teeth_lower"][1]
    assert sum(len(part.faces) for part in kit.parts) == 26384
    for part in kit.parts:
        assert set(np.unique(part.face_uv)) - {-1} == set(range(len(part.uv)))
        assert ((part.faces < 0) == (part.face_uv < 0)).all()
        assert set(np.unique(part.faces)) - {-1} == set(range(part.stop - part.start))
    assert kit.parts[names.index("eye_left")].materials == ("M_IrisLeft", "M_ScleraLeft")
    assert set(kit.skin.materials) == {"M_Face", "M_BackHead"}


def test_meshes_give_the_same_head_as_the_pack(meshes, kit):
    found = read_external_model(meshes, quiet)
    np.testing.assert_allclose(found.mean, kit.mean, atol=2e-3)
    np.testing.assert_allclose(found.identity_basis, kit.identity_basis[:IDENTITIES], atol=4e-3)
    np.testing.assert_allclose(found.expression_basis, kit.expression_basis[:EXPRESSIONS], atol=4e-3)
    assert found.expression_names == kit.expression_names[:EXPRESSIONS]
    for there, here in zip(kit.parts, found.parts, strict=True):
        np.testing.assert_array_equal(here.faces, there.faces)
        np.testing.assert_array_equal(
            [here.materials[index] for index in here.face_material],
            [there.materials[index] for index in there.face_material],
        )
        corners = here.faces >= 0
        np.testing.assert_allclose(here.uv[here.face_uv[corners]], there.uv[there.face_uv[corners]], atol=1e-6)
    assert found.source_sha256 == source_sha256(meshes) == source_sha256(meshes.parent)


def test_the_repository_and_the_neutral_mesh_lead_to_the_folder(meshes):
    expected = source_sha256(meshes)
    assert source_sha256(meshes / "generic_neutral_mesh.obj") == expected
    (meshes / "jawOpen.obj").write_bytes((meshes / "generic_neutral_mesh.obj").read_bytes())
    try:
        assert source_sha256(meshes) != expected
    finally:
        (meshes / "jawOpen.obj").unlink()


def test_expressions_may_be_missing(meshes, tmp_path):
    for name in ("generic_neutral_mesh.obj", "identity000.obj"):
        shutil.copy(meshes / name, tmp_path / name)
    found = read_external_model(tmp_path, quiet)
    assert found.expression_names == () and found.expression_basis.shape == (0, 26719, 3)


def swap_lines(text: str) -> str:
    """Two vertices of the face change places, as in early versions of the kit."""
    lines = text.split("\n")
    first = next(index for index, line in enumerate(lines) if line.startswith("v "))
    lines[first : first + 9000] = lines[first : first + 9000][::-1]
    return "\n".join(lines)


NEUTRAL = "generic_neutral_mesh.obj"
OBJ_DEFECTS = {
    "truncated": (NEUTRAL, lambda text: text[: len(text) // 9], "it has no lines “vt”"),
    "truncated in faces": (NEUTRAL, lambda text: text[: text.rindex("\n", 0, -100_000)], "no faces of the kit's"),
    "no faces": (NEUTRAL, lambda text: text[: text.index("\nf ")], "it has no faces"),
    "fewer vertices": (NEUTRAL, lambda text: text.replace("\nv ", "\n# ", 1), "26,718 vertices, expected"),
    "other order": (NEUTRAL, swap_lines, "in another order"),
    "words": (NEUTRAL, lambda text: text.replace("\nv ", "\nv one ", 1), "a line “v” is not 3 numbers"),
    "NaN": (NEUTRAL, lambda text: text.replace("\nv ", "\nv nan ", 1), "holds values that are not numbers"),
    "NaN in UV": (NEUTRAL, lambda text: text.replace("\nvt ", "\nvt nan ", 1), "its UV holds values that are not"),
    "five corners": (NEUTRAL, lambda text: text.replace("\nf ", "\nf 1/1 2/2 ", 1), "is not three or four corners"),
    "no UV in a face": (NEUTRAL, lambda text: text + "f 1 2 3\n", "is not three or four corners"),
    "negative corner": (NEUTRAL, lambda text: text + "f -1/1 2/2 3/3\n", "is not three or four corners"),
    "corner too high": (NEUTRAL, lambda text: text + "f 1/1 2/2 99999/3\n", "faces name vertices outside"),
    "UV too high": (NEUTRAL, lambda text: text + "f 1/1 2/2 3/99999\n", "faces name UV points outside"),
    "objects joined": (NEUTRAL, lambda text: text + "f 1/1 2/2 26000/3\n", "a face joins two of the kit's objects"),
    "binary": ("identity001.obj", lambda text: "\x00" * 100, "identity001.obj cannot be imported: it has no lines “v”"),
    "short identity": ("identity001.obj", lambda text: text.replace("\nv ", "\n# ", 1), "26,718 vertices"),
    "NaN in identity": ("identity001.obj", lambda text: text.replace("\nv ", "\nv inf ", 1), "are not numbers"),
    "identity missing": ("identity001.obj", None, "identity001.obj is missing"),
}  # fmt: skip


@pytest.mark.parametrize("defect", OBJ_DEFECTS)
def test_a_defect_of_the_meshes_says_what_it_is(meshes, tmp_path, defect):
    name, spoil, expected = OBJ_DEFECTS[defect]
    folder = shutil.copytree(meshes, tmp_path / "FaceXModel")
    if spoil is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(spoil((folder / name).read_text(encoding="ascii")), encoding="ascii")
    assert expected in refusal(folder)


def test_a_folder_without_identities_is_refused(meshes, tmp_path):
    shutil.copy(meshes / NEUTRAL, tmp_path / NEUTRAL)
    assert "no file says how faces differ" in refusal(tmp_path)


@pytest.fixture(scope="module")
def arrays(pack) -> dict[str, np.ndarray]:
    """The pack with its first shapes only, so that it is quickly written."""
    with np.load(pack, allow_pickle=False) as data:
        # The kit's first two expressions dilate the pupils, which ARKit does not know.
        first = {"identity": slice(0, 2), "expression": slice(2, 4), "expression_names": slice(2, 4)}
        return {key: data[key][first.get(key, slice(None))] for key in data.files}


def put(at, value) -> callable:
    def apply(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[at] = value
        return array

    return apply


NPZ_DEFECTS = {
    "no neutral": ("neutral", None, "it has no array neutral"),
    "no materials": ("material_names", None, "it has no array material_names"),
    "pickle": ("neutral", lambda a: np.array([{"a": 1}], dtype=object), "holds pickled objects, which are never read"),
    "fewer vertices": ("neutral", lambda a: a[:-1], "its mesh has 26,718 vertices"),
    "flat": ("neutral", lambda a: a.ravel(), "neutral is 80157, expected 26719 × 3"),
    "integers": ("identity", lambda a: a.astype(np.int32), "identity holds int32"),
    "shape": ("identity", lambda a: a[:, :9], "identity is 2 × 9 × 3, expected 2 × 26719 × 3"),
    "names": ("expression_names", lambda a: a[:1], "expression_names is 1, expected 2"),
    "name twice": ("expression_names", lambda a: a[[0, 0]], "expression_names holds a name twice"),
    "materials": ("material_names", lambda a: np.arange(300).astype(str), "it has 300 materials, more than 256"),
    "floats": ("faces", lambda a: a.astype(np.float32), "faces holds float32"),
    "triangles": ("faces", lambda a: a[:, :3], "faces is 26384 × 3, expected 26384 × 4"),
    "UV of other faces": ("face_uv", lambda a: a[:-1], "face_uv is 26383 × 4, expected 26384 × 4"),
    "empty": ("uv", lambda a: a[:0], "uv is 0 × 2"),
    "NaN": ("neutral", put((3, 1), np.nan), "its neutral mesh holds values that are not numbers"),
    "NaN in a mode": ("expression", put((1, 3, 1), np.inf), "expression_basis holds values that are not numbers"),
    "vertex too high": ("faces", put((0, 0), 26719), "faces name vertices outside"),
    "vertex negative": ("faces", put((0, 0), -2), "faces name vertices outside"),
    "UV too high": ("face_uv", put((0, 3), 10**6), "faces name UV points outside"),
    "corners": ("face_uv", put((0, 3), -1), "some faces have more corners than UV points"),
    "material": ("material", put(0, 12), "material names materials the file does not have"),
    "metres": ("neutral", lambda a: a / 100, "the unit of length is another"),
}


@pytest.mark.parametrize("defect", NPZ_DEFECTS)
def test_a_defect_of_the_pack_says_what_it_is(arrays, tmp_path, defect):
    name, spoil, expected = NPZ_DEFECTS[defect]
    changed = dict(arrays)
    if spoil is None:
        del changed[name]
    else:
        changed[name] = spoil(changed[name])
    path = tmp_path / "ict_facekit.npz"
    np.savez(path, **changed)
    message = refusal(path)
    assert expected in message and path.name in message


@pytest.mark.parametrize("keep", [0.001, 0.5, 0.999])
def test_a_truncated_pack_is_refused(arrays, tmp_path, keep):
    path = tmp_path / "cut.npz"
    np.savez(path, **arrays)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    assert "is no npz file of plain arrays" in refusal(path)


def test_a_pack_that_declares_too_much_is_refused_unread(arrays, tmp_path):
    path = tmp_path / "huge.npz"
    np.savez(path, **arrays)
    content = path.read_bytes()
    assert content.count(b"(26719, 3)") == 1
    path.write_bytes(content.replace(b"(26719, 3)", b"(9999999,3"[:9] + b")"))
    assert "not the size it has" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["model.h5", "01_MorphableModel.mat", "model.npz"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(FaceModelError, match="not a file"):
        source_sha256(tmp_path / name)
    with pytest.raises(FaceModelError, match="not a file"):
        read_external_model(tmp_path / name, lambda text, done: None)
