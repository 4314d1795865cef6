# SPDX-License-Identifier: GPL-3.0-or-later
"""The first picture of a reconstruction: photo, overlay, clay, relief, the head in the photo's light, its skin."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..colour import to_linear, to_srgb
from ..eyes.look import eye_colors
from ..eyes.types import DEFAULT_EYES, EYE_REFLECTED
from ..face_model.eyeball import fit_eyeball, iris_coordinates
from ..face_model.model import FaceModel
from ..geometry.camera import PerspectiveCamera
from ..image import sample
from ..lighting.estimate import shade
from ..rendering.harmonics import bands_of
from ..rendering.primary_rays import ambient_occlusion, camera_rays, vertex_normals
from ..rendering.rays import RayScene
from ..rendering.tangents import uv_derivatives
from ..rendering.transfer import diffuse_light, light_transfer
from ..skin.gloss import skin_gloss
from .record import Reconstruction

_SUPERSAMPLING = 2
_DIRECTIONS = 128  # tried for shadows; three times as many change a pixel by 0.1 in the mean and by 7 of 255 at most
_MARGIN = 0.10  # of the head's size, around it
_CLAY = {
    "skin": (0.44, 0.35, 0.295), "sclera": (0.80, 0.78, 0.75), "iris": (0.20, 0.15, 0.12), "pupil": (0.03, 0.03, 0.03),
    "teeth": (0.80, 0.76, 0.68), "gums": (0.50, 0.26, 0.24),
}  # fmt: skip  # linear
_LIGHTS = (  # direction in the camera's frame (x right, y down, z away), linear colour
    ((-0.55, -0.65, -0.60), (1.15, 1.07, 0.97)),
    ((0.80, -0.10, -0.55), (0.16, 0.19, 0.24)),
    ((0.65, -0.45, 0.65), (0.55, 0.58, 0.62)),
)
_RAKING = (  # from one side, almost along the skin
    ((-0.88, -0.42, -0.22), (1.45, 1.37, 1.26)),
    ((0.60, -0.30, -0.60), (0.22, 0.25, 0.30)),
)
_SKY, _GROUND = np.float32([0.26, 0.28, 0.32]), np.float32([0.12, 0.105, 0.095])
_WIRE, _FOUND, _FITTED = (120, 235, 255), (90, 255, 120), (255, 80, 60)


@dataclass(frozen=True)
class _Frame:
    """What each ray of a picture of (h, w) pixels hits.

    Attributes:
        size: (width, height), supersampled.
        box_px: what it shows of the photo, x0, y0, x1, y1 in photo px.
        triangle, barycentric: as in Hits. triangles: (T, 3) all parts' triangles, indices into all vertices.
        part: (T,) index of the triangle's part. material: (T,) name of its material.
    """

    size: tuple[int, int]
    box_px: tuple[float, float, float, float]
    triangle: np.ndarray
    barycentric: np.ndarray
    triangles: np.ndarray
    part: np.ndarray
    material: np.ndarray

    @property
    def hit(self) -> np.ndarray:
        return self.triangle >= 0

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """(V, C) per vertex to (N, C) at the pixels that hit something."""
        hit = self.hit
        return np.einsum("nkc,nk->nc", values[self.triangles[self.triangle[hit]]], self.barycentric[hit])


@dataclass(frozen=True)
class _Surface:
    """At the N pixels that hit something: unit normals turned to the camera, unit directions to it, (N, 1) openness."""

    normals: np.ndarray
    to_camera: np.ndarray
    openness: np.ndarray


def render_preview(reconstruction: Reconstruction, model: FaceModel, height: int = 768) -> np.ndarray:
    """Photo | mesh and landmarks | clay | with its relief, lit from the side | in the photo's light | its albedo.

    All through the photo's camera, cropped to the head.

    Args:
        reconstruction: of one face. model: the face model it was made with. height: of the picture in px.

    Returns:
        (height, W, 3) uint8 sRGB.
    """
    box = head_box(reconstruction, model)
    width = int(np.clip(round(height * (box[2] - box[0]) / (box[3] - box[1])), height // 4, height * 2))
    size = (width, height)
    frame = _trace(reconstruction.vertices, model, reconstruction.perspective, size, box)
    surface = _surface(reconstruction.vertices, reconstruction.perspective, frame)
    relief = replace(surface, normals=_tilted(surface.normals, reconstruction, model, frame))
    photo = _crop(reconstruction.photo, box, size)
    panels = [
        photo,
        _overlay(photo, reconstruction, model, frame),
        clay(surface, reconstruction.perspective, frame, _LIGHTS),
        clay(relief, reconstruction.perspective, frame, _RAKING),
        relit(reconstruction, model, reconstruction.perspective, frame),
        textured(reconstruction, model, frame),
    ]
    gap = np.full((height, max(2, height // 192), 3), 255, np.uint8)
    return np.concatenate([panels[0]] + [x for panel in panels[1:] for x in (gap, panel)], axis=1)


def render_turned(reconstruction: Reconstruction, model: FaceModel, yaw_deg: float, height: int = 768) -> np.ndarray:
    """The head in the photo's light, which turns with it, about its vertical axis on a neutral ground.

    Args:
        yaw_deg: 0 faces the camera, positive shows the subject's right cheek (the head turns to its own left).

    Returns:
        (height, height, 3) uint8 sRGB.
    """
    face = model.skin.of(reconstruction.vertices)[_face_mask(model)]
    centre = (face.min(axis=0) + face.max(axis=0)) / 2
    angle = np.radians(yaw_deg)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn
    distance = 900.0
    focal = height * distance / (1.25 * float(np.ptp(face[:, 1])))
    camera = PerspectiveCamera(
        rotation, np.array([0, 0, distance]) - rotation @ centre, focal, np.full(2, height / 2), (height, height)
    )
    frame = _trace(reconstruction.vertices, model, camera, (height, height), (0, 0, height, height))
    return relit(reconstruction, model, camera, frame)


def head_box(reconstruction: Reconstruction, model: FaceModel) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 in photo px around the head without the neck, with a margin, as far as the photo reaches."""
    height, width = reconstruction.photo.shape[:2]
    px = reconstruction.perspective.project(model.skin.of(reconstruction.vertices)[_face_mask(model)])
    low, high = px.min(axis=0), px.max(axis=0)
    margin = _MARGIN * (high - low).max()
    low, high = (low - margin).clip(0, (width, height)), (high + margin).clip(0, (width, height))
    if (high - low).min() < 1:
        return 0.0, 0.0, float(width), float(height)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _face_mask(model: FaceModel) -> np.ndarray:
    outside = model.in_region("neck", "socket")
    return ~outside if not outside.all() else ~np.zeros_like(outside)


def _trace(
    vertices: np.ndarray,
    model: FaceModel,
    camera: PerspectiveCamera,
    size: tuple[int, int],
    box: tuple[float, float, float, float],
) -> _Frame:
    fine = (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING)
    solid = model.solid_parts
    triangles = model.solid_triangles()
    part = np.repeat(np.arange(len(solid)), [len(part.triangles()) for part in solid])
    material = np.concatenate([_triangle_materials(p) for p in solid])
    hits = RayScene(vertices, triangles).cast(*camera_rays(camera, fine, box))
    return _Frame(fine, box, hits.triangle, hits.barycentric, triangles, part, material)


def _triangle_materials(part) -> np.ndarray:
    quads = part.faces[:, 3] >= 0
    return np.array(part.materials)[np.concatenate([part.face_material, part.face_material[quads]])]


def _crop(photo: np.ndarray, box: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """The box of the photo, (h, w, 3) uint8, averaged down or enlarged smoothly."""
    scale = np.array([size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])])
    reduce = min(1.0, float(scale.max()))
    if reduce < 1:
        smaller = np.maximum(np.round(np.array(photo.shape[1::-1]) * reduce), 1).astype(int)
        box = tuple(np.array(box) * np.tile(smaller / photo.shape[1::-1], 2))
        photo = cv2.resize(photo, (int(smaller[0]), int(smaller[1])), interpolation=cv2.INTER_AREA)
    matrix = np.array([[(box[2] - box[0]) / size[0], 0, 0], [0, (box[3] - box[1]) / size[1], 0]])
    matrix[:, 2] = np.array(box[:2]) + (matrix[:, 0] + matrix[:, 1]) / 2 - 0.5
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _overlay(photo: np.ndarray, reconstruction: Reconstruction, model: FaceModel, frame: _Frame) -> np.ndarray:
    """Visible edges of the skin and both sets of landmarks (found: dots, fitted: rings) over the photo."""
    fine = cv2.resize(photo, frame.size, interpolation=cv2.INTER_LINEAR)
    to_picture = _picture_mapping(frame)
    skin = model.skin
    px = to_picture(reconstruction.perspective.project(skin.of(reconstruction.vertices)))
    shown = np.zeros(len(frame.triangles), bool)
    shown[frame.triangle[frame.hit]] = True
    shown = shown[frame.part == 0]
    faces = len(skin.faces)
    visible = shown[:faces].copy()
    visible[skin.faces[:, 3] >= 0] |= shown[faces:]
    loops = skin.faces[visible]
    wire = fine.copy()
    for face in loops:
        corners = np.round(px[face[face >= 0]] * 16).astype(np.int32)
        cv2.polylines(wire, [corners], True, _WIRE, 1, cv2.LINE_AA, 4)
    fine = cv2.addWeighted(fine, 0.58, wire, 0.42, 0)
    radius = max(3, frame.size[1] // 300)
    fitted = to_picture(reconstruction.perspective.project(reconstruction.landmarks68_mm))
    for point in fitted:
        cv2.circle(fine, _fixed(point), (radius + 2) * 16, _FITTED, 2, cv2.LINE_AA, 4)
    for point in to_picture(reconstruction.landmarks68_px):
        cv2.circle(fine, _fixed(point), radius * 16, _FOUND, -1, cv2.LINE_AA, 4)
    return _reduce(fine)


def _picture_mapping(frame: _Frame):
    low = np.array(frame.box_px[:2])
    scale = np.array(frame.size) / (np.array(frame.box_px[2:]) - low)
    return lambda points: ((points - low) * scale - 0.5).clip(-1e5, 1e5)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    return int(round(point[0] * 16)), int(round(point[1] * 16))


def clay(surface: _Surface, camera: PerspectiveCamera, frame: _Frame, lights: tuple) -> np.ndarray:
    """(h, w, 3) uint8: the head in plain materials under a few lights and a soft sky, with ambient occlusion."""
    normals, to_camera, openness = surface.normals, surface.to_camera, surface.openness
    albedo = _per_material(frame, {name: np.float32(colour) for name, colour in _CLAY.items()})
    up = (normals @ camera.rotation[1].astype(np.float32))[:, None]  # camera y points down
    light = (_SKY * (0.5 - 0.5 * up) + _GROUND * (0.5 + 0.5 * up)) * openness
    shine = np.zeros_like(light)
    gloss = _gloss(frame)
    for direction, colour in lights:
        towards = np.array(direction) @ camera.rotation
        towards = (towards / np.linalg.norm(towards)).astype(np.float32)
        wrapped = ((normals @ towards + 0.15) / 1.15).clip(0, 1)
        light += (wrapped[:, None] ** 1.2) * np.float32(colour) * openness**0.7
        half = to_camera + towards
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        highlight = (normals * half).sum(axis=1).clip(0, 1)
        shine += (gloss[:, :1] * highlight[:, None] ** gloss[:, 1:]) * np.float32(colour) * openness
    return _compose(frame, to_srgb(_soften(albedo * light + shine)))


def relit(reconstruction: Reconstruction, model: FaceModel, camera: PerspectiveCamera, frame: _Frame) -> np.ndarray:
    """(h, w, 3) uint8: albedo · shading + gloss of skin and eyes; teeth and gums in the photo's pixels on them."""
    light = reconstruction.sh_radiance
    albedo = reconstruction.albedo
    transfer = light_transfer(
        reconstruction.vertices,
        frame.triangles,
        model.skin.stop,
        camera.position(),
        skin_gloss(model),
        bands_of(light),
        directions=_DIRECTIONS,
    )
    usual = to_linear(albedo.reshape(-1, 3)[:: max(1, albedo.size // 30_000)]).mean(axis=0)
    shading, gloss = shade(transfer, light, np.broadcast_to(usual, (model.skin.stop, 3)))
    lit = np.zeros((len(reconstruction.vertices), 6), np.float32)
    lit[model.skin.rows] = np.concatenate([shading, gloss], axis=1)
    shown = np.unique(frame.triangles[np.unique(frame.triangle[frame.hit])])
    shown = shown[np.isin(shown, np.concatenate([np.arange(p.start, p.stop) for p in model.eyes.values()] or [[]]))]
    normals = vertex_normals(reconstruction.vertices, frame.triangles)[shown]
    there = diffuse_light(
        reconstruction.vertices[shown],
        normals,
        reconstruction.vertices,
        frame.triangles,
        light,
        shading * usual,
        directions=_DIRECTIONS,
    )
    lit[shown] = np.concatenate([there, EYE_REFLECTED * there], axis=1)
    return _painted(reconstruction, model, frame, frame.interpolate(lit))


def textured(reconstruction: Reconstruction, model: FaceModel, frame: _Frame) -> np.ndarray:
    """(h, w, 3) uint8: the colours of skin and eyes as they are; teeth and gums in the photo's pixels on them."""
    even = np.repeat(np.float32([[1, 1, 1, 0, 0, 0]]), np.count_nonzero(frame.hit), axis=0)
    return _painted(reconstruction, model, frame, even)


def _painted(reconstruction: Reconstruction, model: FaceModel, frame: _Frame, lit: np.ndarray) -> np.ndarray:
    """The head under (N, 6) shading and gloss of the pixels that hit something."""
    hit = frame.hit
    triangle, weights = frame.triangle[hit], frame.barycentric[hit]
    skin = frame.part[triangle] == 0
    colour = np.empty((len(triangle), 3), np.float32)
    albedo = to_linear(_sample_texture(reconstruction.albedo, model, frame))
    colour[skin] = to_srgb(albedo * lit[skin, :3] + lit[skin, 3:])
    points = np.einsum("nkc,nk->nc", reconstruction.vertices[frame.triangles[triangle[~skin]]], weights[~skin])
    at = (reconstruction.perspective.project(points) - 0.5).astype(np.float32)
    colour[~skin] = sample(reconstruction.photo, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE) / np.float32(255)
    eye, reflected = _eye_albedo(reconstruction, model, frame)
    colour[eye] = to_srgb(reflected * lit[eye, :3] + lit[eye, 3:])
    return _compose(frame, colour)


def _eye_albedo(reconstruction: Reconstruction, model: FaceModel, frame: _Frame) -> tuple[np.ndarray, np.ndarray]:
    """Which of the pixels that hit something show an eye, (N,) bool, and (M, 3) the colours of those."""
    place = np.zeros((len(reconstruction.vertices), 2), np.float32)
    for part in model.eyes.values():
        vertices = part.of(reconstruction.vertices)
        place[part.rows] = iris_coordinates(fit_eyeball(part, vertices), vertices)[:, :2]
    numbers = [number for number, part in enumerate(model.solid_parts) if part.name.startswith("eye")]
    eye = np.isin(frame.part[frame.triangle[frame.hit]], numbers)
    size = reconstruction.eyes.iris_mm / DEFAULT_EYES.iris_mm
    return eye, eye_colors(reconstruction.eyes, frame.interpolate(place)[eye] / size)


def _sample_texture(texture: np.ndarray, model: FaceModel, frame: _Frame) -> np.ndarray:
    """(N, 3) float32 0..1 at the pixels that hit skin, from an integer texture averaged down to their spacing."""
    pixel = np.flatnonzero(frame.hit)
    pixel = pixel[frame.part[frame.triangle[pixel]] == 0]
    corners = model.skin.uv[model.skin.uv_triangles()[frame.triangle[pixel]]]
    uv = np.einsum("nkc,nk->nc", corners, frame.barycentric[pixel])
    full = np.iinfo(texture.dtype).max
    image = np.full((frame.size[0] * frame.size[1], 2), np.nan, np.float32)
    image[pixel] = uv
    image = image.reshape(frame.size[1], frame.size[0], 2)
    steps = np.abs(np.diff(image, axis=1)).max(axis=2)
    spacing = np.nanmedian(steps) * texture.shape[0] if np.isfinite(steps).any() else 1.0
    if spacing > 1.3:
        side = max(64, int(texture.shape[0] / spacing))
        texture = cv2.resize(texture, (side, side), interpolation=cv2.INTER_AREA)
    side = texture.shape[0]
    at = image.copy()
    at[..., 1] = 1 - at[..., 1]
    at = np.nan_to_num(at * side - 0.5, nan=-10).astype(np.float32)
    out = cv2.remap(texture, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(-1, 3)[pixel].astype(np.float32) / np.float32(full)


def _per_material(frame: _Frame, colours: dict[str, np.ndarray]) -> np.ndarray:
    """(N, 3) float32 colours of the hit pixels; the skin's where a material has no name of ours."""
    names = frame.material[frame.triangle[frame.hit]]
    out = np.tile(colours["skin"], (len(names), 1)).astype(np.float32)
    for name, colour in colours.items():
        out[names == name] = colour
    return out


def _gloss(frame: _Frame) -> np.ndarray:
    """(N, 2) strength and exponent of the highlights: eyes and teeth are wet, clay is nearly dull."""
    part = frame.part[frame.triangle[frame.hit]]
    return np.where(part[:, None] > 0, np.float32([0.5, 90.0]), np.float32([0.045, 14.0]))


def _surface(vertices: np.ndarray, camera: PerspectiveCamera, frame: _Frame) -> _Surface:
    normals = frame.interpolate(vertex_normals(vertices, frame.triangles))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    to_camera = camera.position().astype(np.float32) - frame.interpolate(vertices)
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    away = (normals * to_camera).sum(axis=1) < 0
    normals[away] *= -1
    return _Surface(normals, to_camera, _openness(vertices, frame))


def _tilted(normals: np.ndarray, reconstruction: Reconstruction, model: FaceModel, frame: _Frame) -> np.ndarray:
    """(N, 3) unit normals, those of the skin tilted by its normal map."""
    triangle = frame.triangle[frame.hit]
    skin = np.flatnonzero(frame.part[triangle] == 0)
    x, y, z = (2 * _sample_texture(reconstruction.normal, model, frame) - 1).T[..., None]
    along_u, _ = uv_derivatives(model.skin.of(reconstruction.vertices), model.skin)
    out, smooth = normals.copy(), normals[skin]
    tangent = along_u[triangle[skin]].astype(np.float32)
    tangent -= (tangent * smooth).sum(axis=1, keepdims=True) * smooth
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    out[skin] = x * tangent + y * np.cross(smooth, tangent) + z * smooth
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    return out


def _openness(vertices: np.ndarray, frame: _Frame) -> np.ndarray:
    which = np.unique(frame.triangles[np.unique(frame.triangle[frame.hit])])
    values = np.ones((len(vertices), 1), np.float32)
    values[which, 0] = ambient_occlusion(vertices, frame.triangles, which)
    return frame.interpolate(values)


def _compose(frame: _Frame, colour: np.ndarray) -> np.ndarray:
    """(N, 3) sRGB 0..1 of the hit pixels over a soft neutral ground, averaged down."""
    width, height = frame.size
    x, y = (np.arange(width) + 0.5) / width - 0.5, (np.arange(height) + 0.5) / height - 0.42
    fall = np.exp(-1.6 * (x[None] ** 2 + y[:, None] ** 2)).astype(np.float32)
    image = np.repeat((0.17 + 0.19 * fall)[..., None], 3, axis=2)
    image.reshape(-1, 3)[frame.hit] = colour
    return _reduce((image.clip(0, 1) * 255 + 0.5).astype(np.uint8))


def _reduce(fine: np.ndarray) -> np.ndarray:
    size = (fine.shape[1] // _SUPERSAMPLING, fine.shape[0] // _SUPERSAMPLING)
    return cv2.resize(fine, size, interpolation=cv2.INTER_AREA)


def _soften(linear: np.ndarray) -> np.ndarray:
    """Roll bright values off towards 1."""
    return np.where(linear > 0.6, 0.6 + 0.4 * np.tanh((linear - 0.6) / 0.4), linear)
