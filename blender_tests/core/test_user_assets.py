# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the user: found, installed, verified, removed; others are refused with the reason."""

import hashlib
import os
from pathlib import Path

import pytest
import torch.hub

from facedetail_addon.core.assets.user import (
    USER_ASSETS,
    UserAsset,
    download_user_asset,
    find_user_asset,
    install_user_asset,
    places,
    read_user_asset,
    remove_user_asset,
    torch_checkpoints,
    user_asset,
)
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.observe.landmarks.fan import load_library

CONTENT = bytes(range(256)) * 8
ASSET = UserAsset(
    id="test",
    title="Test file",
    name="file.bin",
    folder="",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    url="https://example.org/file.bin",
    licence="none",
    needed_by="nobody",
)
OTHER_BYTES = CONTENT[:-1] + b"\0"
WRONG = {
    "cut short": (CONTENT[:-1], "2047 bytes, not 2048"),
    "too long": (CONTENT + b"!", "2049 bytes, not 2048"),
    "other bytes": (OTHER_BYTES, "SHA-256"),
}


def test_every_file_is_described_completely():
    assert len({asset.id for asset in USER_ASSETS}) == len(USER_ASSETS)
    for asset in USER_ASSETS:
        assert user_asset(asset.id) is asset
        assert asset.url.startswith("https://") and len(asset.sha256) == 64 and asset.size > 0
        assert asset.title and asset.licence and asset.folder and asset.needed_by
    with pytest.raises(AssetError, match="nothing of ours") as caught:
        user_asset("nothing of ours")
    assert USER_ASSETS[0].id in caught.value.remedy


def test_fan_weights_are_those_the_library_names():
    weights = user_asset("fan")
    assert weights.url == load_library().api.models_urls["2DFAN-4"]
    assert weights.url.endswith("/" + weights.name)
    assert weights.sha256.startswith(torch.hub.HASH_REGEX.search(weights.name)[1])


def test_the_users_own_folder_comes_first(tmp_path):
    weights = user_asset("fan")
    assert places(weights, tmp_path) == (tmp_path / "landmarkers", torch_checkpoints())
    assert places(weights, None) == (torch_checkpoints(),)
    assert places(ASSET, tmp_path) == (tmp_path,) and places(ASSET, None) == ()


def test_torch_folder_is_torchs(monkeypatch, tmp_path):
    for settings in ({"TORCH_HOME": str(tmp_path / "a")}, {"XDG_CACHE_HOME": str(tmp_path / "b")}, {}):
        for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        assert torch_checkpoints() == Path(torch.hub.get_dir()) / "checkpoints"


def test_installs_finds_reads_and_removes(tmp_path):
    source, folder = tmp_path / "from the web (1).tar", tmp_path / "user" / "weights"
    source.write_bytes(CONTENT)
    assert find_user_asset(ASSET, [folder]) is None
    path = install_user_asset(ASSET, source, folder)
    assert path == folder / ASSET.name == find_user_asset(ASSET, [tmp_path, folder])
    assert read_user_asset(ASSET, [tmp_path, folder]) == CONTENT
    assert [entry.name for entry in folder.iterdir()] == [ASSET.name] and source.exists()
    (folder / (ASSET.name + ".part")).write_bytes(b"half")
    remove_user_asset(ASSET, folder)
    assert list(folder.iterdir()) == []
    remove_user_asset(ASSET, folder)


@pytest.mark.parametrize("kind", WRONG)
def test_another_file_is_not_installed(tmp_path, kind):
    content, reason = WRONG[kind]
    source, folder = tmp_path / "given.bin", tmp_path / "user"
    source.write_bytes(content)
    with pytest.raises(AssetError, match=reason) as caught:
        install_user_asset(ASSET, source, folder)
    assert str(source) in caught.value.message and ASSET.url in caught.value.remedy
    assert not folder.exists()


def test_bad_copy_is_replaced_by_installing_and_good_one_is_kept(tmp_path):
    source = tmp_path / "given.bin"
    source.write_bytes(CONTENT)
    (tmp_path / ASSET.name).write_bytes(OTHER_BYTES)
    install_user_asset(ASSET, source, tmp_path)
    assert read_user_asset(ASSET, [tmp_path]) == CONTENT
    source.write_bytes(b"another")
    install_user_asset(ASSET, source, tmp_path)
    assert read_user_asset(ASSET, [tmp_path]) == CONTENT


def test_what_is_no_file_is_not_installed(tmp_path):
    for source in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(AssetError, match="is not a file"):
            install_user_asset(ASSET, source, tmp_path / "user")


def test_folder_that_cannot_be_written(tmp_path):
    source = tmp_path / "given.bin"
    source.write_bytes(CONTENT)
    with pytest.raises(AssetError, match="cannot be written"):
        install_user_asset(ASSET, source, source / "below a file")


def test_missing_file_says_where_it_was_looked_for_and_where_to_get_it(tmp_path):
    with pytest.raises(AssetError, match=ASSET.name) as caught:
        read_user_asset(ASSET, [tmp_path / "one", tmp_path / "two"])
    assert str(tmp_path / "one") in caught.value.message and str(tmp_path / "two") in caught.value.message
    assert ASSET.url in caught.value.remedy and "Download" in caught.value.remedy and "Install" in caught.value.remedy


@pytest.mark.parametrize("kind", WRONG)
def test_damaged_copy_is_never_given_but_the_next_folder_may_have_a_good_one(tmp_path, kind):
    content, reason = WRONG[kind]
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.mkdir()
    good.mkdir()
    (bad / ASSET.name).write_bytes(content)
    with pytest.raises(AssetError, match=reason):
        read_user_asset(ASSET, [bad, good])
    (good / ASSET.name).write_bytes(CONTENT)
    assert read_user_asset(ASSET, [bad, good]) == CONTENT


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_in_the_files_place_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / ASSET.name)
    with pytest.raises(AssetError, match="is not a file"):
        read_user_asset(ASSET, [tmp_path])


def test_download_needs_the_network_to_be_allowed(tmp_path):
    with pytest.raises(AssetError, match="may not use the network"):
        download_user_asset(ASSET, tmp_path, online=False, progress=lambda *_: None, cancelled=lambda: False)
