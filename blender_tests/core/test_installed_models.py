# SPDX-License-Identifier: GPL-3.0-or-later
"""Face models in the user's folder: imported whole or not at all, found by id, and good for a photo."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from blender_tests.core.external_files import COLOURS, EXPRESSIONS, IDENTITIES, quiet, skin_of, write_bfm_hdf5
from facedetail_addon.core.errors import FaceModelError, OutputError, PhotoError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.library import (
    is_outdated,
    load_named_calibration,
    load_named_model,
    named_dictionary,
)
from facedetail_addon.core.face_model.store import (
    CALIBRATION_FILE,
    HEAD_FILE,
    INFO_FILE,
    BrokenModel,
    InstalledModel,
    find_installed,
    installed_models,
    list_models,
    remove_model,
)
from facedetail_addon.core.model_import.install import install_model, match_again
from facedetail_addon.core.models import Models
from facedetail_addon.core.pipeline import reconstruct
from facedetail_addon.core.result.files import read_result, write_result
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.jobs.messages import Reconstruct
from facedetail_addon.jobs.tasks import do, match_if_outdated
from facedetail_addon.settings import Settings


def nobody(picture: np.ndarray) -> tuple:
    """For files that name their landmarks: nothing may be searched."""
    raise AssertionError("a face was searched")


@pytest.fixture(scope="module")
def source(model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bfm") / "model2017-1_bfm_nomouth.h5"
    write_bfm_hdf5(path, skin_of(model))
    return path


@pytest.fixture(scope="module")
def find():
    from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker

    return MeshLandmarker.load().find


@pytest.fixture(scope="module")
def assets(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("assets")


@pytest.fixture(scope="module")
def info(source, assets, model, find) -> InstalledModel:
    return install_model(source, assets, model, load_calibration(), find, quiet)


@pytest.fixture
def copy_of_assets(info, assets, tmp_path) -> Path:
    shutil.copytree(assets, tmp_path / "copy")
    return tmp_path / "copy"


def test_what_is_installed_is_listed(info, assets, source, model):
    assert installed_models(assets) == (info,) and find_installed(info.id, assets) == info
    assert info.id.startswith("bfm-") and info.source == str(source) and info.canonical == model.fingerprint()
    assert (info.vertices, info.identities, info.expressions) == (model.skin.stop, IDENTITIES, EXPRESSIONS)
    assert info.has_albedo and info.folds == 0 and info.residual_mm < 0.1
    assert "Basel" in info.licence and info.size_bytes > 1e6
    assert any("no names" in text for text in info.missing) and any("teeth" in text for text in info.missing)
    assert installed_models(assets / "nowhere") == ()


def test_a_second_import_does_nothing(info, source, assets, model):
    before = (info.folder / HEAD_FILE).stat().st_mtime_ns
    start = time.perf_counter()
    assert install_model(source, assets, model, load_calibration(), nobody, quiet) == info
    assert (info.folder / HEAD_FILE).stat().st_mtime_ns == before and time.perf_counter() - start < 2


def test_model_and_calibration_come_back(info, assets, model):
    loaded, calibration = load_named_model(info.id, assets), load_named_calibration(info.id, assets)
    assert loaded.canonical() == model.fingerprint() != loaded.fingerprint()
    assert loaded.native_expressions.basis.shape == (EXPRESSIONS, len(loaded.mean), 3)
    assert loaded.native_albedo.basis.shape == (COLOURS, loaded.skin.stop, 3)
    calibration.require_model(loaded)
    assert named_dictionary(info.id, assets) is None


def test_a_model_of_an_older_version_is_still_read(copy_of_assets, info, assets):
    """Names of values that were other ones."""

    def renamed(path: Path, names: dict[str, str]) -> None:
        arrays = dict(np.load(path).items())
        older = {".".join(names.get(part, part) for part in key.split(".")): arrays[key] for key in arrays}
        assert older.keys() != arrays.keys()
        np.savez(path, **older)

    folder = copy_of_assets / "models" / info.folder.name
    native = {f"native_{key}": f"own_{key}" for key in ("expressions", "albedo", "uv", "face_uv")}
    renamed(folder / HEAD_FILE, {**native, "transferred_expressions": "carried_expressions"})
    renamed(folder / CALIBRATION_FILE, {"sigma": "spread", "mean_sigma": "mean_spread"})
    values = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
    values["lacks"] = values.pop("missing")
    (folder / INFO_FILE).write_text(json.dumps(values), encoding="utf-8")

    assert find_installed(info.id, copy_of_assets).missing == info.missing
    before, older = load_named_model(info.id, assets), load_named_model(info.id, copy_of_assets)
    assert older.fingerprint() == before.fingerprint() and older.origin == before.origin
    np.testing.assert_array_equal(older.native_expressions.basis, before.native_expressions.basis)
    np.testing.assert_array_equal(older.native_albedo.mean, before.native_albedo.mean)
    sigma = load_named_calibration(info.id, copy_of_assets).sigma
    np.testing.assert_array_equal(sigma, load_named_calibration(info.id, assets).sigma)


def test_an_import_that_is_stopped_leaves_nothing(source, tmp_path, model, find):
    class Stop(Exception):
        pass

    def stop(text: str, done: float) -> None:
        if "Writing the model" in text:
            raise Stop

    with pytest.raises(Stop):
        install_model(source, tmp_path, model, load_calibration(), find, stop)
    assert installed_models(tmp_path) == () and os.listdir(tmp_path / "models") == []


def test_what_is_no_model_leaves_nothing(tmp_path, model):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 no model")
    with pytest.raises(FaceModelError, match=r"holiday\.jpg"):
        install_model(path, tmp_path / "assets", model, load_calibration(), nobody, quiet)
    assert not (tmp_path / "assets").exists()


def test_a_folder_that_cannot_be_written(source, tmp_path, model):
    (tmp_path / "models").write_text("in the way", encoding="ascii")
    with pytest.raises(OutputError, match="face model"):
        install_model(source, tmp_path, model, load_calibration(), nobody, quiet)
    assert (tmp_path / "models").read_text(encoding="ascii") == "in the way"


def test_removed_is_gone(info, copy_of_assets):
    remove_model(info.id, copy_of_assets)
    assert installed_models(copy_of_assets) == () and os.listdir(copy_of_assets / "models") == []
    with pytest.raises(FaceModelError, match=info.id) as caught:
        remove_model(info.id, copy_of_assets)
    assert "installed: none" in caught.value.message
    with pytest.raises(FaceModelError, match=info.id):
        load_named_model(info.id, copy_of_assets)


@pytest.mark.parametrize(
    "change",
    [
        {"vertices": "many"},
        {"format_version": 0},
        {"missing": ["fine", 3]},
        {"surprise": 1},
        {"residual_mm": None},
        [],
    ],
)
def test_a_broken_description_is_no_model(copy_of_assets, info, change):
    path = copy_of_assets / "models" / info.folder.name / INFO_FILE
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | change if isinstance(change, dict) else change), encoding="utf-8")
    assert installed_models(copy_of_assets) == ()
    (broken,) = list_models(copy_of_assets)
    assert isinstance(broken, BrokenModel) and broken.folder == path.parent and str(path.parent) in broken.reason
    remove_model(broken.folder.name, copy_of_assets)
    assert os.listdir(copy_of_assets / "models") == []


def test_a_broken_model_is_imported_anew(copy_of_assets, info, source, model, find):
    description = copy_of_assets / "models" / info.folder.name / INFO_FILE
    for damage in (lambda: description.write_text("{", encoding="utf-8"), description.unlink):
        damage()
        again = install_model(source, copy_of_assets, model, load_calibration(), find, quiet)
        assert list_models(copy_of_assets) == (again,) and again.id == info.id
        assert sorted(os.listdir(again.folder)) == sorted(os.listdir(info.folder))


def test_a_file_that_changes_while_it_is_read_is_refused(source, tmp_path, model):
    copy = tmp_path / source.name
    shutil.copy2(source, copy)

    def change(text: str, done: float) -> None:
        if text == "Checking the model":
            with open(copy, "ab") as stream:
                stream.write(b"more")

    with pytest.raises(FaceModelError, match="changed"):
        install_model(copy, tmp_path / "assets", model, load_calibration(), nobody, change)
    assert list_models(tmp_path / "assets") == ()


def test_a_damaged_model_is_refused(copy_of_assets, info):
    path = copy_of_assets / "models" / info.folder.name / HEAD_FILE
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(FaceModelError, match=HEAD_FILE) as caught:
        load_named_model(info.id, copy_of_assets)
    assert caught.value.remedy


@pytest.fixture
def outdated(copy_of_assets, info) -> Path:
    """The folder of the model, matched to another built-in head."""
    folder = copy_of_assets / "models" / info.folder.name
    values = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
    (folder / INFO_FILE).write_text(json.dumps(values | {"canonical": "0" * 64}), encoding="utf-8")
    return folder


def test_another_built_in_head_is_matched_again(outdated, copy_of_assets, info, model, find):
    old = find_installed(info.id, copy_of_assets)
    # Its file may be gone by then; the copy in the folder is enough.
    again = match_again(old, model, load_calibration(), find, quiet)
    assert again.canonical == model.fingerprint() and (again.id, again.source) == (info.id, info.source)
    assert sorted(os.listdir(outdated)) == sorted(os.listdir(info.folder))


def test_loading_a_model_writes_nothing(outdated, copy_of_assets, info):
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in outdated.iterdir()}

    before = content()
    settings = Settings(resolution=512, face_model=info.id)
    for load in (lambda: load_named_model(info.id, copy_of_assets), lambda: Models.load(settings, copy_of_assets)):
        with pytest.raises(FaceModelError, match=f"{info.id} was matched to the built-in head of another") as caught:
            load()
        assert "import it again" in caught.value.remedy
    assert content() == before


def test_a_model_is_matched_again_before_a_photo_is_reconstructed(outdated, copy_of_assets, info, assets):
    told = []

    def tell(text: str, done: float) -> None:
        told.append(text)

    assert is_outdated(info.id, copy_of_assets) and not is_outdated("builtin", copy_of_assets)
    settings = Settings(face_model=info.id, resolution=512)
    request = Reconstruct(1, str(copy_of_assets / "no photo.jpg"), str(copy_of_assets), str(copy_of_assets), settings)
    with pytest.raises(PhotoError):
        do(request, {}, tell)
    assert not is_outdated(info.id, copy_of_assets) and sum("Matching" in text for text in told) == 1
    again, before = load_named_model(info.id, copy_of_assets), load_named_model(info.id, assets)
    assert again.fingerprint() == before.fingerprint()

    written = (outdated / HEAD_FILE).stat().st_mtime_ns
    for name in (info.id, "builtin"):
        match_if_outdated(name, copy_of_assets, tell)
    assert (outdated / HEAD_FILE).stat().st_mtime_ns == written
    with pytest.raises(FaceModelError, match="not installed"):
        match_if_outdated("bfm2017-0a", copy_of_assets, tell)


@pytest.fixture(scope="module")
def settings(info) -> Settings:
    return Settings(resolution=512, face_model=info.id, fit="sparse")


@pytest.fixture(scope="module")
def models(settings, assets) -> Models:
    return Models.load(settings, assets)


@pytest.fixture(scope="module")
def result(models, settings, tmp_path_factory) -> Reconstruction:
    from PIL import Image

    photo = tmp_path_factory.mktemp("photos") / "astronaut.png"
    Image.fromarray(data.astronaut()).save(photo)
    return reconstruct(photo, models, settings, quiet)


def test_a_photo_is_fitted_with_its_own_modes(models, result, info):
    model = models.model
    assert result.record.face_model == info.id
    assert result.record.fit.alpha.shape == (IDENTITIES,) and result.record.pose.native_beta.shape == (EXPRESSIONS,)
    assert (
        result.record.light.gamma.shape == (COLOURS,)
        and result.record.pose.native_beta.any()
        and result.record.light.gamma.any()
    )
    skin = model.skin.stop
    native = model.native_expressions
    posed = (
        model.vertices(result.record.fit.alpha)
        + native.mean
        + np.tensordot(result.record.pose.native_beta, native.basis, 1)
    )
    np.testing.assert_allclose(result.record.pose.vertices[:skin], posed[:skin], atol=1e-3)
    np.testing.assert_allclose(
        result.record.fit.vertices_neutral[:skin], model.vertices(result.record.fit.alpha)[:skin], atol=1e-3
    )
    face_px = float(np.ptp(result.record.observation.landmarks.sparse_px, axis=0).max())
    distance = np.linalg.norm(
        result.record.pose.perspective.project(result.record.pose.landmarks68_mm)
        - result.record.observation.landmarks.sparse_px,
        axis=1,
    )
    assert np.median(distance) < 0.04 * face_px


def test_its_result_comes_back(models, result, tmp_path):
    back = read_result(write_result(result, tmp_path, models.model))
    assert (back.record.face_model, back.record.landmarker) == (result.record.face_model, "mesh")
    np.testing.assert_array_equal(back.record.pose.native_beta, result.record.pose.native_beta)
    np.testing.assert_array_equal(back.record.pose.vertices, result.record.pose.vertices)
