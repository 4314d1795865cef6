# SPDX-License-Identifier: GPL-3.0-or-later
"""Face models by name."""

from ..assets import find_weights
from ..errors import FaceModelError
from .model import FaceModel
from .model_file import load_face_model

BUILTIN = "builtin"
_BUILTIN_FILE = "face_model.npz"


def load_named_model(name: str) -> FaceModel:
    """The face model of that name.

    Args:
        name: ``"builtin"``, the only one in this version.

    Raises:
        FaceModelError: another name, or the file is not what it should be.
        AssetError: the file is missing or damaged.
    """
    if name != BUILTIN:
        raise FaceModelError(
            f"The face model {name} cannot be used: this version knows the built-in one only.",
            f'Choose the face model "{BUILTIN}".',
        )
    return load_face_model(find_weights(_BUILTIN_FILE))
