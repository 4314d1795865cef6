# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a Basel Face Model, which nobody may pass on: the same layout, size and kind of modes, another head.

    FACEDETAIL_DATA=… python -m scripts.benchmark.basel_like OUT.h5

The head is ICT-FaceKit's face as a mask, like that of ``model2017-1_bfm_nomouth.h5``: skin over the eyes, no bag behind
the lips, triangles, no UV. Its 199 identity modes span the kit's 100 and made-up smooth warps; its 100 expression modes
are what random mixtures of the kit's expressions vary by, of either sign about their average; its colours are made up.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.csgraph import connected_components

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.model_import.importers.bfm_hdf5 import IBUG_OF_NAME
from scripts.benchmark.reference_heads import load_reference_heads
from scripts.harness import data_folder, description, errors_told
from scripts.training.heads.samples import random_expression

_EYES = (slice(36, 42), slice(42, 48))
_EYE_REACH_MM = 25.0
_MIXTURES = 2000
_WARP_MM, _TREMBLE_MM, _COLOUR = 0.25, 0.01, 0.02


@dataclass(frozen=True)
class BaselSize:
    """How large the file is; by default as that of 2017."""

    vertices: int = 53149
    identities: int = 199
    expressions: int = 100
    colours: int = 199


def write_basel_like(path: Path, data: Path, size: BaselSize = BaselSize()) -> None:
    """Write the file.

    Args:
        data: the folder FACEDETAIL_DATA names. size: at most as many vertices as two halvings of all edges give.
    """
    kit = load_reference_heads(data)
    triangles, weights = _mask(kit)
    while weights.shape[0] < size.vertices:
        triangles, weights = _with_halved_edges(triangles, weights, weights @ kit.mean, size.vertices)
    mean = weights @ kit.mean.astype(np.float64)
    rng = np.random.default_rng(17)
    mixtures = np.stack([random_expression(rng, kit) for _ in range(_MIXTURES)]).astype(np.float64)
    average = np.tensordot(mixtures.mean(axis=0), kit.expression_basis, 1)
    spread = np.linalg.cholesky(np.cov(mixtures.T) + 1e-9 * np.eye(mixtures.shape[1])).T
    identity = np.concatenate(
        [_on(weights, kit.identity_basis), _warps(mean, rng, size.identities, _WARP_MM)[len(kit.identity_basis) :]]
    )
    expression = np.concatenate(
        [
            np.tensordot(spread.astype(np.float32), _on(weights, kit.expression_basis), 1),
            _warps(mean, rng, size.expressions, _TREMBLE_MM)[len(spread) :],
        ]
    )
    skin_colour = np.broadcast_to([0.72, 0.53, 0.44], mean.shape)
    gaussians = {
        "shape": (mean, identity, size.identities),
        "expression": (weights @ average, expression, size.expressions),
        "color": (skin_colour, _warps(mean, rng, size.colours, _COLOUR), size.colours),
    }
    with h5py.File(path, "w") as file:
        for group, (average_of, modes, count) in gaussians.items():
            basis, variance = _principal(modes, count)
            file[f"{group}/model/mean"] = np.ravel(average_of).astype(np.float32)
            file[f"{group}/model/pcaBasis"] = basis
            file[f"{group}/model/pcaVariance"] = variance.astype(np.float32)
            file[f"{group}/model/noiseVariance"] = np.float32(0.01)
            file[f"{group}/representer/points"] = mean.T.astype(np.float32)
            file[f"{group}/representer/cells"] = np.ascontiguousarray(triangles.T.astype(np.int32))
        file["metadata/landmarks/json"] = json.dumps(_landmarks(kit))


def _mask(kit: FaceModel) -> tuple[np.ndarray, csr_matrix]:
    """(T, 3) triangles of the kit's face with skin over the eyes, and (V, V_kit) its vertices as the kit's."""
    triangles = kit.skin.triangles()
    face = kit.in_region("face")
    triangles = triangles[face[triangles].all(axis=1)]
    used, numbered = np.unique(triangles, return_inverse=True)
    triangles = numbered.reshape(-1, 3)
    weights = csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), (len(used), len(kit.mean)))
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = set(map(tuple, sides.tolist()))
    border = np.array([side for side in sides.tolist() if (side[1], side[0]) not in known])
    graph = csr_matrix((np.ones(len(border)), border.T), (len(used), len(used)))
    _, loop = connected_components(graph, directed=False)
    points, marks = weights @ kit.mean, kit.landmarks68.points(kit.mean)
    for eye_marks in _EYES:
        middle = marks[eye_marks].mean(axis=0)
        rim = border[np.linalg.norm(points[border[:, 0]] - middle, axis=1) < _EYE_REACH_MM]
        names, counts = np.unique(loop[rim[:, 0]], return_counts=True)
        rim = rim[loop[rim[:, 0]] == names[counts.argmax()]]
        centre = np.full(len(rim), weights.shape[0])
        triangles = np.concatenate([triangles, np.column_stack([rim[:, ::-1], centre])])
        weights = vstack([weights, csr_matrix(weights[rim[:, 0]].mean(axis=0))]).tocsr()
    return triangles, weights


def _with_halved_edges(
    triangles: np.ndarray, weights: csr_matrix, points: np.ndarray, vertices: int
) -> tuple[np.ndarray, csr_matrix]:
    """The mesh with the longest edges halved, so many that it has ``vertices``, or all of them."""
    sides = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2), axis=2).reshape(-1, 2)
    edges, edge_of = np.unique(sides, axis=0, return_inverse=True)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    halved = np.argsort(-length, kind="stable")[: vertices - weights.shape[0]]
    middle = np.full(len(edges), -1)
    middle[halved] = weights.shape[0] + np.arange(len(halved))
    out = []
    for corners, middles in zip(triangles.tolist(), middle[edge_of.reshape(-1, 3)].tolist(), strict=True):
        ring = [point for pair in zip(corners, middles, strict=True) for point in pair if point >= 0]
        first = next((place for place in range(len(ring)) if ring[place] in middles), 0)
        ring = ring[first:] + ring[:first]
        if len(ring) == 6:
            a, p, b, q, c, r = corners[0], middles[0], corners[1], middles[1], corners[2], middles[2]
            out += [(a, p, r), (p, b, q), (r, q, c), (p, q, r)]
        else:
            out += [(ring[0], ring[k], ring[k + 1]) for k in range(1, len(ring) - 1)]
    return np.array(out), vstack([weights, 0.5 * (weights[edges[halved, 0]] + weights[edges[halved, 1]])]).tocsr()


def _on(weights: csr_matrix, basis: np.ndarray) -> np.ndarray:
    """(K, V, 3) float32 modes of the kit on the mask."""
    return np.stack([weights @ mode for mode in basis]).astype(np.float32)


def _warps(points: np.ndarray, rng: np.random.Generator, count: int, size: float) -> np.ndarray:
    """(count, V, 3) float32 smooth random fields: waves of 3 to 15 cm in random directions."""
    length = rng.uniform(30.0, 150.0, count)
    direction = rng.normal(size=(count, 3))
    direction *= (2 * np.pi / length / np.linalg.norm(direction, axis=1))[:, None]
    wave = np.cos(points @ direction.T + rng.uniform(0, 2 * np.pi, count)).T.astype(np.float32)
    return wave[:, :, None] * rng.normal(0, size, (count, 1, 3)).astype(np.float32)


def _principal(modes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussian of modes per σ as (3V, count) orthonormal columns and (count,) variances, largest first."""
    rows = modes.reshape(len(modes), -1)
    variance, turn = np.linalg.eigh((rows @ rows.T).astype(np.float64))
    largest = np.argsort(-variance)[:count]
    columns = rows.T @ turn[:, largest].astype(np.float32)
    return columns / np.linalg.norm(columns, axis=0), variance[largest]


def _landmarks(kit: FaceModel) -> list[dict[str, object]]:
    points = kit.landmarks68.points(kit.mean)
    return [{"id": name, "coordinates": points[place].tolist()} for name, place in IBUG_OF_NAME.items()]


@errors_told()
def main() -> None:
    parser = description(__doc__)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    write_basel_like(options.out, data_folder("models/ict_facekit.npz"))


if __name__ == "__main__":
    main()
