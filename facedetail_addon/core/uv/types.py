# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical texture space of a head, and what a photo shows in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from ..face_model.model import PointEmbedding
from ..geometry.mesh_fields import FAR_MM, Smoother, grown, smoother
from ..image import Surroundings, surroundings

_WHOLE = 1 << 15  # of weights: a power of two, so that they sum to 1 to the last bit and nothing leaves its range
_BAND_TEXELS = 1 << 16  # of the texture worked on at a time, to stay in the processor's cache
REDUCED_SIDE = 1024
"""Texels per side that are enough to look for highlights, creases and beards."""


@dataclass(frozen=True)
class UVRaster:
    """The triangles of one part, drawn into its UV layout; N covered texels in row-major order, row 0 the top (v = 1).

    Attributes:
        covered: (R, R) bool: texels on an island.
        index: (N,) which of ``MeshPart.triangles()`` each covered texel shows.
        weights: (N, 2) uint16, 32768 = 1, of the triangle's second and third corner; the first has the rest. Texels
            that an island only touches get the nearest point of its border.
    """

    covered: np.ndarray
    index: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, triangle: np.ndarray, barycentric: np.ndarray) -> "UVRaster":
        """Of (R, R) int triangles, −1 outside every island, and (N, 3) weights of the corners of the covered texels."""
        covered = triangle >= 0
        index = triangle[covered]
        small = len(index) == 0 or index.max() <= np.iinfo(np.uint16).max
        second, third = (np.round(barycentric[:, k].clip(0, 1) * _WHOLE).astype(np.int32) for k in (1, 2))
        weights = np.stack([second, np.minimum(third, _WHOLE - second)], axis=1)
        return cls(covered, index.astype(np.uint16 if small else np.int32), weights.astype(np.uint16))

    @staticmethod
    def whole(weights: np.ndarray) -> bool:
        """Whether no two of (N, 2) uint16 weights are more than 1 together."""
        second, third = weights[:, 0], weights[:, 1]
        return bool((second <= _WHOLE).all() and (third <= _WHOLE - second).all())

    @property
    def resolution(self) -> int:
        return self.covered.shape[0]

    @property
    def triangle(self) -> np.ndarray:
        """(R, R) int32 of all texels, −1 outside every island."""
        out = np.full(self.covered.shape, -1, np.int32)
        out[self.covered] = self.index
        return out

    @property
    def barycentric(self) -> np.ndarray:
        """(N, 3) float32 weights of the triangle's corners; non-negative, each row sums to 1."""
        return _three(self.weights)

    @cached_property
    def _starts(self) -> np.ndarray:
        """(R + 1,) how many covered texels lie above each row."""
        return np.concatenate([[0], np.cumsum(np.count_nonzero(self.covered, axis=1))])

    def covered_of(self, rows: slice) -> slice:
        """Which of the N covered texels lie in some rows."""
        start, stop, _ = rows.indices(self.resolution)
        return slice(int(self._starts[start]), int(self._starts[max(start, stop)]))

    def texels_of(self, rows: slice) -> np.ndarray:
        """(N,) int64 which of the R² texels are the covered ones of some rows."""
        start = rows.indices(self.resolution)[0]
        return np.flatnonzero(self.covered[rows]) + start * self.resolution

    def reduced(self, step: int) -> "UVRaster":
        """With one texel for ``step`` × ``step``, an even number; covered where the ones beside its centre are."""
        half = step // 2
        row = np.full(self.covered.shape, -1, np.int32)
        row[self.covered] = np.arange(len(self.index), dtype=np.int32)
        before, after = row[half - 1 :: step, half - 1 :: step], row[half::step, half::step]
        covered = (before >= 0) & (after >= 0)
        before, after = before[covered], after[covered]
        before = np.where(self.index[before] == self.index[after], before, after)
        weights = (self.weights[before].astype(np.uint32) + self.weights[after]) // 2
        return UVRaster(covered, self.index[after], weights.astype(np.uint16))

    def interpolation(
        self, triangles: np.ndarray, vertex_count: int, which: slice | np.ndarray = slice(None)
    ) -> csr_matrix:
        """Covered texels as weighted vertices.

        Args:
            triangles: (T, 3) int, ``MeshPart.triangles()``. vertex_count: V of the part. which: of the covered texels.

        Returns:
            (N, V) float32 matrix; multiplied with (V, C) values of the vertices it gives (N, C) values of the texels.
        """
        corners = triangles.take(self.index[which], axis=0)
        pointer = np.arange(0, 3 * len(corners) + 1, 3, dtype=np.int32)
        weights = _three(self.weights[which])
        return csr_matrix((weights.ravel(), corners.ravel(), pointer), shape=(len(corners), vertex_count))


def _three(weights: np.ndarray) -> np.ndarray:
    """(N, 3) float32 of (N, 2) uint16 weights."""
    out = np.empty((len(weights), 3), np.float32)
    np.multiply(weights, np.float32(1 / _WHOLE), out=out[:, 1:])
    out[:, 0] = 1 - out[:, 1] - out[:, 2]
    return out


@dataclass(frozen=True)
class Atlas:
    """The canonical UV of one face model at one resolution: everything that no photo changes.

    Attributes:
        raster: of the skin, R texels per side.
        triangles: (T, 3) int32 of the skin.
        mirror: the counterparts of the V skin vertices on the other side of the face.
        laplacian: (V, V) cotangent Laplacian of the mean head's skin. areas: (V,) float64 mm² around its vertices.
        order: (V,) int of them, of :func:`.mesh_fields.fill_reducing_order`.
    """

    raster: UVRaster
    triangles: np.ndarray
    mirror: PointEmbedding
    laplacian: csc_matrix
    areas: np.ndarray
    order: np.ndarray

    @property
    def resolution(self) -> int:
        return self.raster.resolution

    @property
    def covered(self) -> np.ndarray:
        """(R, R) bool: texels on the skin."""
        return self.raster.covered

    @cached_property
    def surroundings(self) -> Surroundings:
        """What lies around the skin, with which its maps are padded."""
        return surroundings(self.covered)

    @cached_property
    def reduced(self) -> "Atlas":
        """With 1024 texels per side, where what is looked for is no finer; itself where it has not more."""
        step = self.resolution // REDUCED_SIDE
        if step < 2 or self.resolution % (2 * REDUCED_SIDE):
            return self
        return replace(self, raster=self.raster.reduced(step))

    def texels(self, values: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        """(V, C) float32 values of the skin's vertices to (N, C) of the covered texels of some rows, row by row."""
        return self.covered_texels(values, self.raster.covered_of(rows))

    def covered_texels(self, values: np.ndarray, which: slice | np.ndarray) -> np.ndarray:
        """(V, C) float32 values of the skin's vertices to (N, C) of some of the covered texels."""
        return self.raster.interpolation(self.triangles, len(self.areas), which) @ values

    def picture(self, values: np.ndarray) -> np.ndarray:
        """(V,) or (V, C) values of the skin's vertices to (R, R) or (R, R, C) float32, 0 beside the skin."""
        side = self.resolution
        out = np.zeros((side * side, *values.shape[1:]), np.float32)
        values = np.ascontiguousarray(values, np.float32)

        def draw(texel: np.ndarray, covered: slice) -> None:
            out[texel] = self.covered_texels(values, covered)

        self.each_band(draw)
        return out.reshape(side, side, *values.shape[1:])

    def each_band(self, work: Callable[[np.ndarray, slice], None], start: int = 0, stop: int | None = None) -> None:
        """Call with (N,) which of the R² texels, and which of the covered ones, some rows have, band by band."""
        for rows in self.bands(start, stop):
            covered = self.raster.covered_of(rows)
            if covered.stop > covered.start:
                work(self.raster.texels_of(rows), covered)

    def smoother(
        self,
        weights: np.ndarray,
        detail_mm: float,
        reach_mm: np.ndarray | float = FAR_MM,
        where: np.ndarray | None = None,
        beyond: int = 4,
    ) -> Smoother:
        """Of :func:`.mesh_fields.smooth_field` over the skin.

        Args:
            where: (V,) bool, vertices that are asked for; all where None. beyond: others that are not more edges away
                from them count, too.
        """
        order = self.order
        if where is not None:
            order = order[grown(self.laplacian, where, beyond)[order]]
        return smoother(self.laplacian, self.areas, weights, detail_mm, reach_mm, order)

    def bands(self, start: int = 0, stop: int | None = None) -> Iterator[slice]:
        """Rows of the texture from start to stop, all by default, in bands that are small in memory."""
        stop = self.resolution if stop is None else stop
        height = max(1, _BAND_TEXELS // self.resolution)
        for row in range(start, stop, height):
            yield slice(row, min(row + height, stop))


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
