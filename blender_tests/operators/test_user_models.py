# SPDX-License-Identifier: GPL-3.0-or-later
"""Face models and weights of the user's own, as preferences, panel and scripts reach them."""

from pathlib import Path

import pytest

from blender_tests.core.external_files import EXPRESSIONS, IDENTITIES, skin_of, write_bfm_hdf5
from facedetail_addon.core.assets.user import user_asset
from facedetail_addon.core.face_model.store import installed_models
from facedetail_addon.core.result.files import read_result
from facedetail_addon.names import OFFLINE_TEXT

FAN_WEIGHTS = user_asset("fan")


@pytest.fixture(scope="module")
def astronaut() -> str:
    from skimage import data

    return str(Path(data.__file__).parent / "astronaut.png")


@pytest.fixture(scope="module")
def bfm(model, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("bfm") / "model2017-1_bfm_nomouth.h5"
    write_bfm_hdf5(path, skin_of(model))
    return str(path)


@pytest.fixture(scope="module")
def assets(tmp_path_factory) -> Path:
    """The user's folder of these tests; in it lies what the tests before have imported."""
    return tmp_path_factory.mktemp("user folder")


@pytest.fixture
def addon(blender, assets, monkeypatch):
    """The add-on switched on as in the preferences, with folders of its own."""
    monkeypatch.setenv("TORCH_HOME", str(assets / "no torch here"))
    blender.ops.preferences.addon_enable(module="facedetail_addon")
    preferences = blender.context.preferences.addons["facedetail_addon"].preferences
    preferences.assets, preferences.results = str(assets), str(assets / "results")
    yield blender.ops.facedetail
    blender.ops.preferences.addon_disable(module="facedetail_addon")


def test_imported_model_is_listed_and_makes_a_head(blender, addon, assets, bfm, astronaut):
    from facedetail_addon.ui.assets import choice_notes, model_texts

    assert addon.import_model(filepath=bfm) == {"FINISHED"}
    (info,) = installed_models(assets)
    texts = " ".join(model_texts(info))
    assert all(part in texts for part in (bfm, "Basel", str(info.folder), "MB", f"{IDENTITIES} identity modes"))

    settings = blender.context.scene.facedetail
    settings.face_model_menu = info.id
    assert settings.face_model == info.id
    notes = choice_notes(settings.face_model, settings.landmarker, assets)
    assert notes.missing == info.missing and not notes.not_installed

    assert addon.reconstruct(filepath=astronaut, resolution="512", face_model=info.id, fit="sparse") == {"FINISHED"}
    skin = next(item for item in blender.data.objects if item.name.endswith(" skin"))
    assert len(skin.data.vertices) == info.vertices
    result = read_result(assets / "results" / "astronaut")
    assert (
        result.record.face_model == info.id
        and result.record.pose.native_beta.shape == (EXPRESSIONS,)
        and result.record.pose.native_beta.any()
    )


def test_removed_model_is_not_served_from_memory(blender, addon, assets, bfm, astronaut):
    from facedetail_addon.ui.assets import choice_notes

    addon.import_model(filepath=bfm)
    (info,) = installed_models(assets)
    settings = blender.context.scene.facedetail
    settings.face_model = info.id
    assert addon.remove(asset=info.id) == {"FINISHED"}
    assert not installed_models(assets) and not info.folder.exists()
    assert settings.face_model_menu == info.id, "a file goes on naming what is not installed"
    notes = choice_notes(settings.face_model, settings.landmarker, assets)
    assert "not installed" in notes.not_installed[0]
    with pytest.raises(RuntimeError, match="not installed"):
        addon.reconstruct(filepath=astronaut, resolution="512", face_model=info.id)
    with pytest.raises(RuntimeError, match="not installed"):
        addon.remove(asset=info.id)
    settings.face_model_menu = "builtin"
    assert settings.face_model == "builtin"


def test_menu_survives_saving_and_reading(blender, addon, tmp_path):
    path = str(tmp_path / "scene.blend")
    blender.context.scene.facedetail.face_model = "bfm2017-0a1b2c3d"
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.open_mainfile(filepath=path)
    settings = blender.context.scene.facedetail
    assert settings.face_model == settings.face_model_menu == "bfm2017-0a1b2c3d"


@pytest.mark.parametrize("content", [None, b"", b"hello", b"\x80\x04."])
def test_bad_files_are_refused_with_a_remedy(addon, assets, tmp_path, content):
    path = tmp_path / "model.h5"
    if content is not None:
        path.write_bytes(content)
    for operator, choice in ((addon.import_model, {}), (addon.install, {"asset": "fan"})):
        with pytest.raises(RuntimeError, match="model.h5") as raised:
            operator(filepath=str(path), **choice)
        assert str(raised.value).rstrip().endswith((".", ")."))
    assert not list(assets.glob("models/*")) and not list(assets.glob(f"{FAN_WEIGHTS.folder}/*"))


def test_an_unknown_file_is_refused_with_a_remedy(addon, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    for unknown in ("", "no such file"):
        with pytest.raises(RuntimeError, match=f"“{unknown}”.* fan"):
            addon.install(filepath=str(path), asset=unknown)


def test_no_download_without_online_access(blender, addon):
    assert not blender.app.online_access, "these tests are offline"
    assert not addon.download.poll()
    with pytest.raises(RuntimeError, match=OFFLINE_TEXT):
        addon.download(asset="fan")


def test_fan_without_weights_says_so_before_and_after(blender, addon, assets, astronaut, tmp_path):
    from facedetail_addon.ui.assets import asset_state, asset_texts, choice_notes

    notes = choice_notes("builtin", "fan", assets)
    assert "FAN" in notes.not_installed[0]
    assert asset_texts(FAN_WEIGHTS, asset_state(FAN_WEIGHTS, assets))[0] == "Not installed"
    with pytest.raises(RuntimeError, match="Download"):
        addon.reconstruct(filepath=astronaut, output=str(tmp_path), resolution="512", landmarker="fan")


def test_fan_of_the_right_size_is_found_told_and_removed(addon, assets):
    """Its hash is checked when it is used; a panel that hashes 95 MB would stutter."""
    from facedetail_addon.ui.assets import asset_state, asset_texts

    folder = assets / FAN_WEIGHTS.folder
    folder.mkdir(exist_ok=True)
    (folder / (FAN_WEIGHTS.name + ".part")).write_bytes(bytes(2_000_000))
    assert "2.0 MB of 95.6 MB" in asset_texts(FAN_WEIGHTS, asset_state(FAN_WEIGHTS, assets))[0]
    with open(folder / FAN_WEIGHTS.name, "wb") as stream:
        stream.truncate(FAN_WEIGHTS.size)
    state = asset_state(FAN_WEIGHTS, assets)
    assert (
        state.path == folder / FAN_WEIGHTS.name and state.is_own and str(folder) in asset_texts(FAN_WEIGHTS, state)[0]
    )
    assert addon.remove(asset=FAN_WEIGHTS.id) == {"FINISHED"}
    assert asset_state(FAN_WEIGHTS, assets).path is None and not list(folder.iterdir())
