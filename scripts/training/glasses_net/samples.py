# SPDX-License-Identifier: GPL-3.0-or-later
"""Bands of eyes to learn from: bare, with drawn glasses, and with real ones, whose frames nobody has traced."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.masks.glasses import eye_region
from facedetail_addon.core.observe.masks.glasses_net import GLASSES_HIGH, GLASSES_WIDE
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.region import Region
from scripts.training.glasses_net.drawing import draw_glasses
from scripts.training.glasses_net.people import SETS, held_out, photos, wears

_DRAWN, _BARE = 0.45, 0.35  # shares of samples; the rest wear real glasses
_WIDER = 1.3  # how much more than the band is kept, so that it can be moved
_CORE = 0.25  # of a pixel that is covered
UNKNOWN = -1.0
"""Of pixels whose truth is not known."""


@dataclass(frozen=True)
class Band:
    """What surrounds the eyes of one person.

    Attributes:
        pixels: (S, S, 3) uint8, a square around them. eyes: (2, 2) px of their centres in it.
        worn: whether glasses are. tested: whether nothing is learned from it.
        name: of the photo.
    """

    pixels: np.ndarray
    eyes: np.ndarray
    worn: bool
    tested: bool
    name: str


def read_bands(data: Path) -> list[Band]:
    """Of all photos that show a face."""
    landmarker, out = MeshLandmarker.load(), []
    for name in SETS:
        for photo in photos(data, name):
            pixels = read_photo(photo).pixels
            faces = landmarker.find(pixels)
            if faces:
                found = _band(pixels, faces[0].sparse_px)
                out.append(Band(*found, wears(name, photo), held_out(name, photo), f"{name}/{photo.stem}"))
    return out


def _band(pixels: np.ndarray, sparse_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    region = eye_region(sparse_px)
    wide = Region(region.center, region.side * _WIDER, region.angle)
    side = round(GLASSES_WIDE * _WIDER)
    eyes = np.stack([sparse_px[eye].mean(axis=0) for eye in (slice(36, 42), slice(42, 48))])
    return wide.crop(pixels, side, cv2.BORDER_REPLICATE), wide.from_photo(eyes) * side


def middle(band: Band) -> np.ndarray:
    """(GLASSES_HIGH, GLASSES_WIDE, 3) uint8, as the product cuts it."""
    row, column = ((len(band.pixels) - size) // 2 for size in (GLASSES_HIGH, GLASSES_WIDE))
    return band.pixels[row : row + GLASSES_HIGH, column : column + GLASSES_WIDE]


def draw_sample(bare: list[Band], worn: list[Band], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """One picture, (GLASSES_HIGH, GLASSES_WIDE, 3) uint8; what of it is covered, (GLASSES_HIGH, GLASSES_WIDE) float32
    of 0, 1 and UNKNOWN; and 1 where glasses are worn."""
    kind = rng.random()
    real = kind >= _DRAWN + _BARE
    band = (worn if real else bare)[rng.integers(len(worn if real else bare))]
    picture, eyes = _moved(band, rng)
    grey = not (picture[..., 0] != picture[..., 1]).any() or rng.random() < 0.2
    cover = np.full(picture.shape[:2], UNKNOWN if real else 0, np.float32)
    if kind < _DRAWN:
        if rng.random() < 0.5:
            picture = _harmed(picture, rng)
        picture, drawn = draw_glasses(picture, eyes, rng)
        cover = cv2.dilate((drawn > _CORE).astype(np.float32), np.ones((3, 3), np.uint8))
    picture = _harmed(picture, rng)
    if grey:
        picture = np.repeat((picture @ np.float32([0.3, 0.6, 0.1]))[..., None], 3, axis=2).astype(np.uint8)
    if rng.random() < 0.5:
        picture, cover = picture[:, ::-1], cover[:, ::-1]
    return picture, cover, float(real or kind < _DRAWN)


def _moved(band: Band, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The band, turned, moved and scaled a little; and where its eyes are."""
    side = len(band.pixels)
    middle = np.array([side / 2, side / 2])
    turn = cv2.getRotationMatrix2D(tuple(middle), rng.normal() * 4, rng.uniform(0.85, 1.15))
    turn[:, 2] += np.array([GLASSES_WIDE, GLASSES_HIGH]) / 2 - middle + rng.normal(size=2) * [6, 5]
    picture = cv2.warpAffine(band.pixels, turn, (GLASSES_WIDE, GLASSES_HIGH), borderMode=cv2.BORDER_REPLICATE)
    return picture, band.eyes @ turn[:, :2].T + turn[:, 2]


def _harmed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurred, shrunk, with other contrast, noisy or coded, or not."""
    out = picture.astype(np.float32)
    if rng.random() < 0.35:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.8))
    if rng.random() < 0.5:
        out = 255 * (out / 255).clip(0, 1) ** np.exp(rng.normal() * 0.3)
        out = (out - out.mean()) * rng.uniform(0.5, 1.3) + out.mean() + rng.normal() * 15
    if rng.random() < 0.3:
        out = out + rng.normal(size=out.shape) * rng.uniform(0, 10)
    out = out.clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        out = cv2.imdecode(cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))])[1], 1)
    return out
