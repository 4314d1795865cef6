# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in head with fewer faces: its quads without some rows of them, made once by ``scripts.training.densities``.

Rows were taken where the surface, at rest and in strong expressions, loses least by it; so loops around eyes and lips
stay loops. Other models' skins have the same layout of the texture, and so take the same faces.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...settings import BUILTIN
from ..assets.shipped import find_weights
from .library import load_named_model
from .model import MeshPart

FULL, MEDIUM, LIGHT = "20k", "8k", "2k"
"""By about how many quads the skin has."""
DENSITIES = (LIGHT, MEDIUM, FULL)
DENSITIES_FILE = "densities.npz"


@dataclass(frozen=True)
class ReducedPart:
    """A part with fewer faces.

    Attributes:
        kept: (W,) int32, the part's vertices that stay, of ``vertices`` that it had.
        faces: (F, 4) int32 into ``kept``, −1 in the fourth of triangles. uv: (U, 2) float32. face_uv: (F, 4) int32.
    """

    vertices: int
    kept: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray


def load_density(name: str) -> Mapping[str, ReducedPart]:
    """The parts of the built-in head at a density, by their names.

    Args:
        name: ``20k``, ``8k`` or ``2k``.

    Raises:
        AssetError: a shipped file is missing or damaged.
    """
    if name == FULL:
        return {part.name: _whole(part) for part in load_named_model(BUILTIN).parts}
    with np.load(find_weights(DENSITIES_FILE), allow_pickle=False) as data:
        parts = sorted({key.split("/")[1] for key in data if key.startswith(f"{name}/")})
        return {
            part: ReducedPart(
                int(data[f"{name}/{part}/vertices"]),
                data[f"{name}/{part}/kept"].astype(np.int32),
                data[f"{name}/{part}/faces"].astype(np.int32),
                data[f"{name}/{part}/uv"],
                data[f"{name}/{part}/face_uv"].astype(np.int32),
            )
            for part in parts
        }


def _whole(part: MeshPart) -> ReducedPart:
    count = part.stop - part.start
    return ReducedPart(count, np.arange(count, dtype=np.int32), part.faces, part.uv, part.face_uv)
