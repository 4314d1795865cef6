# SPDX-License-Identifier: GPL-3.0-or-later
"""Non-rigid registration of one surface to another (Amberg, Romdhani and Vetter, Optimal Step Nonrigid ICP, CVPR 2007).

Every vertex of a template gets an affine map; a stiffness term keeps neighbours' maps alike, less and less from step to
step; data terms pull to closest points and landmarks. For a stiffness and fixed matches the maps are one sparse least
squares problem. It is solved on the nodes of a deformation graph, a subset of the template's vertices; the others blend
the maps of the nodes around them. The residual, a millimetre or so, is closed by smooth fields over the full mesh.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, diags, eye, kron
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from ..geometry.mesh_fields import mesh_laplacian, smooth_field, vertex_areas
from ..rendering.normals import vertex_normals
from .surface import Match, Surface, mesh_edges

_UNIT_MM = 100.0  # maps work in this unit, in which heads fill about −1 to 1
_LEAST_FACING = 0.5
_RIDGE = 1e-9  # towards the last maps: for what no term determines, such as depth on a flat template
_BLEND = 0.6  # width of a node's influence over the mean distance to its neighbours


@dataclass(frozen=True)
class Step:
    """One stiffness of the schedule.

    Attributes:
        stiffness: α of the paper. landmarks: β, what a landmark weighs against a closest point.
        reach_mm: closest points farther than this are no matches. rounds: how often they are looked up again.
    """

    stiffness: float
    landmarks: float
    reach_mm: float
    rounds: int


SCHEDULE = (
    Step(50.0, 10.0, 40.0, 2),
    Step(20.0, 10.0, 30.0, 2),
    Step(8.0, 6.0, 20.0, 2),
    Step(3.0, 4.0, 15.0, 2),
    Step(1.2, 2.0, 10.0, 2),
    Step(0.6, 1.0, 8.0, 2),
    Step(0.3, 0.5, 6.0, 3),
)
# Of the fields that close the residual: changes over less than this are smoothed away, and how far matches may be.
FINE_STEPS = ((6.0, 5.0), (3.0, 4.0), (1.5, 3.0), (1.0, 3.0))


@dataclass(frozen=True)
class Template:
    """The surface to be deformed.

    Attributes:
        points: (V, 3) mm, already near the target.
        triangles: (T, 3) int of all its vertices.
        matchable: (V,) bool, vertices that may have a counterpart; the others follow.
    """

    points: np.ndarray
    triangles: np.ndarray
    matchable: np.ndarray


@dataclass(frozen=True)
class Landmarks:
    """Points of the template and where they belong: (L, 3) mm each, (L,) weights, (L,) nearest template vertex."""

    points: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    vertices: np.ndarray


@dataclass(frozen=True)
class Registration:
    """A template registered to its target.

    Attributes:
        points: (V, 3) float64 mm. matched: (V,) bool, the last closest point was a match.
    """

    points: np.ndarray
    matched: np.ndarray


@dataclass(frozen=True)
class _Graph:
    """The deformation graph on the V vertices.

    Attributes:
        nodes: (N,) vertices. edges: (E, 2) pairs of neighbouring nodes. blend: (V, N) weights of nodes, rows sum to 1.
        nearest: (V,) node.
    """

    nodes: np.ndarray
    edges: np.ndarray
    blend: csr_matrix
    nearest: np.ndarray


def register(template: Template, target: Surface, landmarks: Landmarks) -> Registration:
    """Register a template to a target."""
    graph = _make_graph(template)
    maps = _coarse(template, graph, target, landmarks)
    return _close_residual(_apply(graph, maps, template.points), template, target)


def _coarse(template: Template, graph: _Graph, target: Surface, landmarks: Landmarks) -> np.ndarray:
    """(N, 4, 3) maps of the nodes."""
    count = len(graph.nodes)
    difference = _incidence(graph.edges, count)
    stiff = kron(difference.T @ difference, np.eye(4)).tocsc()
    data = _rows_of_maps(template.points[graph.nodes], np.arange(count), count)
    marks = _rows_of_maps(landmarks.points, graph.nearest[landmarks.vertices], count)
    maps = np.tile(np.eye(4)[:, :3], (count, 1, 1))
    for step in SCHEDULE:
        pull = marks.T @ diags(step.landmarks * landmarks.weights)
        fixed = step.stiffness * stiff + pull @ marks + _RIDGE * eye(4 * count)
        for _ in range(step.rounds):
            points = _apply(graph, maps, template.points)
            normals = vertex_normals(points, template.triangles)[graph.nodes]
            closest = target.match(points[graph.nodes], normals)
            weighted = data.T @ diags(_match_weights(closest, step.reach_mm) * template.matchable[graph.nodes])
            right = weighted @ (closest.position / _UNIT_MM) + pull @ (landmarks.targets / _UNIT_MM)
            right += _RIDGE * maps.reshape(-1, 3)
            maps = _solve((fixed + weighted @ data).tocsc(), right).reshape(count, 4, 3)
    return maps


def _apply(graph: _Graph, maps: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(V, 3) mm, moved by the blended maps of the nodes."""
    blended = (graph.blend @ maps.reshape(len(maps), -1)).reshape(-1, 4, 3)
    return (np.einsum("vk,vkc->vc", points / _UNIT_MM, blended[:, :3]) + blended[:, 3]) * _UNIT_MM


def _match_weights(closest: Match, reach_mm: float) -> np.ndarray:
    """(N,) weight of each closest point as a match: none far away, on a border, or where normals disagree."""
    near = np.maximum(1 - (closest.distance / reach_mm) ** 2, 0) ** 2
    return near * ~closest.on_border * (closest.facing > _LEAST_FACING)


def _incidence(edges: np.ndarray, count: int) -> csr_matrix:
    """(E, N) +1 and −1 at an edge's ends."""
    rows = np.repeat(np.arange(len(edges)), 2)
    values = np.tile([1.0, -1.0], len(edges))
    return csr_matrix((values, (rows, edges.ravel())), shape=(len(edges), count))


def _rows_of_maps(points: np.ndarray, nodes: np.ndarray, count: int) -> csr_matrix:
    """(P, 4·N): multiplied with the maps of all N nodes, points moved by the map of the node named for each."""
    homogeneous = np.concatenate([points / _UNIT_MM, np.ones((len(points), 1))], axis=1)
    columns = 4 * nodes[:, None] + np.arange(4)
    pointer = np.arange(0, 4 * len(points) + 1, 4)
    return csr_matrix((homogeneous.ravel(), columns.ravel(), pointer), shape=(len(points), 4 * count))


def _solve(system: csc_matrix, right: np.ndarray) -> np.ndarray:
    factor = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return factor.solve(right)


def _close_residual(points: np.ndarray, template: Template, target: Surface) -> Registration:
    """The residual between (V, 3) points and the target, closed by smooth fields."""
    for detail_mm, reach_mm in FINE_STEPS:
        normals = vertex_normals(points, template.triangles)
        closest = target.match(points, normals)
        weights = _match_weights(closest, reach_mm) * template.matchable
        laplacian = mesh_laplacian(points, template.triangles)
        areas = vertex_areas(points, template.triangles)
        points = points + smooth_field(laplacian, areas, closest.position - points, weights, detail_mm)
    return Registration(points, weights > 0)


def _make_graph(template: Template) -> _Graph:
    """Nodes two edges apart or a little more, as dense as the mesh; neighbours are those whose cells touch."""
    count = len(template.points)
    edges = mesh_edges(template.triangles)
    length = np.linalg.norm(template.points[edges[:, 0]] - template.points[edges[:, 1]], axis=1)
    distance = csr_matrix((np.maximum(length, 1e-6), edges.T), shape=(count, count))
    distance = (distance + distance.T).tocsr()
    nodes = _spaced(distance)
    _, _, source = dijkstra(distance, indices=nodes, min_only=True, return_predecessors=True)
    # A vertex that no node reaches by edges (a piece of its own has one at least) cannot occur.
    nearest = np.searchsorted(nodes, source)
    pairs = np.sort(nearest[edges], axis=1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    return _Graph(nodes, pairs, _blend(template.points, nodes, nearest, pairs), nearest)


def _spaced(adjacency: csr_matrix) -> np.ndarray:
    """Vertices of which no two are within two edges, and within two edges of which every other vertex is."""
    free = np.ones(adjacency.shape[0], bool)
    chosen = []
    pointer, indices = adjacency.indptr, adjacency.indices
    for vertex in range(len(free)):
        if free[vertex]:
            chosen.append(vertex)
            ring = indices[pointer[vertex] : pointer[vertex + 1]]
            free[ring] = False
            for other in ring:
                free[indices[pointer[other] : pointer[other + 1]]] = False
            free[vertex] = False
    return np.array(chosen)


def _blend(points: np.ndarray, nodes: np.ndarray, nearest: np.ndarray, pairs: np.ndarray) -> csr_matrix:
    """(V, N) weights of the node of a vertex's cell and of that node's neighbours, by distance; rows sum to 1."""
    count = len(nodes)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    gaps = np.linalg.norm(points[nodes[both[:, 0]]] - points[nodes[both[:, 1]]], axis=1)
    mean_gap = np.bincount(both[:, 0], gaps, count) / np.maximum(np.bincount(both[:, 0], minlength=count), 1)
    around = csr_matrix((np.ones(len(both)), both.T), shape=(count, count)) + diags(np.ones(count))
    blend = around.tocsr()[nearest].tocoo()
    away = np.linalg.norm(points[blend.row] - points[nodes[blend.col]], axis=1)
    width = _BLEND * np.maximum(mean_gap[nearest[blend.row]], 1e-6)
    weights = coo_matrix((np.exp(-0.5 * (away / width) ** 2) + 1e-9, (blend.row, blend.col)), blend.shape).tocsr()
    return diags(1 / np.asarray(weights.sum(axis=1)).ravel()) @ weights
