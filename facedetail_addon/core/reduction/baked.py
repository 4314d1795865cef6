# SPDX-License-Identifier: GPL-3.0-or-later
"""Normals of a fine surface as a normal map for a coarser one with the same layout: relief, and what the mesh lacks.

Both meshes show a texel by the frame that shaders make there: normal and tangent go from corner to corner of a
triangle, the bitangent is at a right angle to both (MikkTSpace).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..face_model.model import Layout
from ..rendering.normals import unit
from ..uv.raster import rasterise_uv
from ..uv.types import UVRaster

_ROWS = 128
_BLEED = 16
"""Texels around the skin that take what is beside them, for coarser steps of the texture."""
_FLAT = np.array([128, 128, 255], np.uint8)


@dataclass(frozen=True)
class ShadedMesh:
    """A mesh as shaders see it.

    Attributes:
        layout: its faces in the texture.
        normals, tangents: (U, 3) float32 unit, for each place of the layout.
        signs: (U,) float32, 1 or −1: of the bitangent.
    """

    layout: Layout
    normals: np.ndarray
    tangents: np.ndarray
    signs: np.ndarray


def bake_normals(fine: ShadedMesh, coarse: ShadedMesh, relief: np.ndarray | None, resolution: int) -> np.ndarray:
    """What a coarse mesh shows as the fine one does.

    Args:
        relief: (R, R, 3) float32 unit normals in the fine mesh's tangent space, None where it is smooth.
        resolution: R.

    Returns:
        (R, R, 3) uint8, row 0 at the top; x along u, y along v (up): OpenGL's convention.
    """
    out = np.empty((resolution, resolution, 3), np.uint8)
    out[:] = _FLAT
    fine_raster, coarse_raster = (rasterise_uv(mesh.layout, resolution) for mesh in (fine, coarse))
    known = fine_raster.covered & coarse_raster.covered
    for rows in _bands(resolution):
        inside = known[rows]
        if not inside.any():
            continue
        frame = _frames(fine, fine_raster, rows, inside)
        target = frame[0] if relief is None else _out_of_frame(relief[rows][inside], *frame)
        target = _in_frame(target, *_frames(coarse, coarse_raster, rows, inside))
        out[rows][inside] = np.round(255 * (0.5 + 0.5 * target)).astype(np.uint8)
    _bleed(out, known)
    return out


def normal_differences(
    fine: ShadedMesh, coarse: ShadedMesh, relief: np.ndarray | None, mapped: np.ndarray | None, resolution: int
) -> np.ndarray:
    """(N,) degrees between the normals of both meshes at the texels that both cover.

    Args:
        relief, mapped: (R, R, 3) unit normals in the fine and in the coarse mesh's tangent space; None for none.
        resolution: R.
    """
    rasters = [rasterise_uv(mesh.layout, resolution) for mesh in (fine, coarse)]
    known = rasters[0].covered & rasters[1].covered
    found = []
    for rows in _bands(resolution):
        inside = known[rows]
        shown = []
        for mesh, raster, own in zip((fine, coarse), rasters, (relief, mapped), strict=True):
            frame = _frames(mesh, raster, rows, inside)
            shown.append(unit(frame[0] if own is None else _out_of_frame(own[rows][inside], *frame)))
        found.append(np.degrees(np.arccos((shown[0] * shown[1]).sum(axis=1).clip(-1, 1))))
    return np.concatenate(found)


def _bands(resolution: int) -> Iterator[slice]:
    for start in range(0, resolution, _ROWS):
        yield slice(start, min(start + _ROWS, resolution))


def _frames(
    mesh: ShadedMesh, raster: UVRaster, rows: slice, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, 3) normals, tangents and bitangents at the texels of ``inside``, as they come from corner to corner."""
    values = np.concatenate([mesh.normals, mesh.tangents, mesh.signs[:, None]], axis=1).astype(np.float32)
    covered = raster.covered_of(rows)
    texels = raster.interpolation(mesh.layout.uv_triangles(), len(values), covered) @ values
    texels = texels[inside[raster.covered[rows]]]
    normal, tangent, sign = texels[:, :3], texels[:, 3:6], np.sign(texels[:, 6:])
    return normal, tangent, sign * np.cross(normal, tangent)


def _out_of_frame(mapped: np.ndarray, normal: np.ndarray, tangent: np.ndarray, bitangent: np.ndarray) -> np.ndarray:
    """(N, 3) of a map to normals."""
    x, y, z = mapped.T[..., None]
    return x * tangent + y * bitangent + z * normal


def _in_frame(target: np.ndarray, normal: np.ndarray, tangent: np.ndarray, bitangent: np.ndarray) -> np.ndarray:
    """(N, 3) unit: which parts of the three make the target."""
    parts = np.stack(
        [
            (target * np.cross(bitangent, normal)).sum(axis=1),
            (target * np.cross(normal, tangent)).sum(axis=1),
            (target * np.cross(tangent, bitangent)).sum(axis=1),
        ],
        axis=1,
    )
    volume = (tangent * np.cross(bitangent, normal)).sum(axis=1)
    parts *= np.where(volume < 0, -1, 1)[:, None]
    return parts / np.maximum(np.linalg.norm(parts, axis=1, keepdims=True), 1e-9)


def _bleed(picture: np.ndarray, known: np.ndarray) -> None:
    """Texels beside known ones become as the nearest of these, in place."""
    distance, label = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.zeros(label.max() + 1, np.int64)
    flat = np.flatnonzero(known)
    place[label.ravel()[flat]] = flat
    near = np.flatnonzero(~known.ravel() & (distance.ravel() <= _BLEED))
    picture.reshape(-1, 3)[near] = picture.reshape(-1, 3)[place[label.ravel()[near]]]
