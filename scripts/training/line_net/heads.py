# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn heads whose relief is known, in photos with and without things that lie on the skin."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.detail.line_view import STEP, view_channels
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import Photo
from facedetail_addon.core.pipeline import fit, illuminate, inputs_of_detail, observe
from facedetail_addon.core.rendering.types import Transfer
from scripts.harness import progress, whole_file
from scripts.training.line_net.dressing import dress
from scripts.training.line_net.portraits import SETTINGS
from scripts.training.skin.folds import random_person
from scripts.training.skin.relief import make_relief
from scripts.training.studio.photos import Shot, pose_head, take_photo, true_relief
from scripts.training.studio.studio import Studio

SEED = 7451
_SIZES = (450, 1250)  # px of the square photos' sides
_SKINS = ((0.5, 1.0), (0.0, 1.0), (0.0, 0.25), None)  # ages of one head's photos; the last is flat
_DRESSED = (False, True, True, True)


def make_heads(folder: Path, count: int, studio: Studio, models: Models) -> None:
    """Write what is missing of ``count`` heads' photos: channels of the view, true relief, and where it is known.

    Args:
        studio: that draws. models: of the product that looks at the photos, for :data:`.portraits.SETTINGS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        out = folder / f"{number:03d}.npz"
        if out.exists():
            continue
        arrays = _photos(studio, models, number)
        with whole_file(out) as unfinished, open(unfinished, "wb") as stream:
            np.savez(stream, **{name: values.astype(np.float16) for name, values in arrays.items()})
        progress(f"head {number}: {len(arrays['channels'])} photos")


def _photos(studio: Studio, models: Models, number: int) -> dict[str, np.ndarray]:
    """(N, h, w, 14) channels, (N, h, w) mm of relief and (N, h, w) where it is known; N is 0 where no face is found."""
    rng = np.random.default_rng((SEED, number))
    shot = pose_head(studio, rng, int(np.exp(rng.uniform(*np.log(_SIZES)))))
    marks = shot.camera.project(studio.model.landmarks68.points(shot.vertices).astype(np.float64))
    found, transfer = {"channels": [], "relief": [], "valid": []}, None
    for ages, dressed in zip(_SKINS, _DRESSED, strict=True):
        person = replace(random_person(rng, shot.beta), flat=ages is None, age=rng.uniform(*ages) if ages else 0.0)
        relief = make_relief(studio.skin, person, rng)
        photo = take_photo(studio, shot, relief, rng)
        photo = dress(photo, marks, rng) if dressed else photo
        seen = _look(studio, models, photo, relief, shot, transfer)
        if seen is None:
            continue
        *parts, transfer = seen
        for values, part in zip(found.values(), parts, strict=True):
            values.append(part)
    return {name: np.array(values, np.float32) for name, values in found.items()}


def _look(
    studio: Studio, models: Models, photo: np.ndarray, relief: np.ndarray, shot: Shot, transfer: Transfer | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Transfer] | None:
    try:
        seen = observe(Photo.of(photo), models, SETTINGS)
    except NoFaceError:
        return None
    head = fit((seen,), models, SETTINGS)
    light = illuminate(seen, head.pose, models, SETTINGS, transfer=transfer)
    (medium, fine), valid = true_relief(studio, head.pose, relief, shot.seen)
    height, valid = (
        cv2.resize(part, None, fx=1 / STEP, fy=1 / STEP, interpolation=cv2.INTER_AREA)
        for part in (medium + fine, valid)
    )
    return view_channels(inputs_of_detail(seen, head.pose, light, models)), height, valid, light.transfer
