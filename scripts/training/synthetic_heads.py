# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic photos of heads with known shape: primary rays, painted brows, lips, lashes, eyes and hair.

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
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.primary_rays import camera_rays, interpolate
from facedetail_addon.core.rendering.rays import Hits, RayScene

MAP_STEP_MM = 0.25
MAP_RANGE_MM = 128.0
IRIS_RADIUS_MM = 6.2
EYE_RADIUS_MM = 12.0
PUPIL_RADIUS_MM = 2.2


@dataclass(frozen=True)
class PoseRange:
    """Limits of the random views: degrees, mm from the camera to the head, and the shares of special cases."""

    yaw_deg: float = 45.0
    pitch_deg: float = 20.0
    roll_deg: float = 15.0
    near_mm: float = 450.0
    far_mm: float = 2500.0
    neutral_share: float = 0.3


@dataclass(frozen=True)
class HeadSample:
    """One synthetic head: coefficients and camera.

    Attributes:
        alpha: (K,) float32 σ units. beta: (E,) float32 in [0, 1].
        yaw_deg, pitch_deg: pose; yaw positive to the subject's own left, pitch positive downwards.
        camera: what the picture is taken with.
    """

    alpha: np.ndarray
    beta: np.ndarray
    yaw_deg: float
    pitch_deg: float
    camera: PerspectiveCamera


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
    """Prepare a model for :func:`render_head` (half a second)."""
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


def sample_head(
    rng: np.random.Generator,
    model: FaceModel,
    size: int = 256,
    pose: PoseRange = PoseRange(),
    yaw_deg: float | None = None,
) -> HeadSample:
    """A random identity, expression and view.

    Args:
        rng: all randomness comes from here. size: side of the square picture in px.
        pose: limits. yaw_deg: fixes the yaw (and keeps pitch and roll small), for the benchmark.
    """
    alpha = rng.standard_normal(len(model.identity_basis)).clip(-3, 3).astype(np.float32)
    neutral = rng.random() < pose.neutral_share
    beta = np.zeros(len(model.expression_names), np.float32) if neutral else random_expression(rng, model)
    if yaw_deg is None:
        yaw = pose.yaw_deg * (rng.beta(1.6, 1.6) * 2 - 1)
        pitch, roll = (limit * rng.normal() * 0.45 for limit in (pose.pitch_deg, pose.roll_deg))
    else:
        yaw, pitch, roll = yaw_deg, 3 * rng.normal(), 3 * rng.normal()
    distance = np.exp(rng.uniform(np.log(pose.near_mm), np.log(pose.far_mm)))
    rotation = np.diag([1.0, -1.0, -1.0]) @ head_rotation(yaw, pitch, roll)
    marks = model.landmarks68.points(model.mean)
    height = np.linalg.norm(marks[8] - marks[27]) * rng.uniform(1.9, 2.6)
    focal = size * distance / height
    center = (marks[8] + marks[27]) / 2 + rng.normal(size=3) * 6
    translation = np.array([0, 0, distance]) - rotation @ center
    camera = PerspectiveCamera(rotation, translation, float(focal), np.array([size / 2, size / 2]), (size, size))
    return HeadSample(alpha, beta, float(yaw), float(pitch), camera)


def head_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """(3, 3) turn of the head: roll after pitch after yaw, degrees."""
    y, p, r = np.radians([yaw_deg, pitch_deg, roll_deg])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def random_expression(rng: np.random.Generator, model: FaceModel) -> np.ndarray:
    """(E,) float32: a few muscles at once, left and right mostly together, gaze and blink."""
    names = model.expression_names
    beta = dict.fromkeys(names, 0.0)

    def pick(stems: tuple[str, ...], count: int, limit: float):
        for stem in rng.choice(stems, count, replace=False):
            value = limit * rng.beta(1.2, 1.8)
            for side in ("", "Left", "Right"):
                if stem + side in beta:
                    beta[stem + side] = max(beta[stem + side], value * rng.choice([1, 1, 1, rng.random()]))

    pick(("browDown", "browInnerUp", "browOuterUp"), rng.integers(0, 3), 1.0)
    pick(("cheekPuff", "cheekSquint", "noseSneer"), rng.integers(0, 2), 0.8)
    pick(("eyeBlink", "eyeSquint", "eyeWide"), rng.integers(0, 2), 0.8)
    pick(("jawOpen", "jawForward", "jawLeft", "jawRight"), rng.integers(0, 2), 0.8)
    if rng.random() < 0.3:
        pick(("jawOpen",), 1, 0.9)
    if rng.random() < 0.4:
        pick(("mouthSmile",), 1, 1.0)
    others = tuple(sorted({n.removesuffix("Left").removesuffix("Right") for n in names if n.startswith("mouth")}))
    pick(others, rng.integers(0, 4), 0.8)
    if rng.random() < 0.6:
        sideways, upwards = rng.uniform(-0.7, 0.7), rng.uniform(-0.5, 0.5)
        gaze = {
            **dict.fromkeys(("eyeLookOutLeft", "eyeLookInRight"), sideways),
            **dict.fromkeys(("eyeLookInLeft", "eyeLookOutRight"), -sideways),
            **dict.fromkeys(("eyeLookUpLeft", "eyeLookUpRight"), upwards),
            **dict.fromkeys(("eyeLookDownLeft", "eyeLookDownRight"), -upwards),
        }
        beta.update({name: max(value, 0.0) for name, value in gaze.items() if name in beta})
    return np.array([beta[name] for name in names], np.float32)


def render_head(
    painter: Painter, vertices: np.ndarray, camera: PerspectiveCamera, rng: np.random.Generator
) -> tuple[np.ndarray, Hits]:
    """Draw a head in a random look and light.

    Args:
        vertices: (V, 3) mm posed head, in the painter's vertex order.
        camera: square or not, its image_size is the picture's.

    Returns:
        (H, W, 3) uint8 sRGB and the hits of the primary rays, row by row.
    """
    width, height = camera.image_size
    scene = RayScene(vertices, painter.triangles)
    origins, directions = camera_rays(camera)
    hits = scene.cast(origins, directions)
    seen = np.flatnonzero(hits.triangle >= 0)
    front = Hits(hits.triangle[seen], hits.barycentric[seen], hits.distance[seen])
    normals = vertex_normals(vertices, painter.triangles)
    values = interpolate(front, painter.triangles, np.concatenate([painter.rest, normals, painter.ambient], axis=1))
    rest, normal, ambient = values[:, :3], values[:, 3:6], values[:, 6:]
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    part = painter.part[front.triangle]
    albedo = random_albedo(painter, rest, part, rng)
    points = origins[seen] + directions[seen] * front.distance[:, None]
    light = _light(scene, points, normal, ambient, directions[seen], camera, part, rng)
    color = np.zeros((height * width, 3), np.float32)
    color[:] = _background(rng, width, height)
    color[seen] = albedo * light[0] + light[1]
    picture = np.clip(color * rng.uniform(0.8, 1.3), 0, 1).reshape(height, width, 3)
    picture = np.where(picture <= 0.0031308, picture * 12.92, 1.055 * picture ** (1 / 2.4) - 0.055)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.7))
    picture = picture + rng.normal(size=picture.shape) * rng.uniform(0, 0.02)
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8), hits


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


def _light(
    scene: RayScene, points: np.ndarray, normal: np.ndarray, ambient: np.ndarray, view: np.ndarray,
    camera: PerspectiveCamera, part: np.ndarray, rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Diffuse factor (N, 3) and added shine (N, 1): sky, a key light with or without shadow, a weak second light."""
    sky_color = 1 + rng.normal(size=3) * 0.05
    up = normal @ camera.rotation.T
    sky = (0.75 - 0.25 * up[:, 1:2]) * ambient ** rng.uniform(0.5, 1.2) * sky_color
    strength = rng.uniform(0.25, 1.0)
    total, shine = sky * (1 - 0.6 * strength), np.zeros((len(points), 1))
    for power in (strength, strength * rng.uniform(0, 0.5)):
        towards = np.array([rng.normal() * 0.7, -rng.uniform(-0.1, 1.2), -1.0])
        towards = camera.rotation.T @ (towards / np.linalg.norm(towards))
        facing = np.maximum(normal @ towards, 0)[:, None]
        if rng.random() < 0.4:
            blocked = scene.occluded(points + normal * 0.5, np.broadcast_to(towards, points.shape))
            facing = facing * (1 - rng.uniform(0.4, 0.9) * blocked[:, None])
        total = total + facing * power * (1 + rng.normal(size=3) * 0.04)
        half = towards - view
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        gloss = np.where(part[:, None] == 1, 200.0, 18.0)
        weight = np.where(part[:, None] == 1, 0.8, 0.08 * rng.random())
        shine = shine + weight * power * np.maximum((normal * half).sum(1, keepdims=True), 0) ** gloss
    return total, shine


def _background(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    coarse = (rng.uniform(0, 1, (3, 3, 1)) ** 2 + rng.normal(size=(3, 3, 3)) * 0.08) * rng.uniform(0.1, 0.9)
    smooth = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return smooth.reshape(-1, 3).clip(0, 1)
