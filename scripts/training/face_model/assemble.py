# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin in one piece: half head and rings, mirrored and welded."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags, identity, vstack
from scipy.spatial import cKDTree

from .remesh import HalfMesh, corner_quality
from .rings import Opening, RingPatch, build_lobe, build_patch, inward_chains
from .source import FACE_STOP, SKIN_STOP, SourceHead, closed_edge_loops, refine_skin
from .surface import Surface, boundary_loops, neighbours, taubin_smoothing

EYE_CENTRE, EYE_RADII = (32.0, 35.5), (20.0, 15.5)
MOUTH_CENTRE, MOUTH_RADII = (0.0, -35.0), (34.0, 17.0)
EAR_CENTRE, EAR_RADII = (2.0, 7.5), (27.0, 36.0)  # (z, y): seen from the side
SIDE_X = 45.0
BAND_WIDTH, BAND_ROUNDS = 3, 4
UNFOLD_ROUNDS, UNFOLD_BELOW = 40, 0.05
EAR_SPACING_MM, EAR_GRID_SHARE = 2.3, 0.3
NECK_LEVEL, NECK_SLOPE = -106.4, 0.19
FRONT_Z = 60.0


@dataclass(frozen=True)
class SkinMesh:
    """The built-in head's skin.

    Attributes:
        weights: (V, SKIN_STOP) sparse weights of source vertices.
        faces: (F, 4) quads, outward.
        socket: (V,) bool, inside eyelids, lips or nostrils.
        lids: the loops of the left and the right lid edge.
    """

    weights: csr_matrix
    faces: np.ndarray
    socket: np.ndarray
    lids: tuple[list[int], list[int]]


def _ellipse(points: np.ndarray, centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    return ((points[:, 0] - centre[0]) / radii[0]) ** 2 + ((points[:, 1] - centre[1]) / radii[1]) ** 2 - 1


def _angle(centre: tuple[float, float], radii: tuple[float, float]):
    def angle(points: np.ndarray) -> np.ndarray:
        return np.arctan2((points[:, 1] - centre[1]) / radii[1], (points[:, 0] - centre[0]) / radii[0])

    return angle


def mirror_map(points: np.ndarray) -> np.ndarray:
    """Index of each vertex's mirror image in x. Raises ValueError above 0.1 mm."""
    distance, index = cKDTree(points).query(points * [-1, 1, 1])
    if distance.max() > 0.1:
        raise ValueError(f"the source is not symmetric: {distance.max():.2f} mm")
    return index


@dataclass(frozen=True)
class Ground:
    """The smooth source surface and where it is cut.

    Attributes:
        surface: the refined skin; its weights refer to the kit's vertices.
        quads: (F, 4) the same faces as quads.
        label: (R,) as in :class:`RefinedSkin`.
        eye, mouth, ear, neck: (R,) fields, kept where not negative.
        lid, lip, rim: loops of surface vertices: edges of the left eyelids, lips and left nostril.
        orbit, pit: surface vertices inside the left eyelids, inside the left nostril.
        kit_mirror: (SKIN_STOP,) the same for the kit's vertices.
    """

    surface: Surface
    quads: np.ndarray
    label: np.ndarray
    eye: np.ndarray
    mouth: np.ndarray
    ear: np.ndarray
    neck: np.ndarray
    lid: list[int]
    lip: list[int]
    rim: list[int]
    orbit: np.ndarray
    pit: np.ndarray
    kit_mirror: np.ndarray


def prepare_ground(source: SourceHead) -> Ground:
    """Refine the kit's skin and find curves around the left eye and the mouth, the neck's plane and the margins."""
    kit = source.neutral[:SKIN_STOP].astype(float)
    refined = refine_skin(source)
    points = refined.weights @ kit
    triangles = np.stack([refined.faces[:, [0, 1, 2]], refined.faces[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
    front, label = points[:, 2] > FRONT_Z, refined.label
    in_mouth, in_eye = label == 2, label == 3
    eye = np.where(
        in_eye & (points[:, 0] > 0), -3, np.where(front & ~in_mouth, _ellipse(points, EYE_CENTRE, EYE_RADII), 1)
    )
    mouth = np.where(in_mouth, -3, np.where(front & ~in_eye, _ellipse(points, MOUTH_CENTRE, MOUTH_RADII), 1))
    ear = np.where(points[:, 0] > SIDE_X, _ellipse(points[:, [2, 1]], EAR_CENTRE, EAR_RADII), 1)
    neck = points[:, 1] + NECK_SLOPE * points[:, 2] - NECK_LEVEL
    loops = boundary_loops(source.skin_faces[source.skin_faces.max(axis=1) < FACE_STOP])
    lip = next(loop for loop in loops if abs(kit[loop, 0].mean()) < 1 and np.ptp(kit[loop, 0]) < 60)
    straight = closed_edge_loops(source.skin_faces, 48)
    lids = [loop for loop in straight if len(loop) == 42 and kit[loop, 0].mean() > 20]
    lid = refined.refine_loop(max(lids, key=lambda loop: kit[loop, 2].mean()))
    rims = [
        loop for loop in straight
        if len(loop) == 24 and 0 < kit[loop, 0].mean() < 20 and kit[loop, 2].mean() > 90
    ]  # fmt: skip
    rims.sort(key=lambda loop: -kit[loop, 2].mean())
    rim = refined.refine_loop(rims[0])
    pit = _flood(refined.faces, rim, rims[-1][0])
    orbit = _flood(refined.faces, lid, int(np.flatnonzero(in_eye & (points[:, 0] > 0))[0]))
    return Ground(
        Surface(points, triangles, refined.weights), refined.faces, label, eye, mouth, ear, neck,
        lid, refined.refine_loop(lip), rim, orbit, pit, mirror_map(kit),
    )  # fmt: skip


def _flood(faces: np.ndarray, wall: list[int], seed: int) -> np.ndarray:
    inside = np.zeros(faces.max() + 1, bool)
    inside[seed] = True
    blocked = np.zeros_like(inside)
    blocked[wall] = True
    while True:
        grown = inside.copy()
        grown[faces[inside[faces].any(axis=1)]] = True
        grown &= ~blocked
        if (grown == inside).all():
            return np.flatnonzero(inside)
        inside = grown


def half_surface(ground: Ground) -> Surface:
    """The left half without neck, eye, mouth, nostril and ear: what is remeshed."""
    whole = ground.surface
    left = (whole.points[whole.triangles][:, :, 0] >= -1e-6).all(axis=1)
    left &= ~np.isin(whole.triangles, ground.pit).any(axis=1)
    fields = np.stack([ground.eye, ground.mouth, ground.ear, ground.neck], axis=1)
    surface = Surface(whole.points, whole.triangles, identity(len(whole.points), format="csr")).keep(
        whole.triangles[left]
    )
    for index in range(fields.shape[1]):
        surface = surface.clip(surface.weights @ fields[:, index])
    return Surface(surface.points, surface.triangles, surface.weights @ whole.weights)


def build_skin(ground: Ground, half: HalfMesh, kit: np.ndarray) -> SkinMesh:
    """Rings for both eyes, both nostrils and the mouth; mirror; weld along midline and borders.

    Args:
        kit: (SKIN_STOP, 3) the kit's neutral skin, mm.
    """
    mirror = ground.kit_mirror
    eye = _eye_patch(ground, half, kit)
    nostril = _nostril_patch(ground, half, kit)
    ear = _ear_patch(ground, half, kit)
    left_weights = [half.weights, eye.weights, nostril.weights, ear.weights]
    left_faces = [half.faces]
    start = len(half.points)
    socket = [np.zeros(len(half.points), bool)]
    lid = start + (eye.margin_row - 1) * len(half.eye) + np.arange(len(half.eye))
    for patch, border in ((eye, half.eye), (nostril, half.nostril), (ear, half.ear)):
        ids = np.concatenate([border, start + np.arange(patch.weights.shape[0])])
        left_faces.append(ids[patch.faces])
        socket.append(_in_socket(patch, len(border)))
        start += patch.weights.shape[0]
    left = vstack(left_weights).tocsr()
    faces, socket = np.concatenate(left_faces), np.concatenate(socket)

    # The right half: mirrored weights, except for midline vertices, which are shared and made exactly symmetric.
    points = left @ kit
    middle = np.flatnonzero((np.abs(points[:, 0]) < 1e-3) & (np.arange(len(points)) < len(half.points)))
    side = np.setdiff1d(np.arange(len(points)), middle)
    flipped = left[:, mirror]
    left = left.tolil()
    left[middle] = 0.5 * (left[middle] + flipped[middle])
    left = left.tocsr()
    right_id = np.zeros(len(points), int)
    right_id[middle] = middle
    right_id[side] = len(points) + np.arange(len(side))
    weights = vstack([left, flipped[side]]).tocsr()
    faces = np.concatenate([faces, right_id[faces]])
    socket = np.concatenate([socket, socket[side]])

    lips = [*half.mouth, *right_id[half.mouth[-2:0:-1]]]
    mouth = _mouth_patch(ground, weights[lips], kit, len(half.mouth))
    ids = np.concatenate([lips, weights.shape[0] + np.arange(mouth.weights.shape[0])])
    faces = np.concatenate([faces, ids[mouth.faces]])
    socket = np.concatenate([socket, _in_socket(mouth, len(lips))])
    weights = vstack([weights, mouth.weights]).tocsr()
    faces = orient(faces, weights @ kit)
    weights = _fair(weights, faces, [*half.eye, *right_id[half.eye], *lips], kit)
    return SkinMesh(weights, faces, socket, (lid.tolist(), right_id[lid].tolist()))


def _in_socket(patch: RingPatch, columns: int) -> np.ndarray:
    index = np.arange(patch.weights.shape[0])
    return index >= (len(index) if patch.margin_row is None else patch.margin_row * columns)


def _fair(weights: csr_matrix, faces: np.ndarray, borders: list[int], kit: np.ndarray) -> csr_matrix:
    """Smooth the bands where rings meet the remeshed quads, and what is folded at the corners of the mouth."""
    adjacency = neighbours(faces, weights.shape[0])
    band = np.zeros(weights.shape[0], bool)
    band[borders] = True
    for _ in range(BAND_WIDTH):
        band = band | (adjacency @ band > 0)
    weights = taubin_smoothing(faces, band, BAND_ROUNDS) @ weights
    mean = diags(1 / np.asarray(adjacency.sum(axis=1)).ravel()) @ adjacency
    for _ in range(UNFOLD_ROUNDS):
        folded = corner_quality(weights @ kit, faces) < UNFOLD_BELOW
        if not folded.any():
            break
        moving = np.zeros(weights.shape[0], bool)
        moving[faces[folded]] = True
        weights = weights + diags(0.3 * moving) @ (mean @ weights - weights)
    return weights.tocsr()


def _cap(surface: Surface, inside: np.ndarray, chains: list[list[int]], level: int) -> Surface:
    """The disk of triangles that a chain bounds on its inner side."""
    allowed = inside.copy()
    for loop in chains[:level]:
        allowed[loop] = False
    allowed[chains[level]] = True
    return surface.keep(surface.triangles[allowed[surface.triangles].all(axis=1)])


def _mask(ground: Ground, ids: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(ground.label), bool)
    inside[ids] = True
    return inside


def _eye_patch(ground: Ground, half: HalfMesh, kit: np.ndarray) -> RingPatch:
    angle = _angle(EYE_CENTRE, EYE_RADII)
    inside = _mask(ground, ground.orbit)
    border = half.weights[half.eye]
    chains = inward_chains(ground.quads, _along(ground.surface, ground.lid, border @ kit, angle), inside)
    levels = [1, 2, 4, 8, 12]
    cap = _cap(ground.surface, inside, chains, levels[-1])
    patch = _labelled(ground).clip(-ground.eye)
    return build_patch(
        Opening(ground.surface, patch, chains, cap, levels, angle), border, kit,
        spacing=(1.9, 0.75), angle_share=0.45, grid_width=len(half.eye) // 4,
    )  # fmt: skip


def _nostril_patch(ground: Ground, half: HalfMesh, kit: np.ndarray) -> RingPatch:
    middle = ground.surface.points[ground.rim].mean(axis=0)
    inside = _mask(ground, ground.pit)
    border = half.weights[half.nostril]
    margin = _along(ground.surface, ground.rim, border @ kit, _angle(tuple(middle[:2]), (1, 1)))
    chains = inward_chains(ground.quads, margin, inside)
    levels = [2, 4, 6, 10, 14]
    cap = _cap(ground.surface, inside, chains, levels[-1])
    return build_patch(
        Opening(ground.surface, None, chains, cap, levels, None), border, kit, grid_width=len(half.nostril) // 4
    )


def _ear_patch(ground: Ground, half: HalfMesh, kit: np.ndarray) -> RingPatch:
    border = half.weights[half.ear]
    across = _angle(EAR_CENTRE, EAR_RADII)
    patch = _labelled(ground).clip(-ground.ear)
    return build_lobe(
        patch, border, kit, lambda points: across(points[:, [2, 1]]), EAR_SPACING_MM, EAR_GRID_SHARE,
        ground.surface.weights,
    )  # fmt: skip


def _mouth_patch(ground: Ground, border: csr_matrix, kit: np.ndarray, half_count: int) -> RingPatch:
    angle = _angle(MOUTH_CENTRE, MOUTH_RADII)
    inside = ground.label == 2
    chains = inward_chains(ground.quads, _along(ground.surface, ground.lip, border @ kit, angle), inside)
    deepest = len(chains) - 1
    levels = [2, 4, 6, *np.linspace(10, deepest, 7).astype(int).tolist()]
    cap = _cap(ground.surface, inside, chains, levels[-1])
    patch = _labelled(ground).clip(-ground.mouth)
    built = build_patch(
        Opening(ground.surface, patch, chains, cap, levels, angle), border, kit,
        spacing=(1.9, 0.8), angle_share=0.45, grid_width=2 * ((half_count - 1) // 4),
    )  # fmt: skip
    return RingPatch(_symmetric(built.weights, kit, ground.kit_mirror), built.faces, built.margin_row)


def _labelled(ground: Ground) -> Surface:
    """The ground with itself as source, so that a clipped piece still knows which surface vertices it holds."""
    count = len(ground.surface.points)
    return Surface(ground.surface.points, ground.surface.triangles, identity(count, format="csr"))


def _symmetric(weights: csr_matrix, kit: np.ndarray, mirror: np.ndarray) -> csr_matrix:
    """Average each row with the mirror image of its mirrored partner, so that the patch is exactly symmetric."""
    position = weights @ kit
    _, partner = cKDTree(position).query(position * [-1, 1, 1])
    return (0.5 * (weights + weights[partner][:, mirror])).tocsr()


def _along(surface: Surface, loop: list[int], border_points: np.ndarray, angle) -> list[int]:
    """The loop turned in the direction of the border."""

    def turn(points: np.ndarray) -> float:
        return float(np.sign(np.diff(np.unwrap(angle(points))).sum()))

    return list(loop) if turn(surface.points[loop]) == turn(border_points) else list(reversed(loop))


def orient(faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Make all faces agree with their neighbours, and the whole face outwards."""
    owners: dict[tuple[int, int], list[tuple[int, bool]]] = {}
    for index, face in enumerate(faces.tolist()):
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            owners.setdefault((min(a, b), max(a, b)), []).append((index, a < b))
    linked: list[list[tuple[int, bool]]] = [[] for _ in faces]
    for pair in owners.values():
        if len(pair) == 2:
            (i, forward_i), (j, forward_j) = pair
            linked[i].append((j, forward_i == forward_j))
            linked[j].append((i, forward_i == forward_j))
        elif len(pair) > 2:
            raise ValueError("an edge with more than two faces")
    flip = np.full(len(faces), -1)
    flip[0], queue = 0, [0]
    while queue:
        index = queue.pop()
        for other, differs in linked[index]:
            if flip[other] < 0:
                flip[other] = flip[index] ^ int(differs)
                queue.append(other)
    out = np.where(flip[:, None] == 1, faces[:, ::-1], faces)
    corners = points[out]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    outward = (normal * (corners.mean(axis=1) - points.mean(axis=0))).sum()
    return out if outward > 0 else out[:, ::-1]
