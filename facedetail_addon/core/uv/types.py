# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical texture space of a head, and what a photo shows in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from ..face_model.model import PointEmbedding
from ..image import Surroundings, surroundings

_BAND_ROWS = 128  # rows of the texture worked on at a time, to stay small in memory


@dataclass(frozen=True)
class UVRaster:
    """The triangles of one part, drawn into its UV layout.

    Attributes:
        triangle: (R, R) int32 index into ``MeshPart.triangles()``, −1 outside every island; row 0 is the top (v = 1).
        barycentric: (N, 3) float32 weights of the triangle's corners for the N covered texels in row-major order;
            non-negative, each row sums to 1. Texels that an island only touches get the nearest point of its border.
    """

    triangle: np.ndarray
    barycentric: np.ndarray

    @property
    def resolution(self) -> int:
        return self.triangle.shape[0]

    def interpolation(self, triangles: np.ndarray, vertex_count: int, rows: slice = slice(None)) -> csr_matrix:
        """The covered texels of some rows as weighted vertices.

        Args:
            triangles: (T, 3) int, ``MeshPart.triangles()``. vertex_count: V of the part. rows: rows of the texture.

        Returns:
            (N, V) float32 matrix; multiplied with (V, C) values of the vertices it gives (N, C) values of the texels.
        """
        covered = self.triangle[rows]
        first = int(np.count_nonzero(self.triangle[: rows.start or 0] >= 0))
        corners = triangles[covered[covered >= 0]]
        weights = self.barycentric[first : first + len(corners)]
        pointer = np.arange(0, 3 * len(corners) + 1, 3, dtype=np.int32)
        return csr_matrix((weights.ravel(), corners.ravel(), pointer), shape=(len(corners), vertex_count))


@dataclass(frozen=True)
class Atlas:
    """The canonical UV of one face model at one resolution: everything that no photo changes.

    Attributes:
        raster: of the skin, R texels per side.
        triangles: (T, 3) int32 of the skin.
        mirror: the counterparts of the V skin vertices on the other side of the face.
        laplacian: (V, V) cotangent Laplacian of the mean head's skin. areas: (V,) float64 mm² around its vertices.
    """

    raster: UVRaster
    triangles: np.ndarray
    mirror: PointEmbedding
    laplacian: csc_matrix
    areas: np.ndarray

    @property
    def resolution(self) -> int:
        return self.raster.resolution

    @property
    def covered(self) -> np.ndarray:
        """(R, R) bool: texels on the skin."""
        return self.raster.triangle >= 0

    @cached_property
    def surroundings(self) -> Surroundings:
        """What lies around the skin, with which its maps are padded."""
        return surroundings(self.covered)

    def texels(self, values: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        """(V, C) float32 values of the skin's vertices to (N, C) of the covered texels of some rows, row by row."""
        return self.raster.interpolation(self.triangles, len(self.areas), rows) @ values

    def bands(self, start: int = 0, stop: int | None = None) -> Iterator[slice]:
        """Rows of the texture from start to stop, all by default, in bands that are small in memory."""
        stop = self.resolution if stop is None else stop
        for row in range(start, stop, _BAND_ROWS):
            yield slice(row, min(row + _BAND_ROWS, stop))


@dataclass(frozen=True)
class UnwrappedPhoto:
    """What a photo shows of the skin, with the photo's light in it, in canonical UV and at the skin's vertices.

    Colours of texels are those of the photo at the place the texel projects to, whatever lies there; only where
    confidence is positive do they belong to the skin. The mirrored ones are what the photo shows of the same place
    on the other side of the face.

    Attributes:
        color, mirrored_color: (R, R, 3) uint8 sRGB; row 0 is the top (v = 1); 0 outside the island.
        confidence, mirrored_confidence: (R, R) float32, 1 = seen straight on, 0 = not seen or outside the island.
        vertex_color: (V_skin, 3) float32 linear Rec. 709 in [0, 1], averaged around the vertex over pixels of skin
            only; skin at the rim of eyes and teeth takes the colour from beside it.
        vertex_confidence: (V_skin,) float32, as ``confidence``; never 0 at such rims.
        vertex_clipped: (V_skin,) float32, share of the pixels around the vertex with a channel at its upper end.
    """

    color: np.ndarray
    confidence: np.ndarray
    mirrored_color: np.ndarray
    mirrored_confidence: np.ndarray
    vertex_color: np.ndarray
    vertex_confidence: np.ndarray
    vertex_clipped: np.ndarray
