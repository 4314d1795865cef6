# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a fitted head's outline lies from where the photo shows bare skin end."""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.outline import OutlineTerm, outline_skin
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.masks.types import PhotoMasks


@dataclass(frozen=True)
class Gaps:
    """M places of a photo's outline where bare skin ends.

    Attributes:
        mm: (M,) float32 from the head's outline to the photo's; positive where the photo's lies farther out.
        region: (M,) indices of the model's region names.
    """

    mm: np.ndarray
    region: np.ndarray


def outline_gaps(model: FaceModel, vertices: np.ndarray, camera: PerspectiveCamera, masks: PhotoMasks) -> Gaps:
    """Of a posed head, (V, 3) mm, as a camera sees it.

    The same places as the fit's own term looks at: no neck, no hair, and at most 14 px of the mask away.
    """
    place = model.landmarks68.points(model.mean).mean(0).astype(np.float64)
    px_per_mm = camera.focal_px / float((camera.rotation @ place + camera.translation)[2])
    term = OutlineTerm(0, outline_skin(model), masks, px_per_mm, 1.0)
    posed = vertices[term.skin.rows].astype(np.float64)
    pulls = term.pulls(posed, camera)
    steps = pulls.target_px - camera.project(posed[pulls.rows])
    region = model.region[term.skin.rows[pulls.rows]]
    return Gaps(((steps * pulls.normals).sum(1) / px_per_mm).astype(np.float32), region)
