# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the built-in head attached to another one: posed as the skin around them is, and moved along with it."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..face_model.model import FaceModel, MeshPart
from ..face_model.normalise import similarity
from .correspondence import Correspondence
from .shape_fit import Similarity
from .uv_transfer import outside_of_openings

# The skin that a part follows: near it for an eye, else by regions.
_EYE_REGION, _EYE_REACH_MM = "eyes", 30.0
_MOUTH_REGIONS = ("mouth", "chin", "nose")
_NEIGHBOURS = 40
_RIDGE = 0.5  # of local maps towards the head's similarity, relative to the variance of the neighbourhood


@dataclass(frozen=True)
class AttachedParts:
    """P vertices of several parts, numbered from where the external model's own end.

    Attributes:
        parts: of the built-in head.
        mean: (P, 3) float32 mm. identity: (K, P, 3) float32 mm. expression: (E, P, 3) float32 mm.
    """

    parts: tuple[MeshPart, ...]
    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray


def attached_parts(
    wanted: tuple[MeshPart, ...],
    builtin: FaceModel,
    correspondence: Correspondence,
    identity: np.ndarray,
    expression_names: tuple[str, ...],
    first: int,
) -> AttachedParts:
    """Built-in parts on an external head.

    Args:
        identity: (K, V_skin, 3) of the external skin, head frame. expression_names: E of the external model.
        first: how many vertices the external model has.
    """
    empty = np.zeros((0, 3), np.float32)
    means, parts = [empty], []
    identities, expressions = [np.zeros((len(identity), 0, 3), np.float32)], [np.zeros((len(expression_names), 0, 3))]
    for part in wanted:
        around = _skin_around(part, builtin, correspondence)
        pose = pose_of_part(part, builtin, correspondence)
        mean = pose(part.of(builtin.mean))
        means.append(mean.astype(np.float32))
        identities.append(_identity_of(mean, around, correspondence, identity))
        expressions.append(_expressions_of(part, builtin, expression_names) @ (pose.scale * pose.rotation.T))
        start = first + sum(len(other) for other in means[1:-1])
        parts.append(replace(part, start=start, stop=start + len(mean)))
    return AttachedParts(
        tuple(parts),
        np.concatenate(means),
        np.concatenate(identities, axis=1),
        np.concatenate(expressions, axis=1).astype(np.float32),
    )


def pose_of_part(part: MeshPart, builtin: FaceModel, correspondence: Correspondence) -> Similarity:
    """From a built-in part to where it goes, as the skin around it does."""
    around = _skin_around(part, builtin, correspondence)
    return Similarity(*similarity(builtin.mean[around].astype(np.float64), correspondence.registered[around]))


def local_jacobians(rest: np.ndarray, moved: np.ndarray, scale: float) -> np.ndarray:
    """(V, 3, 3) float64: what a small step at each point becomes where the points are moved, ``step @ jacobian``.

    Affine maps fitted to the points around; across a smooth skin, which does not determine them, a change of scale.

    Args:
        rest, moved: (V, 3) mm. scale: of the whole.
    """
    rest, moved = rest.astype(np.float64), moved.astype(np.float64)
    near = cKDTree(rest).query(rest, k=_NEIGHBOURS)[1]
    before, after = rest[near] - rest[near].mean(axis=1, keepdims=True), moved[near]
    after = after - after.mean(axis=1, keepdims=True)
    scatter = np.einsum("vki,vkj->vij", before, before)
    ridge = _RIDGE * np.trace(scatter, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    return np.linalg.solve(scatter + ridge, np.einsum("vki,vkj->vij", before, after) + scale * ridge)


def _skin_around(part: MeshPart, builtin: FaceModel, correspondence: Correspondence) -> np.ndarray:
    """Built-in skin vertices, matched, that a part goes with."""
    usable = outside_of_openings(builtin) & correspondence.matched
    if part.name.startswith("eye"):
        middle = part.of(builtin.mean).mean(axis=0)
        near = np.linalg.norm(builtin.skin.of(builtin.mean) - middle, axis=1) < _EYE_REACH_MM
        return np.flatnonzero(usable & near & builtin.in_region(_EYE_REGION))
    return np.flatnonzero(usable & builtin.in_region(*_MOUTH_REGIONS))


def _identity_of(
    mean: np.ndarray, around: np.ndarray, correspondence: Correspondence, identity: np.ndarray
) -> np.ndarray:
    """(K, P, 3) float32: parts shift and grow as the skin around them does; they do not turn, for eyes look ahead."""
    skin = correspondence.neutral[: identity.shape[1]].astype(np.float64)
    nearest = np.unique(cKDTree(skin).query(correspondence.registered[around])[1])
    place, offsets = skin[nearest], identity[:, nearest].astype(np.float64)
    centre, shift = place.mean(axis=0), offsets.mean(axis=1)
    ray = place - centre
    growth = np.einsum("knc,nc->k", offsets - shift[:, None], ray) / (ray**2).sum()
    return (shift[:, None] + growth[:, None, None] * (mean - centre)).astype(np.float32)


def _expressions_of(part: MeshPart, builtin: FaceModel, names: tuple[str, ...]) -> np.ndarray:
    """(E, P, 3) the built-in part's motion under the external model's names; none where it has no such name."""
    out = np.zeros((len(names), part.stop - part.start, 3), np.float32)
    for mode, name in zip(out, names, strict=True):
        if name in builtin.expression_names:
            mode[:] = part.of(builtin.expression_basis[builtin.expression_names.index(name)])
    return out
