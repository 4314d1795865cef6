# SPDX-License-Identifier: GPL-3.0-or-later
"""Quads for the half head outside the rings: Blender's QuadriFlow in a space where the face is large.

The surface is warped first (a sphere inversion beside the face, which is conformal, and a lens around the nose),
so that uniform quads become fine on the face and coarse on the back of the head; results are read back as points
on the surface.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from .surface import Surface, boundary_loops, neighbours

INVERSION_CENTRE = np.array([220.0, 0.0, 300.0])
INVERSION_RADIUS = 300.0
EVEN_OUT_ROUNDS = 150
UNTANGLE_ROUNDS, UNTANGLE_BELOW, UNTANGLE_REACH = 80, 0.25, 4
LENSES = ((np.array([0.0, -3.0, 114.0]), 2.0, 9.0, 30.0),)


@dataclass(frozen=True)
class HalfMesh:
    """Quads of the half head.

    Attributes:
        weights: (V, N) sparse weights of source vertices. points: (V, 3) mm.
        faces: (F, 4).
        mouth: border vertices from the mouth's top to its bottom. eye, nostril, ear: their border loops.
    """

    weights: csr_matrix
    points: np.ndarray
    faces: np.ndarray
    mouth: list[int]
    eye: list[int]
    nostril: list[int]
    ear: list[int]


def invert(points: np.ndarray) -> np.ndarray:
    """Sphere inversion about a point in front of the face, reflected so that orientation is kept (conformal)."""
    d = points - INVERSION_CENTRE
    out = d * (INVERSION_RADIUS**2 / (d**2).sum(axis=1, keepdims=True))
    out[:, 2] *= -1
    return out


def warp(points: np.ndarray) -> np.ndarray:
    """(V, 3) mm to the space for remeshing."""
    for centre, gain, inner, outer in LENSES:
        points = _lens(points, centre, gain, inner, outer)
    return invert(points)


def _lens(points: np.ndarray, centre: np.ndarray, gain: float, inner: float, outer: float) -> np.ndarray:
    """Magnify by ``gain`` within ``inner`` of a centre and push what is beyond ``outer`` outwards unscaled."""
    d = points - centre
    r = np.linalg.norm(d, axis=1, keepdims=True)
    s = np.clip((r - inner) / (outer - inner), 0, 1)
    s = s * s * (3 - 2 * s)
    near = r + (gain - 1) * inner + (gain - 1) * (r - inner) * 0.5
    far = r + (gain - 1) * inner * 1.1
    moved = np.where(r < inner, gain * r, (1 - s) * near + s * far)
    return centre + d * (moved / np.maximum(r, 1e-9))


def remesh_half(surface: Surface, faces: int, seed: int) -> HalfMesh | None:
    """Remesh the half head whose borders are the outline (midline, mouth, neck), eye, nostril and ear.

    Returns:
        The quads, or None where this seed lost a border, has other than four corners or an odd border loop.
    """
    warped = Surface(warp(surface.points), surface.triangles, surface.weights)
    vertices, quads = _quadriflow(warped, faces, seed)
    if (quads[:, 3] < 0).any():
        return None
    loops = boundary_loops(quads)
    valence = np.bincount(quads.ravel(), minlength=len(vertices))
    corners = np.flatnonzero(valence == 1)
    if len(loops) != 4 or any(len(loop) % 2 for loop in loops[1:]) or len(corners) != 4:
        return None
    source_loops = boundary_loops(surface.triangles)
    goals = outline_corners(surface.points, source_loops[0])
    apart = np.linalg.norm(vertices[corners][:, None] - warped.points[goals][None], axis=2)
    match = corners[apart.argmin(axis=0)].tolist()
    if len(set(match)) != 4 or not set(match) <= set(loops[0]):
        return None
    pins = _pin_outline(warped, vertices, loops[0], source_loops[0], dict(zip(match, goals, strict=True)))
    named = [_name_openings(loops[1:], vertices), _name_openings(source_loops[1:], warped.points)]
    for loop, origin in zip(*named, strict=True):
        pins |= pin_closed(warped, vertices, loop, origin)
    barycentric = relax(warped, vertices, quads, pins)
    weights = barycentric @ surface.weights
    mouth = _between(loops[0], match[0], match[1], avoid=match[2])
    return HalfMesh(weights, barycentric @ surface.points, quads, mouth, *named[0])


def outline_corners(points: np.ndarray, outline: list[int]) -> list[int]:
    """Where the midline (x = 0) leaves the outline: mouth top, mouth bottom, neck front, neck back."""
    middle = np.abs(points[outline, 0]) < 1e-6
    ends = [
        outline[i] for i in range(len(outline)) if middle[i] and not (middle[i - 1] and middle[(i + 1) % len(outline)])
    ]
    by_height = sorted(ends, key=lambda v: -points[v, 1])
    return by_height[:2] + sorted(by_height[2:], key=lambda v: -points[v, 2])


def _name_openings(loops: list[list[int]], warped_points: np.ndarray) -> list[list[int]]:
    """Loops around eye, nostril and ear, in this order, told apart by where they lie."""
    middles = invert(np.array([warped_points[loop].mean(axis=0) for loop in loops]) * [1, 1, -1] + INVERSION_CENTRE)
    middles = middles * [1, 1, -1] + INVERSION_CENTRE
    by_depth = [loops[i] for i in np.argsort(middles[:, 2])]
    return [by_depth[1], by_depth[2], by_depth[0]]


def _between(loop: list[int], start: int, end: int, avoid: int) -> list[int]:
    """The loop's vertices from start to end by the way that does not pass ``avoid``."""
    turned = loop[loop.index(start) :] + loop[: loop.index(start)]
    path = turned[: turned.index(end) + 1]
    return path if avoid not in path else [start, *reversed(turned[turned.index(end) :])]


def _pin_outline(
    warped: Surface, vertices: np.ndarray, loop: list[int], source: list[int], corners: dict[int, int]
) -> dict[int, tuple[int, int, float]]:
    pins = {}
    order = [v for v in loop if v in corners]
    for start, end in zip(order, order[1:] + order[:1], strict=True):
        path = _ahead(loop, start, end)
        line = _ahead(source, corners[start], corners[end])
        pins |= _pin_path(warped, vertices, path, line)
    return pins


def _ahead(loop: list[int], start: int, end: int) -> list[int]:
    turned = loop[loop.index(start) :] + loop[: loop.index(start)]
    return turned[: turned.index(end) + 1]


def _pin_path(
    warped: Surface, vertices: np.ndarray, path: list[int], line: list[int]
) -> dict[int, tuple[int, int, float]]:
    along, length = _arc_positions(warped.points[line], vertices[path])
    along[0], along[-1] = 0.0, length
    along = np.maximum.accumulate(along)
    for _ in range(EVEN_OUT_ROUNDS):
        along[1:-1] = 0.5 * along[1:-1] + 0.25 * (along[:-2] + along[2:])
    return _on_line(warped, path, line, along)


def pin_closed(
    warped: Surface, vertices: np.ndarray, loop: list[int], source: list[int]
) -> dict[int, tuple[int, int, float]]:
    line = [*source, source[0]]
    along, length = _arc_positions(warped.points[line], vertices[loop])
    along = along[0] + np.mod(along - along[0] + 1e-6, length)
    along = np.maximum.accumulate(along)
    for _ in range(EVEN_OUT_ROUNDS):
        wrapped = np.concatenate([[along[-1] - length], along, [along[0] + length]])
        along = 0.5 * along + 0.25 * (wrapped[:-2] + wrapped[2:])
    return _on_line(warped, loop, line, np.mod(along, length))


def _arc_positions(line: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, float]:
    """Arc length along a polyline of the point closest to each query, and the whole length."""
    start, edge = line[:-1], np.diff(line, axis=0)
    lengths = np.linalg.norm(edge, axis=1)
    t = np.einsum("qec,ec->qe", queries[:, None] - start[None], edge) / np.maximum(lengths**2, 1e-30)
    t = np.clip(t, 0, 1)
    distance = np.linalg.norm(start[None] + t[..., None] * edge[None] - queries[:, None], axis=2)
    nearest = distance.argmin(axis=1)
    cumulative = np.concatenate([[0], np.cumsum(lengths)])
    along = cumulative[nearest] + t[np.arange(len(queries)), nearest] * lengths[nearest]
    return along, float(cumulative[-1])


def _on_line(warped: Surface, path: list[int], line: list[int], along: np.ndarray) -> dict[int, tuple[int, int, float]]:
    """Each path vertex as (vertex a, vertex b, t) of the surface: a + t (b − a)."""
    cumulative = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(warped.points[line], axis=0), axis=1))])
    edge = np.clip(np.searchsorted(cumulative, along, side="right") - 1, 0, len(line) - 2)
    t = (along - cumulative[edge]) / np.maximum(cumulative[edge + 1] - cumulative[edge], 1e-12)
    return {v: (line[e], line[e + 1], float(np.clip(s, 0, 1))) for v, e, s in zip(path, edge, t, strict=True)}


def relax(
    warped: Surface, vertices: np.ndarray, quads: np.ndarray, pins: dict[int, tuple[int, int, float]], rounds: int = 40
) -> csr_matrix:
    """Even out the quads on the surface with the borders pinned.

    Returns:
        (V, surface vertices) sparse barycentric weights.
    """
    count = len(vertices)
    adjacency = neighbours(quads, count)
    degree = np.asarray(adjacency.sum(axis=1))
    pinned = np.array(list(pins))
    free = np.setdiff1d(np.arange(count), pinned)
    pin_rows = np.array(list(pins.values()))
    a, b, t = pin_rows[:, 0].astype(int), pin_rows[:, 1].astype(int), pin_rows[:, 2:]
    position = vertices.copy()
    position[pinned] = warped.points[a] * (1 - t) + warped.points[b] * t
    triangle = np.zeros(count, int)
    barycentric = np.zeros((count, 3))

    def smooth(moving: np.ndarray) -> None:
        position[moving] = 0.5 * position[moving] + 0.5 * (adjacency[moving] @ position / degree[moving])
        normals = _vertex_normals(position, quads)[moving]
        found = warped.nearest.query(position[moving], normals, candidates=24)
        triangle[moving], barycentric[moving], position[moving] = found.triangle, found.weights, found.position

    for _ in range(rounds):
        smooth(free)
    for _ in range(UNTANGLE_ROUNDS):
        bad = np.zeros(count, bool)
        bad[quads[corner_quality(position, quads) < UNTANGLE_BELOW]] = True
        if not bad.any():
            break
        for _ in range(UNTANGLE_REACH):
            bad = bad | (adjacency @ bad > 0)
        smooth(np.intersect1d(np.flatnonzero(bad), free))
    rows = np.concatenate([np.repeat(free, 3), pinned, pinned])
    columns = np.concatenate([warped.triangles[triangle[free]].ravel(), a, b])
    values = np.concatenate([barycentric[free].ravel(), 1 - t[:, 0], t[:, 0]])
    return coo_matrix((values, (rows, columns)), (count, len(warped.points))).tocsr()


def corner_quality(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """(F,) smallest sine of a quad's corner angles against its mean normal: 1 rectangle, below 0 folded."""
    corners = points[quads]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    to_next, to_last = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    sine = np.einsum("fkc,fc->fk", np.cross(to_next, to_last), normal)
    return (sine / np.maximum(np.linalg.norm(to_next, axis=2) * np.linalg.norm(to_last, axis=2), 1e-12)).min(axis=1)


def _vertex_normals(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    corners = points[quads]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    out = np.zeros_like(points)
    for i in range(4):
        np.add.at(out, quads[:, i], normal)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def _quadriflow(surface: Surface, faces: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    import bpy

    mesh = bpy.data.meshes.new("half")
    mesh.from_pydata(surface.points.tolist(), [], surface.triangles.tolist())
    thing = bpy.data.objects.new("half", mesh)
    bpy.context.collection.objects.link(thing)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = thing
    thing.select_set(True)
    bpy.ops.object.quadriflow_remesh(
        use_mesh_symmetry=False, use_preserve_sharp=True, use_preserve_boundary=True, smooth_normals=False,
        mode="FACES", target_faces=faces, seed=seed,
    )  # fmt: skip
    vertices = np.array([v.co[:] for v in thing.data.vertices])
    polygons = [list(p.vertices) for p in thing.data.polygons]
    quads = np.array([p + [-1] * (4 - len(p)) for p in polygons])
    bpy.data.objects.remove(thing)
    return vertices, quads
