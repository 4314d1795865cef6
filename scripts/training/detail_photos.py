# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of heads with known relief, light and pigment, and what the pipeline makes of them.

The relief is shaded in canonical UV (lamps with cast shadows, sky, gloss, light that wanders under the skin) and seen
by a camera with blur, noise and JPEG. The photo then goes the product's own way: landmarks, fit, unwrap, light. The
relief is looked up where the pipeline believes each texel to be, so that its errors of place are in the inputs and not
in the truth.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from facedetail_addon.core.colour import LUMINANCE, to_srgb
from facedetail_addon.core.detail.inputs import DetailInputs, detail_inputs
from facedetail_addon.core.detail.resolvable_size import resolvable_size
from facedetail_addon.core.detail.space import (
    BOX,
    SIDE,
    TEXEL_MM,
    DetailSpace,
    make_detail_space,
    split_bands,
    texel_gradients,
)
from facedetail_addon.core.face_model.calibration import LandmarkCalibration, load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.dense import fit_proxy
from facedetail_addon.core.fit.types import ProxyFit
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.lighting.estimate import estimate_light, prior_direction_of
from facedetail_addon.core.lighting.types import LightEstimate
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.primary_rays import camera_rays, interpolate
from facedetail_addon.core.rendering.rays import Hits, RayScene
from facedetail_addon.core.rendering.transfer import light_transfer
from facedetail_addon.core.rendering.types import SkinGloss, Transfer
from facedetail_addon.core.skin.basis import load_basis
from facedetail_addon.core.skin.gloss import skin_gloss
from facedetail_addon.core.skin.types import AlbedoBasis
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import Atlas, UnwrappedPhoto
from facedetail_addon.core.uv.unwrap import unwrap
from scripts.training.skin_folds import random_person
from scripts.training.skin_pigment import add_pigment, stain_shapes
from scripts.training.skin_relief import make_relief
from scripts.training.skin_space import SkinSpace, skin_space
from scripts.training.skin_strokes import wide_noise
from scripts.training.synthetic_heads import Painter, PoseRange, make_painter, random_albedo, sample_head

POSE = PoseRange(yaw_deg=32.0, pitch_deg=14.0, roll_deg=10.0, near_mm=600.0, far_mm=2500.0)
SIZES = (320, 1250)
"""Pixels of the square photos' sides."""
_SHADOW_STEP = 4  # texels between points whose shadows are traced
_SHADOW_RAYS = 4
# Shares of light that comes out where it went in, after about 0.4 mm, and after about 1.2 mm of skin, by channel: after
# the profiles of Christensen and Burley (2015) for the mean free paths of Jensen et al. (2001).
_WANDERED = np.array([[0.15, 0.25, 0.60], [0.35, 0.35, 0.30], [0.50, 0.35, 0.15]], np.float32)
_WANDER_TEXELS = (2.0, 6.0)
_WALLS = 0.4  # of a lamp's light that a groove shuts out as it does the sky's


@dataclass(frozen=True)
class Studio:
    """What all photos share.

    Attributes:
        texels: (N, V_skin) sparse weights of the covered texels of BOX. covered: (H, W) bool.
        triangles: (T, 3) of all parts. uv: (V, 2) texels of BOX, (x, y); far away for other parts than skin.
    """

    model: FaceModel
    painter: Painter
    landmarker: MeshLandmarker
    calibration: LandmarkCalibration
    atlas: Atlas
    basis: AlbedoBasis
    gloss: SkinGloss
    space: DetailSpace
    skin: SkinSpace
    texels: csr_matrix
    covered: np.ndarray
    uv: np.ndarray


@dataclass(frozen=True)
class LitHead:
    """A head in a light: everything per vertex of the skin, in columns, to be carried to texels.

    Attributes:
        fields: (V, C) float32. shadows: by lamp, (H, W) float32 share that arrives.
        colours: (K, 3) of the lamps, then of the sky, then of the ground.
    """

    fields: np.ndarray
    shadows: list[np.ndarray]
    colours: np.ndarray


@dataclass(frozen=True)
class Found:
    """What the pipeline makes of a photo."""

    fit: ProxyFit
    transfer: Transfer
    unwrapped: UnwrappedPhoto
    light: LightEstimate
    inputs: DetailInputs


@dataclass(frozen=True)
class Example:
    """One photo, what the networks get, and what they should say.

    Attributes:
        photo: (S, S, 3) uint8. inputs: of the pipeline. medium, fine: (H, W) float32 mm over BOX, where the pipeline
            sees them. valid: (H, W) float32, 1 where the photo shows that skin.
        found: what the pipeline found on the way.
    """

    photo: np.ndarray
    inputs: DetailInputs
    medium: np.ndarray
    fine: np.ndarray
    valid: np.ndarray
    found: Found


def open_studio() -> Studio:
    """Load models and networks once."""
    model = load_named_model(BUILTIN)
    atlas = make_atlas(model, SIDE)
    x0, y0, x1, y1 = BOX
    covered = atlas.covered[y0:y1, x0:x1]
    weights = atlas.raster.interpolation(atlas.triangles, model.skin.stop, slice(y0, y1))
    inside = np.nonzero(atlas.covered[y0:y1])[1]
    uv = np.full((len(model.mean), 2), -1e6)
    uv[model.skin.rows] = (model.skin.vertex_uv() * [1, -1] + [0, 1]) * SIDE - [x0, y0]
    return Studio(
        model=model, painter=make_painter(model), landmarker=MeshLandmarker.load(), calibration=load_calibration(),
        atlas=atlas, basis=load_basis(model), gloss=skin_gloss(model), space=make_detail_space(model),
        skin=skin_space(model, atlas.raster.triangle), texels=weights[(inside >= x0) & (inside < x1)],
        covered=covered, uv=uv.astype(np.float32),
    )  # fmt: skip


def make_examples(studio: Studio, rng: np.random.Generator, count: int) -> list[Example]:
    """Photos of one head in one pose: ``count`` skins and lights. Those in which no face is found are left out.

    The pipeline's transfer is computed once; fits to the same head differ by less than its grid.
    """
    model = studio.model
    size = int(np.exp(rng.uniform(*np.log(SIZES))))
    sample = sample_head(rng, model, size=size, pose=POSE)
    vertices = model.vertices(sample.alpha, sample.beta * rng.uniform(0.3, 1.0))
    beta = dict(zip(model.expression_names, sample.beta, strict=True))
    seen = see_head(studio, vertices, sample.camera)
    out: list[Example] = []
    for _ in range(count):
        relief = make_relief(studio.skin, random_person(rng, beta), rng)
        photo = take_photo(studio, vertices, sample.camera, relief, seen, rng)
        found = look(studio, photo, out[0].found.transfer if out else None)
        if found is None:
            break
        (medium, fine), valid = true_relief(studio, found.fit, relief, seen)
        out.append(Example(photo, found.inputs, medium, fine, valid, found))
    return out


@dataclass(frozen=True)
class Seen:
    """What each pixel sees: pixels (N,) that see the head, their hits, and (S, S, 2) texels of BOX, −1e6 elsewhere."""

    pixels: np.ndarray
    hits: Hits
    uv: np.ndarray


def see_head(studio: Studio, vertices: np.ndarray, camera: PerspectiveCamera) -> Seen:
    """What each pixel of a camera sees of a head, (V, 3) mm posed."""
    hits = RayScene(vertices, studio.painter.triangles).cast(*camera_rays(camera))
    pixels = np.flatnonzero(hits.triangle >= 0)
    front = Hits(hits.triangle[pixels], hits.barycentric[pixels], hits.distance[pixels])
    width, height = camera.image_size
    uv = np.full((height * width, 2), -1e6, np.float32)
    skin = studio.painter.part[front.triangle] == 0
    uv[pixels[skin]] = interpolate(front, studio.painter.triangles, studio.uv)[skin]
    return Seen(pixels, front, uv.reshape(height, width, 2))


def take_photo(
    studio: Studio,
    vertices: np.ndarray,
    camera: PerspectiveCamera,
    relief: np.ndarray,
    seen: Seen,
    rng: np.random.Generator,
) -> np.ndarray:
    """(S, S, 3) uint8 photo of a head with (H, W) relief in mm, in a random light and with random pigment."""
    head = _light_head(studio, vertices, camera, rng)
    gamma = (0.7 * rng.normal(size=len(studio.basis.modes))).clip(-2.5, 2.5).astype(np.float32)
    gamma[0] = rng.uniform(studio.basis.lowest[0], studio.basis.highest[0])
    texture = _skin_texture(studio, head, relief, gamma, rng)
    vertex_light = head.fields[:, 0:1] * head.colours[0] + head.fields[:, -1:] * head.colours[-2:].mean(axis=0)
    skin_colour = studio.basis.albedo(gamma) * vertex_light.clip(0.01)
    return _develop(_expose(studio, seen, texture, skin_colour, camera, rng), rng)


def look(studio: Studio, photo: np.ndarray, transfer: Transfer | None = None) -> Found | None:
    """Send a photo through the pipeline; None where it finds no face.

    Args:
        photo: (H, W, 3) uint8 sRGB. transfer: of the same head in the same pose, if it is known already.
    """
    faces = studio.landmarker.find(photo)
    if not faces:
        return None
    height, width = photo.shape[:2]
    fit = fit_proxy(faces[0], (width, height), studio.model, studio.calibration)
    if transfer is None:
        transfer = light_transfer(
            fit.vertices, studio.painter.triangles, studio.model.skin.stop, fit.perspective.position(), studio.gloss, 3
        )
    unwrapped = unwrap(photo, fit, studio.model, studio.atlas)
    prior_direction = prior_direction_of(fit.perspective.rotation)
    light = estimate_light(unwrapped, transfer, studio.basis, studio.atlas, prior_direction)
    skin = studio.model.skin.stop
    resolvable = resolvable_size(photo, faces[0].mesh_px, fit, studio.atlas.triangles, skin)
    inputs = detail_inputs(unwrapped, light, transfer, fit.vertices[:skin], resolvable, studio.space, studio.atlas)
    return Found(fit, transfer, unwrapped, light, inputs)


def true_relief(
    studio: Studio, fit: ProxyFit, relief: np.ndarray, seen: Seen
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Medium and fine relief where the fit sees them, and (H, W) where it sees skin of the right place."""
    at = _map(studio, fit.perspective.project(studio.model.skin.of(fit.vertices)).astype(np.float32), -1e4)
    at -= np.float32(0.5)
    true = cv2.remap(seen.uv, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(-1e6, -1e6))
    rows, columns = np.mgrid[0 : true.shape[0], 0 : true.shape[1]]
    away = np.hypot(true[..., 0] - columns - 0.5, true[..., 1] - rows - 0.5)
    valid = ((away < 40) & studio.covered).astype(np.float32)  # 8 mm
    bands = tuple(
        cv2.remap(band, true - np.float32(0.5), None, cv2.INTER_LINEAR) * valid for band in split_bands(relief)
    )
    return bands, cv2.erode(valid, np.ones((5, 5), np.uint8))


def _map(studio: Studio, values: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """(V_skin, C) to (H, W, C) float32 over BOX."""
    out = np.full((*studio.covered.shape, values.shape[1]), outside, np.float32)
    out[studio.covered] = studio.texels @ values.astype(np.float32)
    return out


def _light_head(studio: Studio, vertices: np.ndarray, camera: PerspectiveCamera, rng: np.random.Generator) -> LitHead:
    """A random light on a posed head.

    Columns of the fields, for each lamp: cosine; its change by a slope to the right and down; the same three of the
    half vector between lamp and view. Then the sky's: share of it, its changes, and how open the place is.
    """
    skin = studio.model.skin.of(vertices).astype(np.float64)
    normals = vertex_normals(skin, studio.atlas.triangles)
    perturbed_normals = _perturbed_normals(skin, studio)
    view = camera.position() - skin
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    scene = RayScene(vertices, studio.painter.triangles)
    columns, shadows, colours = [], [], []
    directed = rng.uniform(0.0, 0.95) ** 0.7
    for number in range(rng.integers(1, 4)):
        azimuth, elevation = np.radians([rng.normal() * 48, rng.uniform(-25, 70)])
        towards = [np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), -np.cos(elevation) * np.cos(azimuth)]
        towards = camera.rotation.T @ np.array(towards)
        half = towards + view
        half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
        columns += [
            normals @ towards,
            *(perturbed_normals @ towards).T,
            (normals * half).sum(1),
            *np.einsum("vjk,vk->jv", perturbed_normals, half),
        ]
        shadows.append(_shadow(studio, scene, skin, normals, towards, rng))
        share = directed * (1.0 if number == 0 else rng.uniform(0, 0.6))
        colours.append(share * np.exp(rng.normal() * 0.2 * np.array([1, 0, -1])))
    up = camera.rotation.T @ np.array([rng.normal() * 0.3, -1.0, rng.normal() * 0.3 - 0.3])
    up /= np.linalg.norm(up)
    columns += [(1 + normals @ up) / 2, *((perturbed_normals @ up).T / 2), studio.painter.ambient[: len(skin), 0]]
    even = 1 - directed
    colours += [even * np.exp(rng.normal() * 0.15 * np.array([1, 0, -1])) * rng.uniform(0.8, 1.2)]
    colours += [even * np.exp(rng.normal() * 0.15 * np.array([1, 0, -1])) * rng.uniform(0.2, 0.9)]
    return LitHead(np.column_stack(columns).astype(np.float32), shadows, np.array(colours, np.float32))


def _perturbed_normals(skin: np.ndarray, studio: Studio) -> np.ndarray:
    """(V, 2, 3): how the normal tips for a relief that rises by 1 mm per texel to the right, and down."""
    return -np.stack(texel_gradients(skin, studio.space), axis=1)


def _shadow(
    studio: Studio,
    scene: RayScene,
    skin: np.ndarray,
    normals: np.ndarray,
    towards: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(H, W) float32 share of a lamp's light that arrives: cast shadows of the head, and now and then of something."""
    height, width = studio.covered.shape
    rows, columns = np.nonzero(studio.covered[::_SHADOW_STEP, ::_SHADOW_STEP])
    flat = np.zeros(studio.covered.shape, np.int64)
    flat[studio.covered] = np.arange(studio.texels.shape[0])
    picked = studio.texels[flat[rows * _SHADOW_STEP, columns * _SHADOW_STEP]]
    points, facing = picked @ skin, picked @ normals
    spread = rng.choice([0.01, 0.05, 0.15])
    arrives = np.zeros(len(points), np.float32)
    for _ in range(_SHADOW_RAYS):
        direction = towards + rng.normal(size=3) * spread
        ahead = facing @ direction > 0
        arrives[ahead] += ~scene.occluded(
            points[ahead] + facing[ahead] * 0.4, np.broadcast_to(direction, (int(ahead.sum()), 3))
        )
    small = np.ones((-(-height // _SHADOW_STEP), -(-width // _SHADOW_STEP)), np.float32)
    small[rows, columns] = arrives / _SHADOW_RAYS
    out = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.2:
        out = out * (
            1 - rng.uniform(0.3, 1) * stain_shapes(out.shape, rng, rng.choice([3.0, 20.0, 60.0]), rng.uniform(60, 250))
        )
    return out


def _skin_texture(
    studio: Studio, head: LitHead, relief: np.ndarray, gamma: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(H, W, 3) linear colour of the skin over BOX as the camera sees it."""
    fields = _map(studio, head.fields)
    down, right = np.gradient(relief)
    length = np.sqrt(1 + (down**2 + right**2) / np.float32(TEXEL_MM**2))
    wander = rng.uniform(0.3, 1.1)
    light = np.zeros((*relief.shape, 3), np.float32)
    gloss = np.zeros_like(light)
    power, shine = np.exp(rng.uniform(np.log(6), np.log(60))), rng.uniform(0, 0.12) * rng.random()
    patchy = (1 + 0.6 * wide_noise(relief.shape, 30, rng)).clip(0)
    shut = np.exp(-_hollow(relief) * np.float32(rng.uniform(0.4, 2.2)))  # of the sky, by the groove's own walls
    for number, (shadow, colour) in enumerate(zip(head.shadows, head.colours[:-2], strict=True)):
        cosine, x, y, half, half_x, half_y = np.moveaxis(fields[..., 6 * number : 6 * number + 6], -1, 0)
        falls = ((cosine + x * right + y * down) / length).clip(0) * shadow * (1 - _WALLS + _WALLS * shut)
        light += _wander(falls, wander) * colour
        mirrored = ((half + half_x * right + half_y * down) / length).clip(0, 1)
        lobe = shine * (power + 2) / 8 * patchy * mirrored ** np.float32(power) * falls.clip(0, 1)
        gloss += lobe[..., None] * colour
    share, x, y, free = np.moveaxis(fields[..., -4:], -1, 0)
    tilt = (share + x * right + y * down).clip(0, 1)
    free = free * shut
    light += _wander(tilt * free, wander) * head.colours[-2] + _wander((1 - tilt) * free, wander) * head.colours[-1]
    return add_pigment(studio.skin, _bare(studio, gamma, rng), rng) * light + gloss


def _hollow(relief: np.ndarray) -> np.ndarray:
    """(H, W) mm that a place lies below its surroundings, narrow grooves counting more than wide ones."""
    narrow, wide = (cv2.GaussianBlur(relief, (0, 0), sigma) - relief for sigma in (4, 12))
    return narrow.clip(0) + 0.3 * wide.clip(0)


def _bare(studio: Studio, gamma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) statistical albedo; its own small structure, which has real wrinkles in it, is blurred."""
    albedo = studio.basis.albedo_map(gamma)
    albedo = cv2.GaussianBlur(albedo, (0, 0), 0.7)
    x0, y0, x1, y1 = BOX
    step = SIDE / albedo.shape[0]
    x, y = ((np.arange(a, b, dtype=np.float32) + 0.5) / step - 0.5 for a, b in ((x0, x1), (y0, y1)))
    grid = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return cv2.remap(albedo, *grid, cv2.INTER_CUBIC).clip(0.004, 0.95)


def _wander(light: np.ndarray, amount: float) -> np.ndarray:
    """(H, W) light on the skin to (H, W, 3) that comes out of it again."""
    layers = [light, *(cv2.GaussianBlur(light, (0, 0), sigma) for sigma in _WANDER_TEXELS)]
    shares = np.array([1, 0, 0], np.float32) * (1 - amount) + _WANDERED * amount
    return np.stack(
        [sum(layer * share for layer, share in zip(layers, row, strict=True)) for row in shares], axis=-1
    ).clip(0)


def _expose(
    studio: Studio,
    seen: Seen,
    texture: np.ndarray,
    skin_colour: np.ndarray,
    camera: PerspectiveCamera,
    rng: np.random.Generator,
) -> np.ndarray:
    """(S, S, 3) linear picture of the head before some background, exposed as cameras do."""
    width, height = camera.image_size
    painter, hits = studio.painter, seen.hits
    colours = np.zeros((len(painter.rest), 3), np.float32)
    colours[: len(skin_colour)] = skin_colour
    hair = skin_colour.mean(axis=0) * rng.uniform(0.1, 1.0)
    colours[: len(skin_colour)][studio.model.in_region("scalp")] *= hair / skin_colour.mean(axis=0)
    picture = np.empty((height * width, 3), np.float32)
    picture[:] = (rng.uniform(0, 0.8) * (1 + rng.normal(size=3) * 0.1)).clip(0)
    seen_colours = interpolate(hits, painter.triangles, colours)
    other = painter.part[hits.triangle] != 0
    rest = interpolate(hits, painter.triangles, painter.rest)[other]
    bright = float(np.median(skin_colour.mean(axis=1)) / 0.35)
    seen_colours[other] = random_albedo(painter, rest, painter.part[hits.triangle][other], rng) * bright
    picture[seen.pixels] = seen_colours
    picture = picture.reshape(height, width, 3)
    footprint = _footprint(seen.uv)
    if footprint > 1:
        texture = cv2.GaussianBlur(texture, (0, 0), 0.4 * footprint)
    at = seen.uv - np.float32(0.5)
    inside = (
        (at[..., 0] > 1) & (at[..., 1] > 1) & (at[..., 0] < texture.shape[1] - 2) & (at[..., 1] < texture.shape[0] - 2)
    )
    picture = np.where(inside[..., None], cv2.remap(texture, at, None, cv2.INTER_LINEAR), picture)
    level = float(np.percentile((picture[inside] @ LUMINANCE), 85)) if inside.any() else 1.0
    return picture * np.float32(np.exp(rng.normal() * 0.25 + np.log(0.45)) / max(level, 1e-4))


def _footprint(uv: np.ndarray) -> float:
    """Median texels that a pixel covers."""
    step = np.abs(np.diff(uv[..., 0], axis=1))
    step = step[(step > 0) & (step < 30)]
    return float(np.median(step)) if len(step) else 1.0


def _develop(linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise, tone, black and white now and then, JPEG, once more in a smaller size where pictures get around."""
    linear = cv2.GaussianBlur(linear, (0, 0), rng.uniform(0.35, 1.1))
    noise = rng.uniform(0, 0.02) * rng.random()
    linear = linear + rng.normal(size=linear.shape).astype(np.float32) * noise * np.sqrt(linear.clip(0.01, 1))
    picture = to_srgb(linear.clip(0, 1)) ** np.float32(np.exp(rng.normal() * 0.08))
    if rng.random() < 0.25:
        picture = np.repeat(picture @ LUMINANCE[:, None], 3, axis=2)
    picture = (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.25:
        side = len(picture)
        smaller = max(int(side * rng.uniform(0.35, 0.95)), 160)
        picture = cv2.resize(picture, (smaller, smaller), interpolation=cv2.INTER_AREA)
        picture = _coded(picture, int(rng.uniform(15, 75)))
        picture = cv2.resize(picture, (side, side), interpolation=int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])))
    if rng.random() < 0.7:
        picture = _coded(picture, int(rng.uniform(55, 98)))
    return np.ascontiguousarray(picture)


def _coded(picture: np.ndarray, quality: int) -> np.ndarray:
    """(S, S, 3) uint8 after JPEG."""
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
