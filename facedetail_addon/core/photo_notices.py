# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist should know of a photo and of the head that was made from it."""

from ..settings import DRAFT, Settings
from .eyes.estimate import notices as eye_notices
from .fit.correspondence import notices as point_notices
from .fit.dense import ROUGH_FIT
from .fit.dense import notices as fit_notices
from .fit.prepared import PreparedModel
from .fit.profile import ROUGH_FIT as ROUGH_PROFILE_FIT
from .fit.profile import in_profile
from .fit.profile import notices as profile_notices
from .fit.refine import notices as refine_notices
from .fit.sparse import ROUGH_FIT as ROUGH_SPARSE_FIT
from .fit.types import HeadFit
from .lighting.estimate import notices as light_notices
from .models import Models
from .notices import Notice
from .observe.types import Observation
from .refine.form import notices as form_notices
from .seen import FittedHead, SeenSkin
from .skin.cover import notices as cover_notices


def photo_notices(observation: Observation, head: HeadFit, seen: SeenSkin, models: Models) -> tuple[Notice, ...]:
    """What an artist should know of one photo; ``head``: with its pose first."""
    light, focal_px = seen.light, observation.camera_prior.focal_px
    return (
        *observation.notices,
        *fit_notices(head.pose, observation.landmarks, _rough_fit(models, observation), focal_px),
        *(_point_notices(head, observation, models.prepared) if models.prepared else ()),
        *light_notices(light.estimate, light.unwrapped),
        *cover_notices(light.estimate, light.unwrapped, models.basis, models.model),
        *eye_notices(seen.appearance.eyes, models.model, light.estimate.monochrome),
        *seen.relief.notices,
    )


def head_notices(fitted: FittedHead, models: Models, settings: Settings) -> tuple[Notice, ...]:
    """What an artist should know of the head that became of a fitted one."""
    if fitted.by_landmarks is None or not is_refined(models, settings):
        return fitted.pin_notices
    head = fitted.automatic
    return (*refine_notices(fitted.by_landmarks, head), *form_notices(head, models.model), *fitted.pin_notices)


def is_refined(models: Models, settings: Settings) -> bool:
    """Whether heads follow the photo's light and shade."""
    prepared = models.prepared
    return settings.quality != DRAFT and prepared is not None and prepared.photometric is not None


def _rough_fit(models: Models, observation: Observation) -> float:
    if models.prepared is None:
        return ROUGH_SPARSE_FIT
    return ROUGH_PROFILE_FIT if in_profile(observation, models.prepared) else ROUGH_FIT


def _point_notices(head: HeadFit, observation: Observation, prepared: PreparedModel) -> tuple[Notice, ...]:
    if in_profile(observation, prepared):
        return profile_notices(observation)
    return point_notices(head, observation, prepared)
