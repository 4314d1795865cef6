# SPDX-License-Identifier: GPL-3.0-or-later
"""The packed ICT-FaceKit head that the built-in model is learned from."""

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, diags, identity, vstack

MM_PER_UNIT = 10.0
SKIN_STOP, FACE_STOP, HEAD_STOP, MOUTH_STOP = 14062, 9409, 11248, 13294
PART_RANGES = {
    "eye_left": (21451, 23021),
    "eye_right": (23021, 24591),
    "teeth_upper": (17039, 19247),
    "teeth_lower": (19247, 21451),
    "gums": (14062, 17039),
}


@dataclass(frozen=True)
class SourceHead:
    """The kit's arrays in mm.

    Attributes:
        neutral: (N, 3). identity: (100, N, 3) per σ. expression: (53, N, 3) at weight 1, ARKit names.
        faces: (F, 4), −1 pads triangles. landmarks68: (68,) vertex indices, iBUG order.
        pupils: part name to (3,) centre of the pupil, mm.
    """

    neutral: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    expression_names: tuple[str, ...]
    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray
    material: np.ndarray
    material_names: tuple[str, ...]
    landmarks68: np.ndarray
    pupils: dict[str, np.ndarray]

    @cached_property
    def skin_faces(self) -> np.ndarray:
        """(F, 4) quads of skin and sockets: one disk whose border is the kit's shoulder line."""
        return self.faces[self.faces.max(axis=1) < SKIN_STOP]


def load_source(folder: Path) -> SourceHead:
    """Read ``ict_facekit.npz`` and its index of vertices from ``folder``."""
    with np.load(folder / "ict_facekit.npz", allow_pickle=False) as data:
        arrays = {key: data[key] for key in data.files}
    index = json.loads((folder / "ict_facekit.vertex_indices.json").read_text())
    names = arrays["expression_names"].tolist()
    keep = [i for i, name in enumerate(names) if not name.startswith(("Pupil", "cheekRaiser"))]
    return SourceHead(
        neutral=arrays["neutral"] * MM_PER_UNIT,
        identity=arrays["identity"] * MM_PER_UNIT,
        expression=arrays["expression"][keep] * MM_PER_UNIT,
        expression_names=tuple(names[i].replace("_L", "Left").replace("_R", "Right") for i in keep),
        faces=arrays["faces"],
        uv=arrays["uv"],
        face_uv=arrays["face_uv"],
        material=arrays["material"],
        material_names=tuple(arrays["material_names"].tolist()),
        landmarks68=np.array(index["idx_to_landmark_verts"]),
        pupils={
            f"eye_{side}": _pupil(arrays, names.index(f"PupilDilate_{side[0].upper()}")) for side in ("left", "right")
        },
    )


def _pupil(arrays: dict[str, np.ndarray], mode: int) -> np.ndarray:
    """Where the iris lies: the middle of what a pupil's dilation moves."""
    moved = np.linalg.norm(arrays["expression"][mode], axis=1) * MM_PER_UNIT > 0.1
    return arrays["neutral"][moved].mean(axis=0).astype(float) * MM_PER_UNIT


@dataclass(frozen=True)
class RefinedSkin:
    """The kit's skin and sockets after one step of Catmull and Clark (1978): the smooth surface that is sampled.

    Attributes:
        weights: (R, SKIN_STOP) sparse: refined points = weights @ kit vertices. The kit's vertices come first, then
            edges, then faces.
        faces: (F, 4) refined quads.
        label: (R,) 0 face, 1 head and neck, 2 mouth socket, 3 eye sockets.
        edge_index: edge (low, high) to refined vertex.
    """

    weights: csr_matrix
    faces: np.ndarray
    label: np.ndarray
    edge_index: dict[tuple[int, int], int]

    def refine_loop(self, loop: list[int]) -> list[int]:
        """A closed loop of kit vertices with the edge points between them."""
        out = []
        for a, b in zip(loop, loop[1:] + loop[:1], strict=True):
            out += [a, self.edge_index[min(a, b), max(a, b)]]
        return out


def refine_skin(source: SourceHead) -> RefinedSkin:
    """One step of Catmull-Clark on skin and sockets; the shoulder border, cut away later, stays linear."""
    quads, count = source.skin_faces, SKIN_STOP
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    edges, edge_of = np.unique(np.sort(sides, axis=1), axis=0, return_inverse=True)
    edge_of = edge_of.reshape(-1, 4)
    face_count, edge_count = len(quads), len(edges)
    face_points = _rows(
        np.repeat(np.arange(face_count), 4), quads.ravel(), np.full(quads.size, 0.25), (face_count, count)
    )
    ends = _rows(np.repeat(np.arange(edge_count), 2), edges.ravel(), np.full(edges.size, 0.5), (edge_count, count))
    touch = _rows(edge_of.ravel(), np.repeat(np.arange(face_count), 4), np.ones(quads.size), (edge_count, face_count))
    faces_beside = np.asarray(touch.sum(axis=1)).ravel()
    inner = faces_beside == 2
    edge_points = diags(inner * 0.5) @ (ends + 0.5 * (touch @ face_points)) + diags((~inner) * 1.0) @ ends
    in_face = _rows(quads.ravel(), np.repeat(np.arange(face_count), 4), np.ones(quads.size), (count, face_count))
    in_edge = _rows(edges.ravel(), np.repeat(np.arange(edge_count), 2), np.ones(edges.size), (count, edge_count))
    valence = np.asarray(in_edge.sum(axis=1)).ravel()
    on_border = np.zeros(count, bool)
    on_border[edges[~inner].ravel()] = True
    n = np.maximum(valence, 1)
    smooth = diags(1 / n**2) @ (in_face @ face_points) + diags(2 / n**2) @ (in_edge @ ends) + diags((n - 3) / n)
    vertex_points = diags((~on_border) * 1.0) @ smooth + diags(on_border * 1.0)
    e, f = edge_of + count, (np.arange(face_count) + count + edge_count)[:, None]
    corner = np.stack([quads, e, np.broadcast_to(f, quads.shape), np.roll(e, 1, axis=1)], axis=2)
    kit_label = np.searchsorted([FACE_STOP, HEAD_STOP, MOUTH_STOP], np.arange(count), side="right")
    label = np.concatenate([kit_label, kit_label[edges].max(axis=1), kit_label[quads].max(axis=1)])
    index = {(int(a), int(b)): count + i for i, (a, b) in enumerate(edges)}
    approximating = vstack([vertex_points, edge_points, face_points]).tocsr()
    # Catmull-Clark pulls convex shapes inwards; one correction of the control points nearly interpolates the kit.
    correction = 2 * identity(count, format="csr") - vertex_points
    return RefinedSkin((approximating @ correction).tocsr(), corner.reshape(-1, 4), label, index)


def _rows(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((values, (rows, columns)), shape=shape)


def closed_edge_loops(faces: np.ndarray, longest: int = 80) -> list[list[int]]:
    """Every closed loop of edges that goes straight through vertices of valence four."""
    around, beside = defaultdict(set), defaultdict(list)
    for face in faces.tolist():
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            around[a].add(b)
            around[b].add(a)
            beside[a].append(set(face))

    def onward(a: int, b: int) -> int | None:
        if len(around[b]) != 4:
            return None
        touching = set().union(*(face for face in beside[b] if a in face))
        ahead = around[b] - touching
        return ahead.pop() if len(ahead) == 1 else None

    found = {}
    for start in around:
        for second in around[start]:
            path = [start, second]
            while len(path) <= longest:
                ahead = onward(path[-2], path[-1])
                if ahead is None:
                    break
                if ahead == start:
                    if onward(path[-1], start) == second:
                        found.setdefault(frozenset(path), path)
                    break
                path.append(ahead)
    return list(found.values())
