# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the head of a portrait as the product does, and with parts of the fit switched off."""

import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.equations import FitSettings
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.pipeline import fit, observe, refine
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.benchmark.likeness.outline import Gaps, outline_gaps

OUR_FIT, WITHOUT_PRIOR = "our fit", "without the prior of people who look alike"
WITHOUT_SHADE = "without light and shade"
WITHOUT_POINTS = "without light and shade and points of the head"
WITHOUT_MASKS, MEAN_HEAD = "without light and shade, masks and points", "mean head"
ROWS = (OUR_FIT, WITHOUT_PRIOR, WITHOUT_SHADE, WITHOUT_POINTS, WITHOUT_MASKS, MEAN_HEAD)
SETTINGS = Settings(resolution=512, detail=NO_DETAIL)
_NO_IDENTITY = FitSettings(identity_weight=1e9, outline_weight=0.0)


@dataclass(frozen=True)
class Head:
    """A head fitted to one portrait.

    Attributes:
        face: (F, 3) float32 mm, the neutral head at :func:`face_vertices`. gaps: of its outline.
        seconds: of the fit alone.
    """

    face: np.ndarray
    gaps: Gaps
    seconds: float


@cache
def load_models() -> Models:
    """Once per process."""
    return Models.load(SETTINGS)


def face_vertices(model: FaceModel) -> np.ndarray:
    """(F,) those of the face, without ears, scalp, neck and sockets."""
    return np.flatnonzero(model.in_region(*FACE_REGIONS))


def fitted(path: Path) -> dict[str, Head]:
    """The heads of a portrait, by name of row; empty where no face is found."""
    models = load_models()
    try:
        observation = observe(read_photo(path), models, SETTINGS)
    except NoFaceError:
        return {}
    out = {}
    for row in ROWS:
        began = time.perf_counter()
        head = _fit(row, observation, models)
        seconds = time.perf_counter() - began
        out[row] = measured_head(models.model, head, observation, seconds)
    return out


def mean_head(observation: Observation, models: Models) -> HeadFit:
    """The mean head in the photo's pose and expression."""
    bare = replace(observation, masks=None, correspondences=None)
    how = {"expression": SETTINGS.expression, "settings": _NO_IDENTITY, "prepared": models.prepared}
    return fit_dense((bare,), models.model, models.calibration, **how)


def measured_head(model: FaceModel, head: HeadFit, observation: Observation, seconds: float) -> Head:
    """What is compared of a head; the observation's masks tell the outline."""
    gaps = outline_gaps(model, head.pose.vertices, head.pose.perspective, observation.masks)
    return Head(head.vertices_neutral[face_vertices(model)], gaps, seconds)


def _fit(row: str, observation: Observation, models: Models) -> HeadFit:
    if row in (OUR_FIT, WITHOUT_PRIOR):
        observation = observation if row == OUR_FIT else replace(observation, alpha_prior=None)
        return refine((observation,), fit((observation,), models, SETTINGS), models, SETTINGS)
    if row == WITHOUT_SHADE:
        return fit((observation,), models, SETTINGS)
    bare = replace(observation, correspondences=None)
    if row == WITHOUT_POINTS:
        return fit((bare,), models, SETTINGS)
    bare = replace(bare, masks=None)
    if row == WITHOUT_MASKS:
        return fit((bare,), models, SETTINGS)
    return mean_head(observation, models)
