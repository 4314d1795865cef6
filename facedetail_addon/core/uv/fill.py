# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth continuation of what was seen: over the mesh for unseen skin, over the texture beyond the islands."""

import cv2
import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..face_model.model import FaceModel
from .view import smoothstep

_PULL_MM = {"skin": 28.0, "scalp": 20.0}  # how far beyond what was seen its colour reaches
_PULL_FAR_MM = 1e3  # for fields without a prior of their own
_SIDE_MM = 50.0  # the skin's colour may change from side to side over twice this width
_FLESH = np.float32([0.55, 0.24, 0.22])  # inside of the mouth relative to the skin's colour
_DEEP_MM = (7.0, 18.0)  # so far inside the flesh's colour begins and is full; lips and lids reach in until there
_LEAST_EVIDENCE = 1e-3
_PAD_TEXELS = 16  # exact copies of the border this far out, softer beyond


def mesh_laplacian(vertices: np.ndarray, triangles: np.ndarray) -> csc_matrix:
    """(V, V) cotangent Laplacian, positive semi-definite, its weights limited so that slivers do no harm."""
    count = len(vertices)
    corners = vertices[triangles].astype(np.float64)
    rows, columns, values = [], [], []
    for k in range(3):
        a, b = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        area = np.linalg.norm(np.cross(a, b), axis=1)
        cotangent = ((a * b).sum(axis=1) / np.maximum(area, 1e-9)).clip(0.05, 10) / 2
        rows.append(triangles[:, (k + 1) % 3])
        columns.append(triangles[:, (k + 2) % 3])
        values.append(cotangent)
    rows, columns, values = np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
    edges = coo_matrix((values, (rows, columns)), shape=(count, count)).tocsr()
    edges = edges + edges.T
    return (diags(np.asarray(edges.sum(axis=1)).ravel()) - edges).tocsc()


def vertex_areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V,) float64 mm², a third of the triangles around each vertex."""
    corners = vertices[triangles].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6
    return np.bincount(triangles.ravel(), np.repeat(area, 3), len(vertices)) + 1e-6


def spread(
    laplacian: csc_matrix,
    areas: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    detail_mm: float,
    prior: np.ndarray | float = 0.0,
    reach_mm: np.ndarray | float = _PULL_FAR_MM,
) -> np.ndarray:
    """The smoothest field that keeps to the values where they are trusted and returns to the prior far from them.

    Minimises ∫ w (x − value)² / detail² + (x − prior)² / reach² + |∇x|² over the surface.

    Args:
        laplacian: (V, V), of :func:`mesh_laplacian`. areas: (V,) mm². values: (V, C). weights: (V,) ≥ 0.
        detail_mm: changes over less than this are smoothed away. prior: (V, C) or one value.
        reach_mm: (V,) or one length.

    Returns:
        (V, C) float32.
    """
    keep = areas * weights / detail_mm**2
    pull = areas / np.square(np.broadcast_to(reach_mm, areas.shape))
    factor = splu(
        (diags(keep + pull) + laplacian).tocsc(),
        permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True},
    )  # fmt: skip
    right = keep[:, None] * values + pull[:, None] * prior
    return factor.solve(right.astype(np.float64)).astype(np.float32)


def colour_prior(
    model: FaceModel, vertices: np.ndarray, colours: np.ndarray, weights: np.ndarray, fallback: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What unseen places probably look like: skin, hair colour on the scalp, flesh inside mouth and eye sockets.

    Args:
        vertices: (V, 3) mm skin vertices at rest. colours: (V, 3) float32 0..255 seen ones. weights: (V,) how surely.
        fallback: (3,) the skin's colour where nothing was seen.

    Returns:
        (V, 3) float32 colours, and (V,) float32 mm how far other colours reach against them.
    """
    names = model.region_names
    region = model.region
    masks = {name: region == names.index(name) if name in names else np.zeros(len(region), bool) for name in
             ("scalp", "neck", "ears", "socket")}  # fmt: skip
    face = ~(masks["scalp"] | masks["neck"] | masks["ears"] | masks["socket"])
    skin = _weighted_median(colours[face], weights[face], fallback)
    left = smoothstep(vertices[:, 0], -_SIDE_MM, _SIDE_MM)  # light from one side stays on its side
    sides = [_weighted_median(colours[face], (weights * share**2)[face], skin) for share in (left, 1 - left)]
    prior = left[:, None] * sides[0] + (1 - left[:, None]) * sides[1]
    reach = np.full(len(region), _PULL_MM["skin"], np.float32)
    if weights[masks["scalp"]].sum() > 3:
        prior[masks["scalp"]] = _weighted_median(colours[masks["scalp"]], weights[masks["scalp"]], skin)
        reach[masks["scalp"]] = _PULL_MM["scalp"]
    if masks["socket"].any() and not masks["socket"].all():
        chroma = float(smoothstep((skin.max() - skin.min()) / max(skin.max(), 1.0), 0.02, 0.2))
        flesh = _FLESH * chroma + _FLESH.mean() * (1 - chroma)
        inside, _ = cKDTree(vertices[~masks["socket"]]).query(vertices[masks["socket"]])
        prior[masks["socket"]] = skin * flesh
        deep = smoothstep(inside, *_DEEP_MM)
        reach[masks["socket"]] = deep + (1 - deep) * _PULL_FAR_MM
    return prior, reach


def pad_islands(colour: np.ndarray, covered: np.ndarray) -> None:
    """Fill the texels outside the islands in place: copies of the nearest border texel, softened further out.

    Args:
        colour: (R, R, 3) uint8, written where not ``covered``. covered: (R, R) bool.
    """
    if covered.all() or not covered.any():
        return
    distance, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(int(labels.max()) + 1, np.int32)
    inside, outside = np.flatnonzero(covered), np.flatnonzero(~covered)
    source[labels.ravel()[inside]] = inside
    flat = colour.reshape(-1, 3)
    flat[outside] = flat[source[labels.ravel()[outside]]]
    small = cv2.resize(colour, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 4, borderType=cv2.BORDER_REPLICATE)
    soft = cv2.resize(soft, colour.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    amount = smoothstep(distance, _PAD_TEXELS, 5 * _PAD_TEXELS)
    colour[:] = cv2.blendLinear(colour, soft, 1 - amount, amount)


def _weighted_median(values: np.ndarray, weights: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """(C,) median of (N, C) values by (N,) weights; the fallback where they add up to nothing."""
    if weights.sum() < _LEAST_EVIDENCE:
        return np.asarray(fallback, np.float32)
    out = np.empty(values.shape[1], np.float32)
    for channel in range(values.shape[1]):
        order = np.argsort(values[:, channel])
        total = np.cumsum(weights[order])
        out[channel] = values[order[np.searchsorted(total, total[-1] / 2)], channel]
    return out
