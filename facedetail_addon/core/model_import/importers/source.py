# SPDX-License-Identifier: GPL-3.0-or-later
"""What all importers share: how they refuse, how much they read, and whether a head stands as it should."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ...assets.shipped import sha256
from ...errors import FaceModelError
from ...face_model.model import MeshPart, split_quads
from ..external import UNKNOWN, outwards

# Called with a short text and the fraction done, 0 to 1.
Progress = Callable[[str, float], None]

MAX_MODES = 512
MAX_VERTICES = 200_000
MAX_FACES = 500_000
# All bases together as float32: Basel's 199, 100 and 199 modes on 58,203 vertices are a third of it.
MAX_BASES_BYTES = 1 << 30
# A head or a mask of its face, by any scanner: the least and the largest side of the box around it.
_HEAD_MM = (40.0, 700.0)
# Of the width: even random faces differ by less from their mirror images, tops and bottoms by more.
_ASYMMETRY = 0.015


@dataclass(frozen=True)
class Source:
    """A file or folder being imported; what it is called in messages, and what helps where it is wrong."""

    path: Path
    remedy: str

    def refuse(self, what: str) -> FaceModelError:
        """The error to raise: what is wrong with the file, as the end of a sentence."""
        return FaceModelError(f"{self.path} cannot be imported: {what}.", self.remedy)

    def require_budget(self, vertices: int, modes: int) -> None:
        """Raises FaceModelError where the model would be too large, before anything of it is read."""
        if vertices > MAX_VERTICES or 12 * vertices * modes > MAX_BASES_BYTES:
            raise self.refuse(f"it declares {vertices:,} vertices and {modes} modes, more than any face model has")

    def require_numbers(self, name: str, array: np.ndarray) -> None:
        """Raises FaceModelError where an array of floats holds NaN or infinities."""
        if not np.isfinite(array).all():
            raise self.refuse(f"{name} holds values that are not numbers")

    def require_positive(self, name: str, array: np.ndarray) -> None:
        """Raises FaceModelError where a variance or deviation is not a number, or below zero."""
        self.require_numbers(name, array)
        if (array < 0).any():
            raise self.refuse(f"{name} holds negative values, which a variance cannot have")

    def require_triangles(self, name: str, triangles: np.ndarray, vertices: int) -> None:
        """Raises FaceModelError where (T, 3) triangles name vertices outside 0 … ``vertices`` − 1."""
        if triangles.min() < 0 or triangles.max() >= vertices:
            raise self.refuse(f"{name} names vertices outside the {vertices:,} of the model")

    def require_head(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """Check units and axes: (V, 3) mm as large as a head, the same on both sides of x, not seen from behind.

        Args:
            faces: (F, 4) winding outwards, −1 pads triangles.

        Raises:
            FaceModelError: which of them is wrong.
        """
        size = np.ptp(vertices, axis=0)
        if not (_HEAD_MM[0] < size.min() and size.max() < _HEAD_MM[1]):
            sides = " × ".join(f"{side:.4g}" for side in size)
            raise self.refuse(f"its mean is {sides} mm large, which is no head: the unit of length is another")
        middle = (vertices.max(axis=0) + vertices.min(axis=0)) / 2
        mirrored = (vertices - middle) * np.float32([-1, 1, 1]) + middle
        apart = np.median(cKDTree(vertices).query(mirrored[::7])[0])
        if apart > _ASYMMETRY * size[0]:
            raise self.refuse(
                "its mean is not the same on both sides of x = 0, so its axes are not those of the format"
            )
        # Whatever is open, a neck or the back of a mask, the surface as a whole does not face backwards.
        corners = vertices[split_quads(faces)].astype(np.float64)
        facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).sum(axis=0)
        if facing[2] < -abs(facing[1]):
            raise self.refuse("its mean looks backwards, so its axes are not those of the format")


def digest(files: list[Path]) -> str:
    """Hexadecimal SHA-256 of a file; of several, of their names and hashes in the order of names.

    Raises:
        OSError: one cannot be read, or is no regular file.
    """
    for file in files:
        if file.exists() and not file.is_file():
            raise OSError(f"{file.name} is not a file")
    if len(files) == 1:
        return sha256(files[0])
    lines = [f"{sha256(file)}  {file.name}\n" for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def skin_of_triangles(mean: np.ndarray, triangles: np.ndarray) -> MeshPart:
    """A model of one part without UV, from (V, 3) vertices and (T, 3) triangles, which are made to wind outwards."""
    faces = np.full((len(triangles), 4), UNKNOWN, np.int32)
    faces[:, :3] = triangles
    return MeshPart(
        name="skin", start=0, stop=len(mean), faces=outwards(mean, faces), uv=np.zeros((0, 2), np.float32),
        face_uv=np.full_like(faces, UNKNOWN), face_material=np.zeros(len(faces), np.uint8), materials=("skin",),
    )  # fmt: skip


def numbered_expressions(count: int) -> tuple[str, ...]:
    """Names of modes that have none: ``expression_00`` …"""
    return tuple(f"expression_{index:02d}" for index in range(count))
