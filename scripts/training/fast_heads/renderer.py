# SPDX-License-Identifier: GPL-3.0-or-later
"""Grey aligned crops of random faces, hundreds a second on one core: the pictures of the expression dictionary.

Heads are drawn as clouds of small surface pieces: a batch of heads is a few products of (sparse) matrices, the nearest
pieces of each pixel are found with a depth buffer and averaged.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from facedetail_addon.core.face_model.calibration import LandmarkCalibration
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.observe.expression.face_crop import face_region
from scripts.training.fast_heads.scenes import (
    Scenes,
    develop,
    sh_basis,
)
from scripts.training.fast_heads.surface import FaceSurface, prepare_surface
from scripts.training.heads.samples import head_rotation

BATCH = 16
FOCAL_PX = 1000.0
# The depth buffer keeps pieces this far behind the nearest, and as much more as their own slope asks for.
DEPTH_MARGIN_MM, STEEPEST = 1.0, 4.0
# Pieces seen more edge-on than this would hide others and show nothing themselves.
GRAZING = 8.0
# Pieces are collected at twice the resolution, with a border that the smoothing reads.
FINE, BORDER = 2, 1


@dataclass(frozen=True)
class FaceRenderer:
    """A face model ready to be drawn.

    Attributes:
        surface: what of the model can be seen in a crop.
        looks: (L, N) float32 linear grey albedo of the surface's N vertices.
        landmark_modes: (1 + K + E, 478, 3) float32 mm, where the landmarks truly lie on mean, identity and expression.
    """

    surface: FaceSurface
    looks: np.ndarray
    landmark_modes: np.ndarray


def make_renderer(model: FaceModel, calibration: LandmarkCalibration, looks: np.ndarray) -> FaceRenderer:
    """Prepare a model (some seconds: what can be seen, and how much sky each vertex sees by expression).

    Args:
        looks: (L, V) float32 linear grey albedo of all the model's vertices, e.g. of :func:`painted_looks`.

    Raises:
        AssetError: the calibration is of another model.
    """
    calibration.require_model(model)
    surface = prepare_surface(model, face_region(calibration.mean * [1, -1, -1]))
    embedded = [calibration.embedding.points(b) for b in (model.mean, model.identity_basis, model.expression_basis)]
    embedded[0] = embedded[0] + calibration.offset
    modes = np.concatenate([embedded[0][None], *embedded[1:]]).astype(np.float32)
    return FaceRenderer(surface, np.ascontiguousarray(looks[:, surface.vertices], np.float32), modes)


def render_faces(
    renderer: FaceRenderer, alpha: np.ndarray, beta: np.ndarray, scenes: Scenes, points: np.ndarray, size: int = 96
) -> np.ndarray:
    """Draw faces straight into the square that :func:`face_region` would cut from their photos.

    Args:
        alpha: (B, K). beta: (B, E). scenes: of B. points: (B, 478, 3) mm, landmarks of :func:`simulate_landmarks`.
        size: side of the crops in px.

    Returns:
        (B, size, size) uint8 grey, sRGB-encoded.
    """
    parts = []
    for start in range(0, len(alpha), BATCH):
        rows = slice(start, start + BATCH)
        batch = Scenes(**{name: values[rows] for name, values in vars(scenes).items()})
        linear, coverage = _draw(renderer, alpha[rows], beta[rows], batch, points[rows], size)
        parts.append(develop(linear, coverage, batch))
    return np.concatenate(parts)


def _draw(
    renderer: FaceRenderer, alpha: np.ndarray, beta: np.ndarray, scenes: Scenes, points: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Linear grey and coverage, each (B, size, size) float32."""
    surface, count = renderer.surface, len(alpha)
    coefficients = np.concatenate([np.ones((count, 1)), alpha, beta], axis=1).astype(np.float32)
    rotations = _rotations(scenes)
    axes, origin = _crop_frames(renderer, coefficients, rotations, scenes, points, size)
    positions = _turned((surface.modes @ coefficients.T).reshape(3, -1, count), rotations)
    normals = _quad_normals(surface, positions)
    x, y, z = positions
    depth = scenes.distance_mm.astype(np.float32) - z
    across, down = x / depth, -y / depth
    column = axes[:, 0, 0] * across + axes[:, 0, 1] * down + origin[:, 0]
    row = axes[:, 1, 0] * across + axes[:, 1, 1] * down + origin[:, 1]
    a, b, c, d = surface.quads.T
    area = ((column[d] - column[b]) * (row[c] - row[a]) - (column[c] - column[a]) * (row[d] - row[b])) / 2
    slope = (abs(normals[0]) + abs(normals[1])) / np.maximum(abs(normals[2]), 1e-6)
    area[slope > GRAZING] = 0
    pixel_mm = scenes.distance_mm / np.hypot(*axes[:, 0].T)
    slack = DEPTH_MARGIN_MM + np.minimum(slope, STEEPEST) * pixel_mm.astype(np.float32)
    shade = _shade(surface, _vertex_normals(surface, normals), beta, scenes.light) * renderer.looks[scenes.look].T
    return _splat(surface, np.stack([column, row, depth + surface.set_back, shade]), area, slack, size)


def _shade(surface: FaceSurface, normals: list[np.ndarray], beta: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(N, B) light that reaches the vertices."""
    terms = zip(light.T.astype(np.float32), sh_basis(*normals), strict=True)
    received = np.maximum(sum(strength * harmonic for strength, harmonic in terms), 0.02)
    by_expression = np.concatenate([np.ones((len(beta), 1)), beta], axis=1).astype(np.float32)
    free = (surface.ambient @ by_expression.T).clip(0.05, 1)
    # Lights that reach a hollow at all are partly hidden too: its shade is deeper than the free sky alone says.
    return received * free * np.sqrt(free)


def _crop_frames(
    renderer: FaceRenderer, coefficients: np.ndarray, rotations: np.ndarray, scenes: Scenes, points: np.ndarray,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """From (x, down) over depth to crop px: matrices (B, 2, 2) and origins (B, 2) float32."""
    meshes = _projected_landmarks(renderer, coefficients, rotations, scenes, points)
    regions = [face_region(mesh_px) for mesh_px in meshes]
    scale = np.array([size / region.side for region in regions])
    cos, sin = (np.array([turn(region.angle) for region in regions]) for turn in (np.cos, np.sin))
    axes = np.moveaxis(np.array([[cos, sin], [-sin, cos]]), 2, 0) * scale[:, None, None]
    centers = np.array([region.center for region in regions])
    origin = size / 2 - np.einsum("bij,bj->bi", axes, centers)
    return (FOCAL_PX * axes).astype(np.float32), origin.astype(np.float32)


def landmarks_px(
    renderer: FaceRenderer, alpha: np.ndarray, beta: np.ndarray, scenes: Scenes, points: np.ndarray
) -> np.ndarray:
    """(B, 478, 3) px: the landmarks in photos of these heads, as ``FaceLandmarks.mesh_px``; arguments as above.

    The photos have a focal length of 1000 px and their origin at the head's; only their crops are ever drawn.
    """
    coefficients = np.concatenate([np.ones((len(alpha), 1)), alpha, beta], axis=1).astype(np.float32)
    return _projected_landmarks(renderer, coefficients, _rotations(scenes), scenes, points)


def _rotations(scenes: Scenes) -> np.ndarray:
    return np.array([head_rotation(*a) for a in zip(scenes.yaw_deg, scenes.pitch_deg, scenes.roll_deg, strict=True)])


def _projected_landmarks(
    renderer: FaceRenderer, coefficients: np.ndarray, rotations: np.ndarray, scenes: Scenes, points: np.ndarray
) -> np.ndarray:
    true = np.tensordot(coefficients, renderer.landmark_modes, 1).astype(np.float64)
    x, y, z = np.moveaxis(np.einsum("bij,bnj->bni", rotations, _placed(points, true)), 2, 0)
    distance = scenes.distance_mm[:, None]
    return FOCAL_PX * np.stack([x / (distance - z), -y / (distance - z), -z / distance], axis=-1)


def _placed(points: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Normalised landmarks (B, N, 3) brought back, by the best similarity, to where the head's own are."""
    centers, goals = points.mean(1, keepdims=True), true.mean(1, keepdims=True)
    source, target = points - centers, true - goals
    left, singular, right = np.linalg.svd(np.einsum("bni,bnj->bij", target, source))
    sign = np.ones_like(singular)
    sign[:, 2] = np.sign(np.linalg.det(left) * np.linalg.det(right))
    turn = (left * sign[:, None]) @ right
    scale = (singular * sign).sum(1) / (source**2).sum((1, 2))
    return scale[:, None, None] * np.einsum("bij,bnj->bni", turn, source) + goals


def _turned(positions: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, ...]:
    """(3, N, B) positions turned by (B, 3, 3): x right, y up, z to the viewer."""
    turns = rotations.astype(np.float32)
    return tuple(sum(turns[:, i, j] * positions[j] for j in range(3)) for i in range(3))


def _quad_normals(surface: FaceSurface, positions: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Twice the area times the unit normal of each quad, three of (F, B)."""
    a, b, c, d = surface.quads.T
    first, second = ([v[to] - v[start] for v in positions] for start, to in ((a, c), (b, d)))
    return [first[i] * second[j] - first[j] * second[i] for i, j in ((1, 2), (2, 0), (0, 1))]


def _vertex_normals(surface: FaceSurface, quad_normals: list[np.ndarray]) -> list[np.ndarray]:
    normals = [surface.around @ component for component in quad_normals]
    shrink = 1 / np.sqrt(np.maximum(sum(n * n for n in normals), 1e-12))
    return [n * shrink for n in normals]


def _splat(
    surface: FaceSurface, attributes: np.ndarray, area: np.ndarray, slack: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average the nearest pieces in each pixel.

    Args:
        attributes: (4, N, B) column and row in px, depth in mm, shade. area: (F, B) px², positive towards the viewer.
        slack: (F, B) mm that a piece may lie behind the nearest of its pixel.

    Returns:
        linear grey and coverage, each (B, size, size) float32.
    """
    count = area.shape[1]
    stacked = np.ascontiguousarray(attributes.swapaxes(0, 1)).reshape(-1, 4 * count)
    pieces = (surface.pieces @ stacked).reshape(-1, 4, count)
    weight = area[surface.piece_quad] * surface.piece_share
    edge = BORDER / FINE
    inside = weight > 0
    for axis in (0, 1):
        inside &= (pieces[:, axis] > -edge) & (pieces[:, axis] < size + edge)
    drawn = np.flatnonzero(inside)
    piece = drawn // count
    head = drawn - piece * count
    weight = weight.ravel()[drawn]
    start = drawn + 3 * count * piece
    column, row, depth, shade = (pieces.ravel()[start + number * count] for number in range(4))
    column, row = column + edge, row + edge
    coarse = size + 1
    cell = (head * coarse + row.astype(np.int64)) * coarse + column.astype(np.int64)
    nearest = torch.full((count * coarse * coarse,), torch.inf)
    nearest.scatter_reduce_(0, torch.from_numpy(cell), torch.from_numpy(depth), "amin")
    nearest = _closed(nearest.numpy().reshape(count, coarse, coarse)).ravel()
    limit = nearest[cell] + slack.ravel()[surface.piece_quad[piece] * count + head]
    front = np.flatnonzero(depth <= limit)
    fine = FINE * size + 2 * BORDER
    cell = (head[front] * fine + (row[front] * FINE).astype(np.int64)) * fine + (column[front] * FINE).astype(np.int64)
    weight = weight[front]
    sums = [
        _reduced(np.bincount(cell, w, count * fine * fine).astype(np.float32).reshape(count, fine, fine))
        for w in (weight, weight * shade[front])
    ]
    return _gaps_filled(*sums)


def _gaps_filled(weight: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and coverage from sums over the pieces of each pixel; pixels with too few borrow from their neighbours."""
    kernel = np.ones((3, 3), np.uint8)
    coverage = (weight * 1.3).clip(0, 1)
    for index in range(len(weight)):
        around = [cv2.blur(sums[index], (3, 3)) for sums in (weight, total)]
        weight[index] += 0.15 * around[0]
        total[index] += 0.15 * around[1]
        coverage[index] = cv2.morphologyEx(coverage[index], cv2.MORPH_CLOSE, kernel)
    return total / np.maximum(weight, 1e-6), coverage


def _closed(nearest: np.ndarray) -> np.ndarray:
    """Fill gaps of one pixel between pieces, through which what lies behind would show; (B, H, W) mm."""
    padded = np.pad(nearest, ((0, 0), (1, 1), (1, 1)), mode="edge")
    for combine in (np.minimum, np.maximum):
        for axis in (1, 2):
            padded = np.moveaxis(padded, axis, 0)
            padded = np.moveaxis(combine(padded[:-1], padded[1:]), 0, axis)
    return padded


def _reduced(fine: np.ndarray) -> np.ndarray:
    """(B, 2·S + 2, 2·S + 2) to (B, S, S): sums over pixels, smoothed with weights 1 3 3 1 over half pixels."""
    for axis in (1, 2):
        fine = np.moveaxis(fine, axis, 0)
        last = len(fine)
        fine = (fine[0 : last - 3 : 2] + fine[3:last:2] + 3 * (fine[1 : last - 2 : 2] + fine[2 : last - 1 : 2])) / 4
        fine = np.moveaxis(fine, 0, axis)
    return fine
