# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera sees of a head: which texel each pixel, exposure, blur, noise, tone and JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_srgb
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.rendering.primary_rays import camera_rays, interpolate
from facedetail_addon.core.rendering.rays import Hits, RayScene
from scripts.training.heads.painter import random_albedo
from scripts.training.studio.studio import Studio


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


def expose(
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


def develop(linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
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
