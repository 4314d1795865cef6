# SPDX-License-Identifier: GPL-3.0-or-later
"""The head in the preview: as clay under a few lights, in the photo's light, and in its colours alone."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..colour import to_linear, to_srgb
from ..eyes.look import eye_colors
from ..eyes.pattern import iris_pattern
from ..eyes.types import DEFAULT_EYES, EYE_VEIL, EyeLook
from ..face_model.eyeball import fit_eyeball, iris_coordinates, lit_normals
from ..geometry.camera import PerspectiveCamera
from ..image import sample
from ..rendering.harmonics import bands_of
from ..rendering.normals import perturbed_normals, unit, uv_derivatives, vertex_normals
from ..rendering.primary_rays import ambient_occlusion
from ..rendering.shade import reflected, shade
from ..rendering.transfer import diffuse_light, light_transfer, open_sky
from ..rendering.types import SkinLight
from ..skin.gloss import skin_gloss
from .preview_frame import Frame, compose, sample_texture

_DIRECTIONS = 128  # tried for shadows; three times as many change a pixel by 0.1 in the mean and by 7 of 255 at most
_CLAY = {  # linear albedo by material
    "skin": (0.44, 0.35, 0.295), "sclera": (0.80, 0.78, 0.75), "iris": (0.20, 0.15, 0.12), "pupil": (0.03, 0.03, 0.03),
    "teeth": (0.80, 0.76, 0.68), "gums": (0.50, 0.26, 0.24),
}  # fmt: skip
_CLAY_GLOSS, _WET_GLOSS = (0.045, 14.0), (0.5, 90.0)  # strength and exponent of highlights: skin, eyes and teeth
_SKY, _GROUND = np.float32([0.26, 0.28, 0.32]), np.float32([0.12, 0.105, 0.095])  # linear light from above and below
_WRAP, _DIFFUSE_POWER, _OCCLUSION_POWER = 0.15, 1.2, 0.7  # of the clay's soft shading

Lights = tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...]
"""Of each its direction in the camera's frame (x right, y down, z away) and its linear colour."""
SOFT_LIGHTS: Lights = (
    ((-0.55, -0.65, -0.60), (1.15, 1.07, 0.97)),
    ((0.80, -0.10, -0.55), (0.16, 0.19, 0.24)),
    ((0.65, -0.45, 0.65), (0.55, 0.58, 0.62)),
)
"""Key, fill and rim."""
RAKING_LIGHTS: Lights = (
    ((-0.88, -0.42, -0.22), (1.45, 1.37, 1.26)),
    ((0.60, -0.30, -0.60), (0.22, 0.25, 0.30)),
)
"""From one side, almost along the skin."""


@dataclass(frozen=True)
class Appearance:
    """What a head is painted with.

    Attributes:
        albedo: (R, R, 3) uint8 sRGB in canonical UV. eyes: their colours. radiance: (B², 3) of the light.
        photo: (H, W, 3) uint8, for teeth and gums. photo_camera: that took it.
    """

    albedo: np.ndarray
    eyes: EyeLook
    radiance: np.ndarray
    photo: np.ndarray
    photo_camera: PerspectiveCamera


@dataclass(frozen=True)
class Paint:
    """Colours of the N pixels of a frame without light.

    Attributes:
        skin, eye: (N,) bool, which of them show it. albedo, eye_albedo: linear, of those.
        rest: sRGB 0..1 of all that is not skin: teeth and gums in the photo's pixels on them.
    """

    skin: np.ndarray
    albedo: np.ndarray
    eye: np.ndarray
    eye_albedo: np.ndarray
    rest: np.ndarray


@dataclass(frozen=True)
class Surface:
    """At the N pixels of a frame: unit normals turned to the camera, unit directions to it, (N, 1) visible sky."""

    normals: np.ndarray
    to_camera: np.ndarray
    visibility: np.ndarray


def surface_of(frame: Frame, light: SkinLight | None = None) -> Surface:
    """The smooth surface that the points lie on; ``light``: says how much of the sky the skin sees, where known."""
    vertices = frame.vertices
    normals = unit(frame.interpolate(vertex_normals(vertices, frame.triangles)))
    to_camera = frame.camera.position().astype(np.float32) - frame.interpolate(vertices)
    to_camera = unit(to_camera)
    normals[np.einsum("nk,nk->n", normals, to_camera) < 0] *= -1
    visibility = np.ones((len(vertices), 1), np.float32)
    shown = frame.shown_vertices()
    if light is not None:
        visibility[: len(light.sky), 0] = light.sky
        shown = shown[shown >= len(light.sky)]
    visibility[shown, 0] = ambient_occlusion(vertices, frame.triangles, shown, scene=frame.scene)
    return Surface(normals, to_camera, frame.interpolate(visibility))


def with_relief(surface: Surface, normal_map: np.ndarray, frame: Frame) -> Surface:
    """The surface with the skin's normals perturbed by a normal map, (R, R, 3) uint16 in canonical UV."""
    skin = frame.model.skin
    triangles = skin.triangles()
    along_u, _ = uv_derivatives(frame.vertices[triangles], skin.uv[skin.uv_triangles()])
    on_skin = frame.pixel_part == 0
    mapped = np.tile(np.float32([0, 0, 1]), (len(on_skin), 1))
    mapped[on_skin] = 2 * sample_texture(normal_map, frame) - 1
    tangents = np.zeros((len(on_skin), 3))
    tangents[on_skin] = along_u[frame.hits.triangle[on_skin]]
    return replace(surface, normals=perturbed_normals(surface.normals, tangents, mapped))


def clay(surface: Surface, frame: Frame, lights: Lights) -> np.ndarray:
    """(h, w, 3) uint8: the head in plain materials under a few lights and a soft sky, with ambient occlusion."""
    normals, to_camera, visibility = surface.normals, surface.to_camera, surface.visibility
    up = (normals @ frame.camera.rotation[1].astype(np.float32))[:, None]  # camera y points down
    light = (_SKY * (0.5 - 0.5 * up) + _GROUND * (0.5 + 0.5 * up)) * visibility
    gloss = np.where(frame.pixel_part[:, None] > 0, np.float32(_WET_GLOSS), np.float32(_CLAY_GLOSS))
    directions = np.array([direction for direction, _ in lights]) @ frame.camera.rotation
    towards = unit(directions).astype(np.float32).T
    colours = np.float32([colour for _, colour in lights])
    facing, lit = np.einsum("nk,nk->n", normals, to_camera)[:, None], normals @ towards
    wrapped = ((lit + _WRAP) / (1 + _WRAP)).clip(0, 1) ** np.float32(_DIFFUSE_POWER)
    # The half vector is unit(to_camera + towards).
    half = ((facing + lit) / np.sqrt(np.maximum(2 + 2 * (to_camera @ towards), 1e-9))).clip(0, 1)
    light += (wrapped @ colours) * visibility**_OCCLUSION_POWER
    highlights = ((gloss[:, :1] * half ** gloss[:, 1:]) @ colours) * visibility
    return compose(frame, to_srgb(_rolled_off(reflected(_clay_albedo(frame), light, highlights))))


def paint_of(appearance: Appearance, frame: Frame) -> Paint:
    """The colours of what the pixels show, whatever light falls on it."""
    skin = frame.pixel_part == 0
    points = frame.interpolate(frame.vertices, ~skin)
    at = (appearance.photo_camera.project(points) - 0.5).astype(np.float32)
    rest = sample(appearance.photo, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE) / np.float32(255)
    eye, eye_albedo = _eye_albedo(appearance.eyes, frame)
    return Paint(skin, to_linear(sample_texture(appearance.albedo, frame)), eye, eye_albedo, rest)


def relit(appearance: Appearance, paint: Paint, frame: Frame, known: SkinLight | None = None) -> np.ndarray:
    """(h, w, 3) uint8: albedo · shading + gloss of skin and eyes; teeth and gums in the photo's pixels on them.

    Args:
        known: what the light makes of the skin, in the frame's own camera; found out where it is None.
    """
    model, vertices, light, albedo = frame.model, frame.vertices, appearance.radiance, appearance.albedo
    mean_albedo = to_linear(albedo.reshape(-1, 3)[:: max(1, albedo.size // 30_000)]).mean(axis=0)
    if known is None:
        known = _skin_light(frame, light, mean_albedo)
    shading, gloss = known.shading, known.gloss
    lit = np.zeros((len(vertices), 6), np.float32)
    lit[: model.skin.stop] = np.concatenate([shading, gloss], axis=1)
    shown = frame.shown_vertices()
    solid = model.solid_parts
    eyes = [np.arange(solid[index].start, solid[index].stop) for index in _eye_parts(frame)]
    shown = shown[np.isin(shown, np.concatenate(eyes or [[]]))]
    on_eyes = diffuse_light(
        vertices[shown],
        _eye_normals(frame)[shown],
        vertices,
        frame.triangles,
        light,
        shading * mean_albedo,
        directions=_DIRECTIONS,
        scene=frame.scene,
    )
    lit[shown] = np.concatenate([on_eyes, EYE_VEIL * on_eyes], axis=1)
    return _painted(paint, frame, frame.interpolate(lit))


def _skin_light(frame: Frame, radiance: np.ndarray, mean_albedo: np.ndarray) -> SkinLight:
    """What the light makes of the skin that the frame's camera sees."""
    model, vertices = frame.model, frame.vertices
    transfer = light_transfer(
        vertices,
        frame.triangles,
        model.skin.stop,
        frame.camera.position(),
        skin_gloss(model),
        bands_of(radiance),
        directions=_DIRECTIONS,
        scene=frame.scene,
    )
    return SkinLight(*shade(transfer, radiance, np.broadcast_to(mean_albedo, (model.skin.stop, 3))), open_sky(transfer))


def textured(paint: Paint, frame: Frame) -> np.ndarray:
    """(h, w, 3) uint8: the colours of skin and eyes as they are; teeth and gums in the photo's pixels on them."""
    unlit = np.repeat(np.float32([[1, 1, 1, 0, 0, 0]]), len(frame.hits.triangle), axis=0)
    return _painted(paint, frame, unlit)


def _painted(paint: Paint, frame: Frame, lit: np.ndarray) -> np.ndarray:
    """The head under (N, 6) shading and gloss of the pixels."""
    skin, eye = paint.skin, paint.eye
    colour = np.empty((len(skin), 3), np.float32)
    colour[skin] = to_srgb(reflected(paint.albedo, lit[skin, :3], lit[skin, 3:]))
    colour[~skin] = paint.rest
    colour[eye] = to_srgb(reflected(paint.eye_albedo, lit[eye, :3], lit[eye, 3:]))
    return compose(frame, colour)


def _eye_normals(frame: Frame) -> np.ndarray:
    """(V, 3) of all vertices, on irises those that light falls on."""
    normals = vertex_normals(frame.vertices, frame.triangles)
    for part in (frame.model.solid_parts[number] for number in _eye_parts(frame)):
        vertices = part.of(frame.vertices)
        normals[part.rows] = lit_normals(fit_eyeball(part, vertices), vertices, normals[part.rows])
    return normals


def _eye_albedo(look: EyeLook, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Which of the pixels show an eye, (N,) bool, and (M, 3) the colours of those."""
    numbers = _eye_parts(frame)
    eye = np.isin(frame.pixel_part, numbers)
    colours = np.zeros((len(eye), 3))
    for number in numbers:
        part = frame.model.solid_parts[number]
        place = np.zeros((len(frame.vertices), 2), np.float32)
        vertices, pixels = part.of(frame.vertices), frame.pixel_part == number
        place[part.rows] = iris_coordinates(fit_eyeball(part, vertices), vertices)[:, :2]
        around = frame.interpolate(place, pixels) / (look.iris_mm / DEFAULT_EYES.iris_mm)
        colours[pixels] = eye_colors(look, around, iris_pattern(look, part.name))
    return eye, colours[eye]


def _eye_parts(frame: Frame) -> list[int]:
    """Indices of the eyes among the solid parts."""
    return [index for index, part in enumerate(frame.model.solid_parts) if part.name.startswith("eye")]


def _clay_albedo(frame: Frame) -> np.ndarray:
    """(N, 3) float32 colours of the pixels; the skin's where a material has no name of ours."""
    out = np.tile(np.float32(_CLAY["skin"]), (len(frame.material), 1))
    for name, colour in _CLAY.items():
        out[frame.material == name] = np.float32(colour)
    return out[frame.hits.triangle]


def _rolled_off(linear: np.ndarray) -> np.ndarray:
    """Bright values approach 1 softly."""
    out, bright = linear.copy(), linear > 0.6
    out[bright] = 0.6 + 0.4 * np.tanh((linear[bright] - 0.6) / 0.4)
    return out
