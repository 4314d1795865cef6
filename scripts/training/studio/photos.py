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
from facedetail_addon.core.pipeline import Illumination, fit, illuminate, inputs_of_detail, observe
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
class Found:
    """What the pipeline makes of a photo."""

    head: HeadFit
    light: Illumination
    inputs: DetailInputs


@dataclass(frozen=True)
class Example:
    """One photo, what the networks get, and what they should say.

    Attributes:
        photo: (S, S, 3) uint8. medium, fine: (H, W) float32 mm over BOX, where the pipeline
            sees them. valid: (H, W) float32, 1 where the photo shows that skin.
        found: by the pipeline: what the networks get, and what it found on the way.
    """

    photo: np.ndarray
    medium: np.ndarray
    fine: np.ndarray
    valid: np.ndarray
    found: Found


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
        found = look(studio, Photo.of(photo), out[0].found.light.transfer if out else None)
        if found is None:
            break
        (medium, fine), valid = true_relief(studio, found.head.pose, relief, seen)
        out.append(Example(photo, medium, fine, valid, found))
    return out


def take_photo(
    studio: Studio,
    vertices: np.ndarray,
    camera: PerspectiveCamera,
    relief: np.ndarray,
    seen: Seen,
    rng: np.random.Generator,
) -> np.ndarray:
    """(S, S, 3) uint8 photo of a head with (H, W) relief in mm, in a random light and with random pigment."""
    head = light_head(studio, vertices, camera, rng)
    gamma = (0.7 * rng.normal(size=len(studio.models.basis.modes))).clip(-2.5, 2.5).astype(np.float32)
    gamma[0] = rng.uniform(studio.models.basis.lowest[0], studio.models.basis.highest[0])
    texture = skin_texture(studio, head, relief, gamma, rng)
    vertex_light = head.fields[:, 0:1] * head.colours[0] + head.fields[:, -1:] * head.colours[-2:].mean(axis=0)
    skin_colour = studio.models.basis.albedo(gamma) * vertex_light.clip(0.01)
    return develop(expose(studio, seen, texture, skin_colour, camera, rng), rng)


def look(studio: Studio, photo: Photo, transfer: Transfer | None = None, settings: Settings = SETTINGS) -> Found | None:
    """Send a photo through the product; None where it finds no face.

    Args:
        transfer: of the same head in the same pose, if it is known already. settings: others than the product's.
    """
    try:
        observation = observe(photo, studio.models, settings)
    except NoFaceError:
        return None
    head = fit((observation,), studio.models, settings)
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
