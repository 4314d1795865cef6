# SPDX-License-Identifier: GPL-3.0-or-later
"""How much each vertex of a head goes with its bones."""

import bpy
import numpy as np

from ...core.image import smoothstep
from ..head_object import HeadObject
from .bones import EYE_BONES, HEAD_BONE, JAW_BONE, NECK_BONE, JawHinge, rest_points

_NECK_GROUP = "neck"
_JAW_KEY = "jawOpen"
_ROUNDS = 12
"""Of smoothing the border of neck and head, over neighbours."""
_LEAST = 0.001


def part_weights(head: HeadObject, name: str, part: bpy.types.Object, hinge: JawHinge) -> dict[str, np.ndarray]:
    """(N,) by the names of bones, together 1."""
    count = len(part.data.vertices)
    if name in EYE_BONES:
        return {EYE_BONES[name]: np.ones(count)}
    jaw = _jaw_share(head, part, hinge)
    neck = _neck_share(head, part) if part == head.skin else np.zeros(count)
    # The throat under the chin is neck, but goes with the jaw.
    return {JAW_BONE: jaw, NECK_BONE: (1 - jaw) * neck, HEAD_BONE: (1 - jaw) * (1 - neck)}


def write_weights(part: bpy.types.Object, weights: dict[str, np.ndarray]) -> None:
    """As vertex groups of the bones' names."""
    for name, values in weights.items():
        group = part.vertex_groups.get(name) or part.vertex_groups.new(name=name)
        for vertex in np.flatnonzero(values > _LEAST).tolist():
            group.add((vertex,), float(values[vertex]), "REPLACE")


def _jaw_share(head: HeadObject, part: bpy.types.Object, hinge: JawHinge) -> np.ndarray:
    """What the slider moves, as a part of what the bone would."""
    keys = part.data.shape_keys
    if keys is None or _JAW_KEY not in keys.key_blocks:
        return np.zeros(len(part.data.vertices))
    rest = rest_points(head, part)
    moved, wholly = rest_points(head, part, _JAW_KEY) - rest, hinge.moves(rest)
    share = (moved * wholly).sum(axis=1) / np.maximum((wholly**2).sum(axis=1), 1e-8)
    return np.clip(share, 0, 1)


def _neck_share(head: HeadObject, skin: bpy.types.Object) -> np.ndarray:
    """1 at the neck's lower end, less upwards, 0 on the head."""
    height = rest_points(head, skin)[:, 2]
    group = skin.vertex_groups.get(_NECK_GROUP)
    if group is None:
        low, high = height.min(), np.percentile(height, 25)
        return 1 - smoothstep(height, low + 0.2 * (high - low), high)
    inside = np.array([any(one.group == group.index for one in vertex.groups) for vertex in skin.data.vertices])
    if not inside.any():
        return np.zeros(len(height))
    low, high = height[inside].min(), height[inside].max()
    share = np.where(inside, 1 - smoothstep(height, low + 0.15 * (high - low), high), 0.0)
    edges = np.empty(2 * len(skin.data.edges), np.int32)
    skin.data.edges.foreach_get("vertices", edges)
    first, second = edges.reshape(-1, 2).T
    neighbours = np.bincount(edges, minlength=len(share))
    for _ in range(_ROUNDS):
        total = np.bincount(first, share[second], len(share)) + np.bincount(second, share[first], len(share))
        share = np.where(neighbours > 0, 0.5 * share + 0.5 * total / np.maximum(neighbours, 1), share)
    return np.clip(share, 0, 1)
