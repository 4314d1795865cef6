# SPDX-License-Identifier: GPL-3.0-or-later
"""Face models by name: the built-in one, and those in the user's folder."""

from pathlib import Path

from ...settings import BUILTIN
from ..assets.shipped import find_weights
from ..errors import FaceModelError
from .calibration import LandmarkCalibration, load_calibration
from .model import FaceModel
from .model_file import load_face_model
from .store import CALIBRATION_FILE, DICTIONARY_FILE, HEAD_FILE, InstalledModel, find_installed

BUILTIN_FILE = "face_model.npz"


def load_named_model(name: str, assets: Path | None = None) -> FaceModel:
    """The face model of that name.

    Args:
        name: ``"builtin"`` or the id of an installed model.
        assets: the user's folder; None where only the built-in model will do.

    Raises:
        FaceModelError: it is not installed, is out of date (:func:`is_outdated`), or its file is not what it should be.
        AssetError: the built-in model's file is missing or damaged.
    """
    if name == BUILTIN:
        return load_face_model(find_weights(BUILTIN_FILE))
    info = installed(name, assets)
    if _is_outdated(info):
        raise FaceModelError(
            f"The face model {name} was matched to the built-in head of another version of FaceDetail.",
            "Reconstruct a photo with it, which matches it again in some seconds, or import it again: in FaceDetail's "
            "preferences, or with --model PATH.",
        )
    model = load_face_model(info.folder / HEAD_FILE)
    if model.origin is None or model.origin.source_sha256 != info.folder.name:
        raise FaceModelError(
            f"The face model {info.folder / HEAD_FILE} is of another import.",
            "Remove the model in FaceDetail's preferences, and import it again.",
        )
    return model


def is_outdated(name: str, assets: Path | None = None) -> bool:
    """Whether the model was matched to the built-in head of another version, so that it must be matched again.

    Raises:
        FaceModelError: it is not installed. AssetError: what ships is missing or damaged.
    """
    return name != BUILTIN and _is_outdated(installed(name, assets))


def _is_outdated(info: InstalledModel) -> bool:
    # The fingerprint of what ships, as its calibration tells it: the head itself takes a quarter of a second to read.
    return info.canonical != load_calibration().model_fingerprint


def load_named_calibration(name: str, assets: Path | None = None) -> LandmarkCalibration:
    """The landmark calibration of the face model of that name; raises as :func:`load_named_model` does."""
    if name == BUILTIN:
        return load_calibration()
    return load_calibration(installed(name, assets).folder / CALIBRATION_FILE)


def named_dictionary(name: str, assets: Path | None = None) -> Path | None:
    """The expression dictionary sampled from an installed model itself; None where it has none, as the built-in one."""
    if name == BUILTIN:
        return None
    path = installed(name, assets).folder / DICTIONARY_FILE
    return path if path.is_file() else None


def installed(name: str, assets: Path | None) -> InstalledModel:
    """What the store knows of an imported model.

    Raises:
        FaceModelError: it is not there, or no folder of the user's was given.
    """
    if assets is None:
        raise FaceModelError(
            f"The face model {name} is not built in, and no folder with imported models was given.",
            f'Choose the face model "{BUILTIN}", or name the folder: --assets DIR.',
        )
    return find_installed(name, assets)
