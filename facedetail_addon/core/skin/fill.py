# SPDX-License-Identifier: GPL-3.0-or-later
"""What skin that the photo does not show probably looks like: by statistics, or made for this person by a generator."""

from dataclasses import dataclass

import cv2
import numpy as np
from torch import nn

from ..colour import LUMINANCE
from ..face_model.model import FaceModel
from ..uv.types import Atlas
from .basis import at_vertices
from .completion import well_known
from .texture_net import LARGE, generate_skin
from .types import AlbedoBasis

_SURE = 0.3  # confidence from which on plain skin tells the tone
_LEAST_VERTICES = 30
_GENERATED = ("ears", "neck")  # beyond the face; on the scalp hair is told apart by its own rules


@dataclass(frozen=True)
class Fill:
    """Skin of this person, or of people like this one.

    Attributes:
        colours: (V_skin, 3) float32 linear. picture: (S, S, 3) the same in canonical UV.
        known: (V_skin,) float32 in [0, 1], where that is skin.
    """

    colours: np.ndarray
    picture: np.ndarray
    known: np.ndarray


def statistical_fill(basis: AlbedoBasis, gamma: np.ndarray, model: FaceModel, atlas: Atlas) -> Fill:
    """The statistical albedo of (G,) γ; not beyond the border of what portraits show."""
    return Fill(basis.albedo(gamma), basis.albedo_map(gamma), well_known(basis.known, model, atlas))


def generated_fill(
    albedo: np.ndarray, known: np.ndarray, usual: Fill, basis: AlbedoBasis, grey: bool, network: nn.Module,
    model: FaceModel, atlas: Atlas,
) -> Fill:  # fmt: skip
    """What a generator makes of what is seen.

    Args:
        albedo: (R, R, 3) float32 linear in canonical UV, without light. known: (R, R) in [0, 1], where that is this
            person's skin. usual: by statistics. grey: whether the photo has no colours.
        network: :class:`.texture_net.TextureNet`.
    """
    size = (LARGE, LARGE)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(albedo * known[..., None], size, interpolation=cv2.INTER_AREA)
    small /= np.maximum(weight, 1e-3)[..., None]
    at = at_vertices(np.dstack([small, weight]), model)
    plain = basis.plain & (at[:, 3] > _SURE)
    tone = np.median(at[plain, :3] if plain.sum() >= _LEAST_VERTICES else usual.colours[basis.plain], axis=0)
    picture = generate_skin(small, weight, tone, network)
    if grey:
        picture = np.repeat((picture @ LUMINANCE)[..., None], 3, axis=-1)
    everywhere = np.where(model.in_region(*_GENERATED), np.float32(1), basis.known)
    return Fill(at_vertices(picture, model), picture, well_known(everywhere, model, atlas, ("scalp",)))
