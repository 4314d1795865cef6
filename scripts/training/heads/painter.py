# SPDX-License-Identifier: GPL-3.0-or-later
"""What is painted on heads: brows, lips, lashes, eyes, hair, and skin of random colour.

Everything painted is a function of the *rest position* of a surface point (where it lies on the model's mean head) and
of the model's 68 landmarks, so any face model can be drawn and the paint follows identity and expression.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates

from facedetail_addon.core.face_model.eyeball import eye_centre, pupil_vertex
from facedetail_addon.core.face_model.model import FaceModel, MeshPart
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.rays import RayScene

MAP_STEP_MM = 0.25
MAP_RANGE_MM = 128.0
IRIS_RADIUS_MM = 5.85
EYE_RADIUS_MM = 12.0
PUPIL_RADIUS_MM = 2.2


@dataclass(frozen=True)
class Painter:
    """What drawing a model needs, computed once.

    Attributes:
        triangles: (T, 3) int32 of all parts together.
        part: (T,) uint8, 0 skin, 1 eye, 2 teeth, 3 gums, 4 mouth bag and sockets.
        rest: (V, 3) float32 mean head, mm. ambient: (V, 1) float32 share of the sky each vertex of the mean head sees.
        lips, lips_inner, brows, lids: (H, W) float32 distance in mm on a frontal grid over the mean head, negative
            inside the closed curves; see :func:`_look_up`.
        eye_centers: (2, 3) mm. pupils: (2, 3) mm, where the irises are painted.
        brow_height, nose_base, mouth_height, front: heights (y) and the depth (z) of the nose bridge, mm.
    """

    triangles: np.ndarray
    part: np.ndarray
    rest: np.ndarray
    ambient: np.ndarray
    lips: np.ndarray
    lips_inner: np.ndarray
    brows: np.ndarray
    lids: np.ndarray
    eye_centers: np.ndarray
    pupils: np.ndarray
    brow_height: float
    nose_base: float
    mouth_height: float
    front: float


def make_painter(model: FaceModel) -> Painter:
    """Prepare a model for being drawn (half a second)."""
    marks = model.landmarks68.points(model.mean)
    lids = np.minimum(*(_signed_distance(_curve(marks[i : i + 6, :2], closed=True)) for i in (36, 42)))
    eye_parts = list(model.eyes.values())
    triangles, part = [], []
    for piece in model.solid_parts:
        faces = piece.triangles()
        kind = {"skin": 0, "eye": 1, "teeth": 2}.get(piece.name.split("_")[0], 3)
        kinds = np.full(len(faces), kind, np.uint8)
        if piece.name == "skin":
            hidden = model.in_region("socket")
            kinds[hidden[faces].all(1)] = 4
            if not eye_parts:
                kinds[(_look_up(lids, model.mean[: piece.stop])[faces] < 0).all(1)] = 1
        triangles.append(faces + piece.start)
        part.append(kinds)
    triangles, part = np.concatenate(triangles), np.concatenate(part)
    centers, pupils = _eyes(model, eye_parts, marks)
    return Painter(
        triangles=triangles,
        part=part,
        rest=model.mean,
        ambient=_ambient(model.mean, triangles),
        lips=_signed_distance(_curve(marks[48:60, :2], closed=True)),
        lips_inner=_signed_distance(_curve(marks[60:68, :2], closed=True)),
        brows=np.minimum(*(_line_distance(_curve(marks[i : i + 5, :2])) for i in (17, 22))),
        lids=lids,
        eye_centers=centers,
        pupils=pupils,
        brow_height=float(marks[17:27, 1].mean()),
        nose_base=float(marks[33, 1]),
        mouth_height=float(marks[60:68, 1].mean()),
        front=float(marks[27, 2]),
    )


def _eyes(model: FaceModel, parts: list[MeshPart], marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2, 3) mm centres and pupils; between the lids where skin covers the eyes, on which they are painted."""
    if not parts:
        pupils = np.array([marks[i : i + 6].mean(axis=0) for i in (36, 42)])
        return pupils - [0, 0, EYE_RADIUS_MM], pupils
    eyes = [piece.of(model.mean) for piece in parts]
    pupils = [eye[pupil_vertex(piece, eye)] for piece, eye in zip(parts, eyes, strict=True)]
    return np.array([eye_centre(eye) for eye in eyes]), np.array(pupils)


def _curve(points: np.ndarray, closed: bool = False) -> np.ndarray:
    """A smooth dense curve through (N, 2) landmarks."""
    if closed:
        points = np.concatenate([points, points[:1]])
    knots = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1) + 1e-3)])
    spline = CubicSpline(knots, points, bc_type="periodic" if closed else "natural")
    return spline(np.linspace(0, knots[-1], 200))


def _grid(points: np.ndarray) -> np.ndarray:
    """(N, 2) mm to the frontal grid's (column, row)."""
    return (points * [1, -1] + MAP_RANGE_MM) / MAP_STEP_MM


def _line_distance(curve: np.ndarray) -> np.ndarray:
    side = int(2 * MAP_RANGE_MM / MAP_STEP_MM)
    canvas = np.full((side, side), 255, np.uint8)
    cv2.polylines(canvas, [np.round(_grid(curve)).astype(np.int32)], False, 0, 1)
    return cv2.distanceTransform(canvas, cv2.DIST_L2, 5) * np.float32(MAP_STEP_MM)


def _signed_distance(curve: np.ndarray) -> np.ndarray:
    side = int(2 * MAP_RANGE_MM / MAP_STEP_MM)
    inside = np.zeros((side, side), np.uint8)
    cv2.fillPoly(inside, [np.round(_grid(curve)).astype(np.int32)], 255)
    outer, inner = (cv2.distanceTransform(mask, cv2.DIST_L2, 5) for mask in (255 - inside, inside))
    return (outer - inner) * np.float32(MAP_STEP_MM)


def _look_up(distance_map: np.ndarray, rest: np.ndarray, shift: np.ndarray | None = None) -> np.ndarray:
    """(N,) mm of a frontal distance map at (N, 3) rest positions."""
    column, row = _grid(rest[:, :2] if shift is None else rest[:, :2] + shift).T
    return map_coordinates(distance_map, [row, column], order=1, mode="nearest")


def _soft(distance: np.ndarray, edge_mm: float) -> np.ndarray:
    """1 where distance is well below zero, 0 well above, smooth over the edge; (N, 1)."""
    return (1 / (1 + np.exp(np.clip(distance / edge_mm * 4, -30, 30))))[:, None]


def _ambient(vertices: np.ndarray, triangles: np.ndarray, count: int = 48) -> np.ndarray:
    rng = np.random.default_rng(0)
    normals = vertex_normals(vertices, triangles)
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    scene, open_share = RayScene(vertices, triangles), np.zeros(len(vertices))
    for direction in directions:
        ray = direction + normals
        ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-6)
        open_share += ~scene.occluded(vertices + normals * 0.3, ray)
    return (open_share / count)[:, None].astype(np.float32)


def random_albedo(painter: Painter, rest: np.ndarray, part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 3) linear albedo, one random look, at (N, 3) rest positions on the parts (N,) of :class:`Painter`."""
    tone = rng.random()
    skin = (1 - tone) * np.array([0.66, 0.43, 0.32]) + tone * np.array([0.13, 0.065, 0.04])
    skin = skin * (1 + rng.normal(size=3) * 0.05)
    hair = rng.choice([0.02, 0.05, 0.12, 0.3, 0.5]) * np.array([1, rng.uniform(0.6, 0.9), rng.uniform(0.35, 0.8)])
    hair = np.minimum(hair, skin * 0.9)
    front = _soft(painter.front - 60 - rest[:, 2], 10)
    out = skin * (1 + _blotches(rest, rng))
    cheeks = np.exp(-((np.abs(rest[:, :1]) - 42) ** 2 + (rest[:, 1:2] - painter.nose_base) ** 2) / 600)
    out = out * (1 - front * cheeks * rng.uniform(0, 0.25) * np.array([0, 1, 1]))
    beard = _soft(rest[:, 1] - painter.mouth_height - 4 - np.abs(rest[:, 0]) * 0.25, 12)
    out = out * (1 - front * beard * (rng.random() < 0.3) * rng.uniform(0, 0.6))
    lip_color = skin * np.array([rng.uniform(0.6, 1.0), rng.uniform(0.35, 0.7), rng.uniform(0.4, 0.75)])
    lips = front * _soft(_look_up(painter.lips, rest) + rng.normal() * 0.5, 1.0)
    out = out + (lip_color - out) * lips
    mouth_line = front * lips * _soft(_look_up(painter.lips_inner, rest) - 0.3, 0.6) * rng.uniform(0.3, 0.7)
    out = out * (1 - mouth_line)
    brows = _look_up(painter.brows, rest, rng.normal(size=2) * [0.8, 1.2]) - rng.uniform(1.6, 4.0)
    brows = front * _soft(brows, rng.uniform(1.0, 3.0)) * rng.uniform(0.45, 1.0)
    out = out + (hair * 0.8 - out) * brows
    lids = _look_up(painter.lids, rest)
    lashes = front * np.exp(-((lids[:, None] / rng.uniform(0.6, 1.6)) ** 2)) * rng.uniform(0.3, 0.9)
    out = out * (1 - lashes * np.where(rest[:, 1:2] > painter.eye_centers[:, 1].mean(), 1.0, 0.4))
    out = out * (1 - 0.4 * rng.random() * front * _soft(np.abs(lids - 5) - 4, 4))
    thirds = (painter.brow_height - painter.nose_base) * rng.uniform(0.45, 0.9)
    fall = rng.uniform(0.7, 1.1) * np.maximum(0, painter.front - 25 - rest[:, 2])
    hairline = painter.brow_height + thirds - fall - rest[:, 1]
    bald = rng.random() < 0.15
    scalp = _soft(np.maximum(hairline, painter.nose_base - 25 - rest[:, 1]), 6) * (not bald)
    out = np.where(part[:, None] == 0, out + (hair - out) * scalp, out)
    out[part == 1] = _eye_albedo(painter, rest[part == 1], rng)
    out[part == 2] = np.array([0.65, 0.58, 0.48]) * rng.uniform(0.7, 1.1)
    out[part == 3] = [0.25, 0.08, 0.07]
    out[part == 4] = np.array([0.16, 0.05, 0.04]) * rng.uniform(0.3, 1)
    return out.clip(0.004, 0.95)


def _eye_albedo(painter: Painter, rest: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    iris = np.array([[0.02, 0.01, 0.006], [0.1, 0.045, 0.02], [0.08, 0.14, 0.22], [0.09, 0.12, 0.06]])[rng.integers(4)]
    nearest = np.linalg.norm(rest[:, None] - painter.eye_centers, axis=2).argmin(1)
    behind = rest[:, 2] < painter.eye_centers[nearest, 2]
    radius = np.linalg.norm((rest - painter.pupils[nearest])[:, :2], axis=1) + 100 * behind
    white = np.full((len(rest), 3), 0.6) * [1, 0.93, 0.9] * rng.uniform(0.7, 1.1)
    out = white + (iris * rng.uniform(0.6, 1.4) - white) * _soft(radius - IRIS_RADIUS_MM, 0.6)
    out = out * (1 - 0.5 * np.exp(-((radius[:, None] - IRIS_RADIUS_MM) ** 2)))
    return out * (1 - 0.97 * _soft(radius - PUPIL_RADIUS_MM * rng.uniform(0.8, 1.4), 0.4))


def _blotches(rest: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 1) a sum of random waves over the skin: colour that is no shape."""
    waves = rng.standard_normal((12, 3)) * rng.uniform(0.01, 0.15, size=(12, 1))
    return np.sin(rest @ waves.T + rng.uniform(0, 6.3, 12)) @ rng.normal(size=(12, 1)) * 0.02
