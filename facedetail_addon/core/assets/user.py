# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that FaceDetail can use but may not ship: found, downloaded or installed by the user, verified, never trusted.

A file counts only with the exact size and SHA-256 written down here, and :func:`read_user_asset` gives the very bytes
whose hash it has checked, so nothing can change between the check and the use.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import AssetError
from .downloads import PART_SUFFIX, fetch, is_exactly


@dataclass(frozen=True)
class UserAsset:
    """One file that is known but not shipped.

    Attributes:
        id: what operators call it.
        title: what an artist calls it. name: the file's name. folder: where it belongs in the user's folder.
        size: bytes. sha256: hexadecimal, of the whole file.
        url: where its author offers it. licence: a sentence to show before a download.
        needed_by: the choice in the settings, of a landmarker or a face model, that cannot do without it.
        shared_with_torch: a copy in torch's cache will do too.
    """

    id: str
    title: str
    name: str
    folder: str
    size: int
    sha256: str
    url: str
    licence: str
    needed_by: str
    shared_with_torch: bool = False


USER_ASSETS = (
    UserAsset(
        id="fan",
        title="FAN landmarks",
        # The library's own name for the file carries the hash's first ten digits. Its loader compares none of them.
        name="2DFAN4-11f355bf06.pth.tar",
        folder="landmarkers",
        size=95_641_761,
        sha256="11f355bf0693120222f5955ce3f9dc8fb5763ebb30a47d7906e509490d32e4aa",
        url="https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar",
        licence="By Adrian Bulat, BSD-3-Clause like face-alignment. It was trained on 300W-LP, whose photos are for "
        "research: check that your use is allowed.",
        needed_by="fan",
        shared_with_torch=True,
    ),
)
"""Every file that FaceDetail can use and does not bring along."""


def user_asset(asset_id: str) -> UserAsset:
    """The file of that id.

    Raises:
        AssetError: there is none.
    """
    for asset in USER_ASSETS:
        if asset.id == asset_id:
            return asset
    known = ", ".join(asset.id for asset in USER_ASSETS)
    raise AssetError(f"FaceDetail knows no file “{asset_id}”.", f"Choose one of these: {known}.")


def torch_checkpoints(environment: Mapping[str, str] = os.environ) -> Path:
    """Where torch's hub keeps downloaded weights; told without torch, which Blender's own process never loads."""
    cache = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(environment.get("TORCH_HOME") or Path(cache) / "torch").expanduser() / "hub" / "checkpoints"


def places(asset: UserAsset, assets: Path | None) -> tuple[Path, ...]:
    """The folders where the file may lie: in the user's own, ``assets``, where there is one, and in torch's cache."""
    own = () if assets is None else (assets / asset.folder,)
    return (*own, torch_checkpoints()) if asset.shared_with_torch else own


def find_user_asset(asset: UserAsset, folders: Sequence[Path]) -> Path | None:
    """The first file of the right name and size; quick enough for a panel, so the hash is not looked at."""
    for folder in folders:
        path = folder / asset.name
        if path.is_file() and path.stat().st_size == asset.size:
            return path
    return None


def read_user_asset(asset: UserAsset, folders: Sequence[Path]) -> bytes:
    """The verified content of the first good copy.

    Args:
        folders: where to look, see :func:`places`.

    Raises:
        AssetError: there is none, or only damaged ones.
    """
    refused = []
    for folder in folders:
        path = folder / asset.name
        if not path.exists():
            continue
        try:
            return _verified(asset, path)
        except AssetError as error:
            refused.append(error.message)
    places = " or ".join(map(str, folders))
    raise AssetError(
        " ".join(refused) or f"The file {asset.name} ({asset.title}) is not in {places}.", how_to_get(asset)
    )


def how_to_get(asset: UserAsset) -> str:
    """A remedy that names the file, its size and its source."""
    return (
        f"In FaceDetail's preferences choose Download… or Install… for “{asset.title}” ({asset.size / 1e6:.0f} MB, "
        f"from {asset.url})."
    )


def install_user_asset(asset: UserAsset, source: Path, assets: Path) -> Path:
    """Copy a file that the user has into the user's folder, under its right name; a good copy that is there is kept.

    Raises:
        AssetError: it is another file, or the copy cannot be written.
    """
    folder = assets / asset.folder
    target = folder / asset.name
    if is_exactly(target, asset.size, asset.sha256):
        return target
    content = _verified(asset, source)
    temporary = target.with_name(target.name + ".installing")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise AssetError(
            f"{target} cannot be written: {error.strerror or error}.",
            f"Free {asset.size / 1e6:.0f} MB on that disk and make sure that you may write to {folder}.",
        ) from error
    return target


def download_user_asset(
    asset: UserAsset,
    assets: Path,
    *,
    online: bool,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Path:
    """Download the file into the user's folder (:func:`.downloads.fetch`); after the user has agreed to its licence."""
    return fetch(
        asset.url,
        assets / asset.folder / asset.name,
        size=asset.size,
        sha256=asset.sha256,
        online=online,
        progress=progress,
        cancelled=cancelled,
    )


def remove_user_asset(asset: UserAsset, assets: Path) -> None:
    """Delete the file and an unfinished download of it from the user's folder.

    Raises:
        AssetError: one of them cannot be deleted.
    """
    for name in (asset.name, asset.name + PART_SUFFIX):
        path = assets / asset.folder / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise AssetError(
                f"{path} cannot be deleted: {error.strerror or error}.", "Close what uses it, or delete it yourself."
            ) from error


def _verified(asset: UserAsset, path: Path) -> bytes:
    """The file's bytes, of the right size and hash; no more than that size is ever read."""
    remedy = how_to_get(asset)
    try:
        if not path.is_file():
            raise AssetError(f"{path} is not a file.", remedy)
        found = path.stat().st_size
        if found != asset.size:
            raise AssetError(f"{path} is not {asset.name}: it has {found} bytes, not {asset.size}.", remedy)
        with open(path, "rb") as stream:
            content = stream.read(asset.size)
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}.", remedy) from error
    if hashlib.sha256(content).hexdigest() != asset.sha256:
        raise AssetError(f"{path} is not {asset.name}, or it is damaged: its SHA-256 differs.", remedy)
    return content
