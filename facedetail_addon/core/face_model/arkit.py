# SPDX-License-Identifier: GPL-3.0-or-later
"""Apple's 52 ARKit blend shapes by their names, and how a face model gets those that it has otherwise.

A model keeps both sides of brow and cheek apart; ARKit has them whole, so the whole ones are the sums of the sides.
Mouths of models that are rolled in or puffed up do not stay shut; what closes them belongs to those sliders.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from .lips import lip_edges
from .model import FaceModel, MeshPart
from .tongue import tongue_out, tongue_part

_BOTH = ("Left", "Right")
_SIDED = (
    *("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide"),
    *("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch", "mouthPress", "mouthLowerDown", "mouthUpperUp"),
    *("browDown", "browOuterUp", "cheekSquint", "noseSneer"),
)
_WHOLE = (
    *("jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft"),
    *("mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("browInnerUp", "cheekPuff", "tongueOut"),
)
ARKIT_NAMES = tuple(sorted((*(stem + side for stem in _SIDED for side in _BOTH), *_WHOLE)))
"""All 52, in the order of the alphabet."""
WHOLES = ("browInnerUp", "cheekPuff")
"""Those that a face model has for each side apart."""
TONGUE_OUT = "tongueOut"

_SEALED: Mapping[str, float] = {
    "mouthRollUpper": 1.0,
    "mouthRollLower": 0.0,
    "cheekPuffLeft": 0.5,
    "cheekPuffRight": 0.5,
}
"""Expressions with a shut mouth, and which part of what shuts it the upper lip takes."""
_OVERLAP_MM = 0.3
_LIP_MM = 4.0


def added_names(model: FaceModel) -> tuple[str, ...]:
    """ARKit's names that a model's expressions lack, as far as they can be made of what it has."""
    names = set(model.expression_names)
    wholes = [name for name in WHOLES if {name + side for side in _BOTH} <= names and name not in names]
    has_tongue = TONGUE_OUT not in names and tongue_part(model) is not None
    return (*wholes, *((TONGUE_OUT,) if has_tongue else ()))


def slider_offsets(model: FaceModel, part: MeshPart) -> Iterator[tuple[str, np.ndarray]]:
    """Names and (N, 3) offsets in mm of a part by what sliders do: all of the model's expressions, and the added."""
    shut = seals(model) if part is model.skin else {}
    offsets = {
        name: offset + part.of(shut[name]) if name in shut else offset
        for name, offset in zip(model.expression_names, part.of(model.expression_basis), strict=True)
    }
    yield from offsets.items()
    for name in added_names(model):
        if name == TONGUE_OUT:
            yield name, part.of(tongue_out(model))
        else:
            yield name, sum(offsets[name + side] for side in _BOTH)


def seals(model: FaceModel) -> dict[str, np.ndarray]:
    """(V, 3) mm that sliders with a shut mouth add to the model's expressions, by their names; others are left out."""
    if not {*_SEALED, "jawOpen"} <= set(model.expression_names):
        return {}
    place, upper, lower = lip_edges(model)
    if len(place) < 2:
        return {}
    mean = model.mean
    edge = (upper.points(mean) + lower.points(mean)) / 2
    corners = model.landmarks68.points(mean)[[60, 64]]
    line = np.concatenate([corners[:1], edge, corners[1:]])  # from the right to the left of the face, as x grows
    skin = model.skin.of(mean)
    x = np.clip(skin[:, 0], line[0, 0], line[-1, 0])
    seam = np.stack([x, *(np.interp(x, line[:, 0], line[:, axis]) for axis in (1, 2))], axis=1)
    near = np.exp(-((np.linalg.norm(skin - seam, axis=1) / _LIP_MM) ** 2))
    # The lower lip goes with the jaw, the upper one hardly; at the corners neither height nor depth tells them apart.
    jaw = model.expression_basis[model.expression_names.index("jawOpen")]
    between = (upper.points(jaw) + lower.points(jaw))[:, 1] / 2
    above = model.skin.of(jaw)[:, 1] > np.interp(skin[:, 0], edge[:, 0], between)
    found = {}
    for name, upper_share in _SEALED.items():
        moved = mean + model.expression_basis[model.expression_names.index(name)]
        gap = (upper.points(moved) - lower.points(moved))[:, 1]
        opened = gap - np.maximum((upper.points(mean) - lower.points(mean))[:, 1], 0)
        amount = np.where(opened > 0.05, np.maximum(gap + _OVERLAP_MM, 0), 0)
        # From corner to corner; beside the corners nothing is to be shut.
        amount = np.interp(skin[:, 0], line[:, 0], np.concatenate([[0], amount, [0]]), left=0, right=0)
        offset = np.zeros_like(mean)
        model.skin.of(offset)[:, 1] = near * amount * np.where(above, -upper_share, 1 - upper_share)
        found[name] = offset
    return found
