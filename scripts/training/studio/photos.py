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

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.space import split_bands
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.fit.types import HeadFit, PoseFit
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.photo import Photo
from facedetail_addon.core.pipeline import Illumination, fit, illuminate, inputs_of_detail, observe, refine
from facedetail_addon.core.rendering.types import Transfer
from facedetail_addon.settings import Settings
from scripts.training.heads.samples import PoseRange, sample_head
from scripts.training.skin.folds import random_person
from scripts.training.skin.relief import make_relief
from scripts.training.studio.camera import Seen, develop, expose, see_head
from scripts.training.studio.light import light_head
from scripts.training.studio.studio import SETTINGS, Studio, onto_texels
from scripts.training.studio.texture import skin_texture

POSE = PoseRange(yaw_deg=32.0, pitch_deg=14.0, roll_deg=10.0, near_mm=600.0, far_mm=2500.0)
SIZES = (320, 1250)
"""Pixels of the square photos' sides."""


@dataclass(frozen=True)
class Shot:
    """A posed head before a camera.

    Attributes:
        vertices: (V, 3) mm, posed. camera: what the photos are taken with. seen: what its pixels see.
        beta: expression weights by name.
    """

    vertices: np.ndarray
    camera: PerspectiveCamera
    seen: Seen
    beta: dict[str, float]


@dataclass(frozen=True)
class Found:
    """What the product makes of a photo."""

    head: HeadFit
    light: Illumination
    inputs: DetailInputs


@dataclass(frozen=True)
class Example:
    """What the networks get of one photo, and what they should say.

    Attributes:
        found: by the product: what the networks get, and what it found on the way.
        medium, fine: (H, W) float32 mm over BOX, where the product sees them.
        valid: (H, W) float32, 1 where the photo shows that skin.
    """

    found: Found
    medium: np.ndarray
    fine: np.ndarray
    valid: np.ndarray


def pose_head(studio: Studio, rng: np.random.Generator, size: int) -> Shot:
    """A random head with a random expression before a random camera.

    Args:
        size: side of the square photos in px.
    """
    sample = sample_head(rng, studio.model, size=size, pose=POSE)
    vertices = studio.model.vertices(sample.alpha, sample.beta * rng.uniform(0.3, 1.0))
    beta = dict(zip(studio.model.expression_names, sample.beta, strict=True))
    return Shot(vertices, sample.camera, see_head(studio, vertices, sample.camera), beta)


def random_size(rng: np.random.Generator) -> int:
    """Of the photos of one head."""
    return int(np.exp(rng.uniform(*np.log(SIZES))))


def make_examples(studio: Studio, rng: np.random.Generator, count: int) -> list[Example]:
    """Photos of one head in one pose: ``count`` skins and lights, up to the first in which no face is found.

    The product's transfer, which takes as long as all the rest, is computed once. What that changes is told by
    ``scripts.benchmark.detail.drift``: the light's channels by a seventh, the relief found by 0.003 mm.
    """
    shot = pose_head(studio, rng, random_size(rng))
    out: list[Example] = []
    for _ in range(count):
        relief = make_relief(studio.skin, random_person(rng, shot.beta), rng)
        photo = take_photo(studio, shot, relief, rng)
        example = look_at_known(studio, photo, relief, shot, out[0].found.light.transfer if out else None)
        if example is None:
            break
        out.append(example)
    return out


def take_photo(studio: Studio, shot: Shot, relief: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) uint8 photo of a head with (H, W) relief in mm, in a random light and with random pigment."""
    head, basis = light_head(studio, shot.vertices, shot.camera, rng), studio.models.basis
    gamma = (0.7 * rng.normal(size=len(basis.modes))).clip(-2.5, 2.5).astype(np.float32)
    gamma[0] = rng.uniform(basis.lowest[0], basis.highest[0])
    texture = skin_texture(studio, head, relief, gamma, rng)
    vertex_light = head.fields[:, 0:1] * head.colours[0] + head.fields[:, -1:] * head.colours[-2:].mean(axis=0)
    skin_colour = basis.albedo(gamma) * vertex_light.clip(0.01)
    return develop(expose(studio, shot.seen, texture, skin_colour, shot.camera, rng), rng)


def look_at_known(
    studio: Studio,
    photo: np.ndarray,
    relief: np.ndarray,
    shot: Shot,
    transfer: Transfer | None = None,
    settings: Settings = SETTINGS,
) -> Example | None:
    """What the product finds on a photo beside the truth, (H, W) mm of relief; the rest as for :func:`look`."""
    found = look(studio, Photo.of(photo), transfer, settings)
    if found is None:
        return None
    (medium, fine), valid = true_relief(studio, found.head.pose, relief, shot.seen)
    return Example(found, medium, fine, valid)


def look(studio: Studio, photo: Photo, transfer: Transfer | None = None, settings: Settings = SETTINGS) -> Found | None:
    """Send a photo through the product; None where it finds no face.

    Args:
        transfer: of the same head in the same pose, if it is known already. settings: others than the product's.
    """
    try:
        observation = observe(photo, studio.models, settings)
    except NoFaceError:
        return None
    head = refine((observation,), fit((observation,), studio.models, settings), studio.models, settings)
    light = illuminate(observation, head.pose, studio.models, settings, transfer=transfer)
    return Found(head, light, inputs_of_detail(observation, head.pose, light, studio.models))


def true_relief(
    studio: Studio, pose: PoseFit, relief: np.ndarray, seen: Seen
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Medium and fine relief where the fitted head sees them, and (H, W) where it sees skin of the right place."""
    skin = studio.model.skin.of(pose.vertices)
    at = onto_texels(studio, pose.perspective.project(skin).astype(np.float32), -1e4) - np.float32(0.5)
    true = cv2.remap(seen.uv, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(-1e6, -1e6))
    rows, columns = np.mgrid[0 : true.shape[0], 0 : true.shape[1]]
    away = np.hypot(true[..., 0] - columns - 0.5, true[..., 1] - rows - 0.5)
    valid = ((away < 40) & studio.covered).astype(np.float32)  # 8 mm
    bands = tuple(
        cv2.remap(band, true - np.float32(0.5), None, cv2.INTER_LINEAR) * valid for band in split_bands(relief)
    )
    return bands, cv2.erode(valid, np.ones((5, 5), np.uint8))
