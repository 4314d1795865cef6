# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads from a real server on this computer that resumes, breaks off, changes its file and lies."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blender_tests.core.file_server import CONTENT, SHA256, Behaviour, serving
from facedetail_addon.core.assets.downloads import PART_SUFFIX, DownloadCancelled, fetch
from facedetail_addon.core.errors import AssetError

FULL = Path("/dev/full")


@pytest.fixture
def server(monkeypatch) -> Iterator[tuple[str, Behaviour]]:
    """Its address and its behaviour, which a test may change."""
    monkeypatch.setenv("no_proxy", "*")
    with serving() as found:
        yield found


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "new folder" / "weights.bin"


def part_of(target: Path) -> Path:
    return target.with_name(target.name + PART_SUFFIX)


def download(url: str, target: Path, **changes) -> Path:
    options = {
        "size": len(CONTENT),
        "sha256": SHA256,
        "online": True,
        "progress": lambda done, total: None,
        "cancelled": lambda: False,
    }
    return fetch(url, target, **(options | changes))


def leave_part(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True)
    part_of(target).write_bytes(content)


def only(target: Path) -> list[str]:
    return sorted(entry.name for entry in target.parent.iterdir())


def test_whole_file(server, target):
    url, behaviour = server
    told = []
    assert download(url, target, progress=lambda done, total: told.append((done, total))) == target
    assert target.read_bytes() == CONTENT and only(target) == ["weights.bin"]
    assert behaviour.asked == [None]
    assert told[0] == (0, len(CONTENT)) and told[-1] == (len(CONTENT), len(CONTENT)) and told == sorted(told)
    assert len(told) > 5


def test_continues_a_part(server, target):
    url, behaviour = server
    leave_part(target, CONTENT[:300_000])
    told = []
    download(url, target, progress=lambda done, total: told.append(done))
    assert target.read_bytes() == CONTENT and only(target) == ["weights.bin"]
    assert behaviour.asked == ["bytes=300000-"] and told[0] == 300_000


def test_starts_over_where_the_server_knows_no_ranges(server, target):
    url, behaviour = server
    behaviour.ranges = False
    leave_part(target, b"x" * 300_000)
    download(url, target)
    assert target.read_bytes() == CONTENT


def test_whole_part_needs_no_network(target):
    leave_part(target, CONTENT)
    download("http://127.0.0.1:9/weights.bin", target)
    assert target.read_bytes() == CONTENT and only(target) == ["weights.bin"]


def test_too_large_part_is_thrown_away(server, target):
    url, behaviour = server
    leave_part(target, CONTENT + b"more")
    download(url, target)
    assert target.read_bytes() == CONTENT and behaviour.asked == [None]


def test_right_file_is_kept_without_network(target):
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    assert download("http://127.0.0.1:9/weights.bin", target, online=False) == target


def test_wrong_file_in_place_is_replaced_only_by_a_good_one(server, target):
    url, behaviour = server
    target.parent.mkdir()
    target.write_bytes(b"old")
    behaviour.status = 503
    with pytest.raises(AssetError, match="503"):
        download(url, target)
    assert target.read_bytes() == b"old"
    behaviour.status = None
    download(url, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("claims_length", [True, False])
def test_broken_connection_keeps_the_part(server, target, claims_length):
    url, behaviour = server
    behaviour.breaks_after = 250_000
    behaviour.length = None if claims_length else 0
    with pytest.raises(AssetError, match="ended after 250000 of 700000 bytes") as caught:
        download(url, target)
    assert "continues" in caught.value.remedy
    assert only(target) == ["weights.bin" + PART_SUFFIX]
    behaviour.breaks_after = None
    download(url, target)
    assert target.read_bytes() == CONTENT and behaviour.asked == [None, "bytes=250000-"]


def test_cancel_keeps_the_part(server, target):
    url, behaviour = server
    arrived = []
    with pytest.raises(DownloadCancelled) as caught:
        download(
            url, target, progress=lambda done, total: arrived.append(done), cancelled=lambda: arrived[-1] > 200_000
        )
    assert caught.value.remedy and not target.exists()
    assert 200_000 < part_of(target).stat().st_size == arrived[-1] < len(CONTENT)
    download(url, target)
    assert target.read_bytes() == CONTENT and behaviour.asked[1] == f"bytes={arrived[-1]}-"


def test_other_content_of_the_right_size(server, target):
    url, behaviour = server
    behaviour.content = bytes(reversed(CONTENT))
    with pytest.raises(AssetError, match="SHA-256"):
        download(url, target)
    assert only(target) == []


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"content": CONTENT[:-1]}, "another part or size"),
        ({"content": CONTENT + b"!"}, "another part or size"),
        ({"length": 10**15}, "another part or size"),
        ({"content": CONTENT + b"!" * 200_000, "length": 0}, "more than 700000 bytes"),
    ],
    ids=["shorter", "longer", "absurd length", "longer without saying so"],
)
def test_other_size(server, target, lie, reason):
    url, behaviour = server
    for name, value in lie.items():
        setattr(behaviour, name, value)
    with pytest.raises(AssetError, match=reason) as caught:
        download(url, target)
    assert url in caught.value.message and only(target) == []


@pytest.mark.parametrize(
    "lie",
    [{"total": 800_000}, {"shift": 5}, {"content": CONTENT[:200_000]}],
    ids=["other total", "other place", "ends before"],
)
def test_part_of_another_file(server, target, lie):
    url, behaviour = server
    for name, value in lie.items():
        setattr(behaviour, name, value)
    leave_part(target, CONTENT[:300_000])
    with pytest.raises(AssetError, match="is not the file that FaceDetail knows"):
        download(url, target)
    assert only(target) == []


def test_part_with_wrong_bytes_is_removed_and_the_next_download_is_right(server, target):
    url, _ = server
    leave_part(target, b"x" * 300_000)
    with pytest.raises(AssetError, match="SHA-256"):
        download(url, target)
    assert only(target) == []
    download(url, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 403, 500])
def test_server_says_no(server, target, status):
    url, behaviour = server
    behaviour.status = status
    leave_part(target, CONTENT[:1000])
    with pytest.raises(AssetError, match=str(status)) as caught:
        download(url, target)
    assert "install it from a file" in caught.value.remedy
    assert part_of(target).stat().st_size == 1000


def test_nobody_answers(target, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(AssetError, match="failed") as caught:
        download("http://127.0.0.1:9/weights.bin", target)
    assert "connection" in caught.value.remedy


def test_network_not_allowed(server, target):
    url, behaviour = server
    with pytest.raises(AssetError, match="may not use the network") as caught:
        download(url, target, online=False)
    assert "Allow Online Access" in caught.value.remedy and url in caught.value.remedy
    assert behaviour.asked == [] and not target.parent.exists()


def test_no_room_for_the_file(server, target):
    url, behaviour = server
    with pytest.raises(AssetError, match="No space left") as caught:
        download(url, target, size=10**17)
    assert "Free" in caught.value.remedy and behaviour.asked == []


@pytest.mark.skipif(not FULL.exists(), reason="needs Linux's device that is always full")
def test_disk_fills_up(server, target):
    url, _ = server
    target.parent.mkdir()
    part_of(target).symlink_to(FULL)
    with pytest.raises(AssetError, match="No space left"):
        download(url, target)
    assert not target.exists()


def test_folder_that_cannot_be_made(server, tmp_path):
    url, _ = server
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AssetError, match="cannot be written"):
        download(url, tmp_path / "file" / "weights.bin")


def test_only_addresses_of_the_web(target):
    with pytest.raises(ValueError, match="address"):
        download(f"file://{os.devnull}", target)
