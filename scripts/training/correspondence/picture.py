# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of dressed heads in real skin, drawn straight into the network's crop."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_srgb
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.image import sample
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.primary_rays import camera_rays, interpolate
from facedetail_addon.core.rendering.rays import Hits, RayScene
from scripts.training.correspondence.canonical import canonical_corners, with_regions
from scripts.training.correspondence.dressing import Garment, Wardrobe, hair_alone, make_wardrobe, random_garments
from scripts.training.correspondence.skins import SIDE, Skins
from scripts.training.heads.painter import Painter, make_painter, random_albedo

_SKIN = 0
_SITTERS = 5  # part of their hair's seed


@dataclass(frozen=True)
class Studio:
    """What drawing needs, made once.

    Attributes:
        painter, wardrobe: of the model. corner_uv: (T, 3, 2) float32 px in the skin's picture for its triangles.
    """

    model: FaceModel
    painter: Painter
    wardrobe: Wardrobe
    corner_uv: np.ndarray
    skins: Skins


def make_studio(model: FaceModel, skins: Skins, data: Path, builtin: FaceModel | None = None) -> Studio:
    """Prepare a model for being drawn.

    Args:
        skins: what heads are painted with. data: the folder that holds the glasses.
        builtin: where ``model`` is another mesh of the same mean head: the built-in one, whose UV and regions it takes.
    """
    uv = canonical_corners(model, builtin or model)
    model = with_regions(model, builtin) if builtin else model
    corners = np.stack([uv[..., 0] * SIDE, (1 - uv[..., 1]) * SIDE], axis=-1).astype(np.float32)
    return Studio(model, make_painter(model), make_wardrobe(model, data), corners, skins)


def draw(
    studio: Studio,
    vertices: np.ndarray,
    camera: PerspectiveCamera,
    rng: np.random.Generator,
    skin: int | None = None,
    sitter: int | None = None,
) -> np.ndarray:
    """A dressed head before a background, (H, W, 3) uint8 sRGB.

    Args:
        vertices: (V, 3) mm posed head. camera: its image_size is the picture's.
        skin: which of the studio's; a random one by default. All else is the same chance for every skin.
        sitter: number of a person who sits for these photos: hair is the same in all, nothing covers the face, and they
            are sharp and in colour. None: photos as they turn up.
    """
    painter, skin_rows = studio.painter, studio.model.skin.rows
    if sitter is None:
        garments = random_garments(studio.wardrobe, vertices[skin_rows], rng)
    else:
        garments = hair_alone(studio.wardrobe, vertices[skin_rows], np.random.default_rng((_SITTERS, sitter)))
    points, triangles, owner = _joined(vertices, painter.triangles, garments)
    scene = RayScene(points, triangles)
    width, height = camera.image_size
    origins, directions = camera_rays(camera)
    hits = scene.cast(origins, directions)
    seen = np.flatnonzero(hits.triangle >= 0)
    front = Hits(hits.triangle[seen], hits.barycentric[seen], hits.distance[seen])
    normal = interpolate(front, triangles, vertex_normals(points, triangles))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    view = directions[seen]
    normal *= -np.sign((normal * view).sum(1, keepdims=True) - 1e-9)  # sheets are seen from both sides
    albedo, ambient, shine = _surface(studio, vertices, garments, owner, front, triangles, rng, skin)
    places = origins[seen] + view * front.distance[:, None]
    lit = _light(scene, places, normal, ambient, view, camera, shine, rng)
    colour = _background(studio, rng, width, height)
    colour[seen] = albedo * lit[0] + lit[1]
    colour = colour.reshape(height, width, 3)
    return _develop(colour, seen, rng) if sitter is None else _develop_carefully(colour, seen, rng)


def _joined(vertices: np.ndarray, triangles: np.ndarray, garments: list[Garment]):
    """All meshes as one, and for each triangle the garment it belongs to, −1 for the head."""
    points, faces, owner = [vertices], [triangles], [np.full(len(triangles), -1)]
    start = len(vertices)
    for number, garment in enumerate(garments):
        points.append(garment.vertices)
        faces.append(garment.triangles + start)
        owner.append(np.full(len(garment.triangles), number))
        start += len(garment.vertices)
    return np.concatenate(points).astype(np.float32), np.concatenate(faces), np.concatenate(owner)


def _surface(studio: Studio, vertices, garments, owner, front: Hits, triangles, rng, chosen: int | None):
    """Albedo (N, 3), share of free sky (N, 1) and shine (N, 1) of what the rays hit."""
    painter = studio.painter
    whose = owner[front.triangle]
    albedo = np.zeros((len(whose), 3), np.float32)
    ambient, shine = np.ones((len(whose), 1), np.float32), np.full((len(whose), 1), 0.02, np.float32)
    head = np.flatnonzero(whose < 0)
    on_head = Hits(front.triangle[head], front.barycentric[head], front.distance[head])
    values = interpolate(on_head, painter.triangles, np.concatenate([painter.rest, painter.ambient], axis=1))
    part = painter.part[on_head.triangle]
    painted = random_albedo(painter, values[:, :3], part, rng)
    albedo[head], ambient[head] = painted, values[:, 3:]
    shine[head] = np.where(part[:, None] == 1, 0.8, 0.08 * rng.random())
    skin = np.flatnonzero((part == _SKIN) & (on_head.triangle < len(studio.corner_uv)))
    picked = rng.integers(len(studio.skins.names))  # drawn even where one is chosen, so that all else stays as it is
    at = np.einsum("nkc,nk->nc", studio.corner_uv[on_head.triangle[skin]], on_head.barycentric[skin])
    tint = np.exp(rng.normal(size=3) * 0.06 + rng.normal() * 0.12).astype(np.float32)
    texture = studio.skins.linear(picked if chosen is None else chosen) * tint
    albedo[head[skin]] = sample(texture, (at - 0.5).astype(np.float32), cv2.INTER_LINEAR).clip(0.004, 0.95)
    colours = [garment.colour for garment in garments]
    if garments:
        worn = np.flatnonzero(whose >= 0)
        on_worn = Hits(front.triangle[worn], front.barycentric[worn], front.distance[worn])
        table = np.concatenate([np.zeros((len(vertices), 3), np.float32), *colours])
        albedo[worn] = interpolate(on_worn, triangles, table)
        shine[worn] = np.array([garment.shine for garment in garments], np.float32)[whose[worn], None]
    return albedo, ambient, shine


def _light(scene, places, normal, ambient, view, camera, shine, rng):
    """Diffuse factor (N, 3) and what shines, (N, 3): a sky, one to three lamps, the first with shadow."""
    up = normal @ camera.rotation.T
    tilt = rng.normal(size=3) * 0.35
    sky = (0.75 - 0.25 * up[:, 1:2] + (up @ tilt)[:, None] * 0.3).clip(0.05) * ambient ** rng.uniform(0.5, 1.2)
    strength = rng.uniform(0.1, 1.0)
    total = sky * (1 + rng.normal(size=3) * 0.07) * (1.05 - strength)
    gloss = np.zeros((len(places), 3))
    for number in range(1 + (rng.random() < 0.5) + (rng.random() < 0.2)):
        towards = np.array([rng.normal() * 0.9, -rng.uniform(-0.3, 1.3), -rng.uniform(0.1, 1.2)])
        towards = camera.rotation.T @ (towards / np.linalg.norm(towards))
        facing = np.maximum(normal @ towards, 0)[:, None]
        if number == 0 and rng.random() < 0.7:
            soft = towards + rng.normal(size=places.shape) * rng.choice([0.01, 0.06, 0.15])
            blocked = scene.occluded(places + normal * 0.5, soft.astype(np.float32))
            facing = facing * (1 - rng.uniform(0.5, 1.0) * blocked[:, None])
        power = strength * (1.4 if number == 0 else rng.uniform(0.1, 0.7)) * (1 + rng.normal(size=3) * 0.08)
        total = total + facing * power
        half = towards - view
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        sharp = np.where(shine > 0.5, 200.0, rng.uniform(8, 30))
        gloss = gloss + shine * power * np.maximum((normal * half).sum(1, keepdims=True), 0) ** sharp
    return total, gloss


def _background(studio: Studio, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """(H·W, 3) linear: smooth colours with edges in them, as rooms and streets have, more or less out of focus."""
    coarse = rng.uniform(0, 1, (3, 3, 1)) ** 2 * rng.uniform(0.1, 0.9) + rng.normal(size=(3, 3, 3)) * 0.06
    picture = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.7:
        for _ in range(rng.integers(2, 14)):
            at, size = rng.uniform(0, 1, 2) * [width, height], np.exp(rng.uniform(1.5, 5, 2))
            box = cv2.boxPoints((tuple(map(float, at)), tuple(map(float, size)), float(rng.uniform(0, 180))))
            value = (rng.uniform(0, 1) ** 2 * rng.uniform(0.3, 1, 3)).tolist()
            cv2.fillPoly(picture, [box.astype(np.int32)], value)
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 9))
    return picture.reshape(-1, 3).clip(0, 1)


def _exposed(colour: np.ndarray, seen: np.ndarray, brightness: float) -> np.ndarray:
    """(H, W, 3) float32 sRGB, the brighter parts of the head of so much linear luminance."""
    level = np.percentile((colour.reshape(-1, 3)[seen] @ LUMINANCE), 75) if len(seen) else 0.3
    return to_srgb((colour * (brightness / max(float(level), 1e-3))).clip(0, 1).astype(np.float32))


def _develop(colour: np.ndarray, seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = colour.shape[:2]
    picture = _exposed(colour, seen, rng.uniform(0.15, 0.75))
    picture = 0.5 + (picture - 0.5) * rng.uniform(0.75, 1.2)
    if rng.random() < 0.25:
        picture = np.repeat((picture @ LUMINANCE)[..., None], 3, axis=2)
    if rng.random() < 0.25:
        picture = _covered(picture, rng)
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), np.exp(rng.uniform(np.log(0.3), np.log(1.6))))
    if rng.random() < 0.25:
        small = int(rng.uniform(48, 200))
        picture = cv2.resize(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), (width, height))
    picture = picture + rng.normal(size=picture.shape) * rng.uniform(0, 0.03)
    pixels = (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.6:
        _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(30, 98))])
        pixels = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return pixels


def _develop_carefully(colour: np.ndarray, seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    picture = _exposed(colour, seen, rng.uniform(0.3, 0.6))
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.6) + rng.normal(size=picture.shape) * 0.008
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _covered(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Something in front of the face or the border of the photo: fingers, cloth, plain colour."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.float32)
    if rng.random() < 0.4:
        return _cut(picture, rng)
    at, angle = rng.uniform(0.25, 0.75, 2) * [width, height], rng.uniform(0, np.pi)
    for finger in range(rng.integers(1, 5)):
        aside = np.array([np.cos(angle + np.pi / 2), np.sin(angle + np.pi / 2)]) * finger * rng.uniform(12, 18)
        start = at + aside
        end = start + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(60, 220)
        ends = [tuple(int(v) for v in p) for p in (start, end)]
        cv2.line(mask, *ends, 1.0, int(rng.uniform(10, 22)), cv2.LINE_AA)
    colour = (rng.uniform(0.2, 0.8) * np.array([1, rng.uniform(0.7, 1), rng.uniform(0.6, 1)])).astype(np.float32)
    tone = colour * (
        1 + 0.2 * cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), 6)[..., None] * 6
    )
    return picture * (1 - mask[..., None]) + tone.clip(0, 1) * mask[..., None]


def _cut(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photo that ends within the crop: its last row or column goes on to the crop's border."""
    turns, kept = int(rng.integers(4)), int(len(picture) * rng.uniform(0.65, 0.95))
    turned = np.rot90(picture, turns).copy()
    turned[kept:] = turned[kept - 1]
    return np.rot90(turned, -turns)
