# SPDX-License-Identifier: GPL-3.0-or-later
"""The rest of the pipeline once more, from a kept result: light, skin and relief of a head that pins have moved."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..settings import COMPACT, DRAFT, FINE, NO_DETAIL, STANDARD, Settings, option_of
from .errors import FaceDetailError
from .fit.pins import PinnedEdit
from .models import Models
from .observe.masks.glasses import find_glasses
from .observe.photo import Photo
from .observe.types import Observation
from .person import PersonPhotos, completed_person
from .pipeline import completed, follow_pins
from .result.record import Reconstruction
from .seen import FittedHead
from .stages import Stages

_PIN_CODES = "pin"


def settings_of(earlier: Reconstruction) -> Settings:
    """The settings that a result was made with, as far as it tells them.

    Raises:
        FaceDetailError: its texture has a size that none has.
    """
    record, maps = earlier.record, earlier.maps
    side, seconds = maps["albedo"].shape[0], record.stage_seconds
    if side not in option_of(Settings, "resolution").values:
        raise FaceDetailError(
            f"The texture of this result has {side} pixels a side.", "Reconstruct the photo again with this version."
        )
    flat = not (maps["displacement_medium"].any() or maps["displacement_fine"].any())
    return Settings(
        face_model=record.face_model,
        landmarker=record.landmarker,
        expression=record.expression_source,
        resolution=side,
        light_bands=round(len(record.light.radiance) ** 0.5),
        detail=NO_DETAIL if flat else COMPACT,
        quality=FINE if "reflectance" in seconds else STANDARD if "refine" in seconds else DRAFT,
    )


def update_skin(
    earlier: Reconstruction,
    edit: PinnedEdit,
    models: Models,
    settings: Settings,
    progress: Callable[[str, float], None],
) -> Reconstruction:
    """The result with other pins: the same automatic fit, and light, skin and relief of the head that follows them.

    Args:
        earlier: with its photos. settings: of :func:`settings_of`; ``models`` loaded for them.

    Raises:
        FaceDetailError: the result does not hold what a fit begins with. PinError: the pins are none of it.
    """
    stage, record = Stages(progress), earlier.record
    with stage("masks", "Finding hair and skin", 0.05):
        observations = tuple(_with_glasses(observation, models) for observation in record.observations)
    automatic = record.automatic
    pinned = follow_pins(observations, automatic, models, settings, edit, stage)
    fitted = FittedHead(automatic, None, pinned, edit)
    if len(observations) == 1:
        made = completed(observations[0], fitted, models, settings, stage)
    else:
        photos = tuple(_photo(observation) for observation in observations)
        made = completed_person(PersonPhotos(photos, observations, ()), fitted, models, settings, stage)
    # What was said of photo and fit still holds; what is said of pins is new.
    said = {notice.code for notice in made.record.notices}
    kept = tuple(
        notice for notice in record.notices if notice.code not in said and not notice.code.startswith(_PIN_CODES)
    )
    seconds = {**record.stage_seconds, **stage.seconds}
    return replace(made, record=replace(made.record, notices=(*kept, *made.record.notices), stage_seconds=seconds))


def _with_glasses(observation: Observation, models: Models) -> Observation:
    """Results do not keep them."""
    if observation.pixels is None:
        raise FaceDetailError(
            f"The photo {observation.photo_name} was not kept with its result.", "Reconstruct it again."
        )
    glasses = find_glasses(observation.pixels, observation.landmarks, models.mask_networks.glasses)
    return replace(observation, glasses=glasses)


def _photo(observation: Observation) -> Photo:
    pixels = np.ascontiguousarray(observation.pixels)
    return Photo(pixels, Path(observation.photo_name), observation.camera_prior.focal_px, ())
