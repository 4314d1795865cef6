# SPDX-License-Identifier: GPL-3.0-or-later
"""``pins.json``: what an artist has pinned by hand, strict JSON, every value checked when it is read.

``automatic.npz`` beside it in a result folder is the fit before the pins, which every later refit begins with.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..fit.pins import MOST_PINS, RIGIDITY, SKIN, Pin, PinError, PinnedEdit, PinSettings
from ..fit.types import HeadFit
from ..geometry.camera import AffineCamera, PerspectiveCamera
from ..io.archive import read_arrays
from .record import MOST_PHOTOS

FORMAT, FORMAT_VERSION = "facedetail-pins", 1
_MAX_BYTES = 1_000_000
_MAX_AUTOMATIC_BYTES = (MOST_PHOTOS + 1) * 12_000_000 + 1_000_000
_MOST_PX = 1e6
_FOCAL_PX = (1.0, 1e7)
_RIGIDITIES = ("shape_rigidity", "expression_rigidity", "pose_rigidity")
_SWITCHES = ("lock_expression", "lock_eyes", "mirror", "lock_focal")
_REMEDY = "Correct the file; docs/scripting.md describes it."


def pins_text(edit: PinnedEdit) -> str:
    """The file's content. Photos count from 1."""
    settings = edit.settings
    values = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "pins": [
            {"photo": pin.photo + 1, "part": pin.part, "uv": list(pin.uv), "px": list(pin.px)} for pin in edit.pins
        ],
        **{name: getattr(settings, name) for name in (*_RIGIDITIES, *_SWITCHES)},
        "focal_px": list(settings.focal_px),
    }
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def read_pins(path: Path) -> PinnedEdit:
    """Pins of a file.

    Raises:
        PinError: it cannot be read, or holds values that cannot be.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("it is too large")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PinError(f"The pins {path} cannot be read: {error}.", _REMEDY) from error
    return parse_pins(text, str(path))


def parse_pins(text: str, where: str) -> PinnedEdit:
    """Pins of a text.

    Args:
        where: the text comes from, for the message.

    Raises:
        PinError: it holds values that cannot be.
    """
    try:
        if len(text) > _MAX_BYTES:
            raise ValueError("they are too many")
        return _parsed(json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise PinError(f"The pins of {where} cannot be used: {error}.", _REMEDY) from error
    except KeyError as error:
        raise PinError(f"The pins of {where} cannot be used: {error.args[0]!r} is missing.", _REMEDY) from error


def _parsed(values: object) -> PinnedEdit:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f'its "format" is not "{FORMAT}"')
    if values.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"format version {values.get('format_version')!r:.20}, this version reads {FORMAT_VERSION}")
    pins = values["pins"]
    if not isinstance(pins, list) or len(pins) > MOST_PINS:
        raise ValueError(f'"pins" is no list of at most {MOST_PINS}')
    defaults = PinSettings()
    rigid = {name: _number(values.get(name, getattr(defaults, name)), name, *RIGIDITY) for name in _RIGIDITIES}
    switches = {name: _switch(values.get(name, getattr(defaults, name)), name) for name in _SWITCHES}
    focal = values.get("focal_px", [])
    if not isinstance(focal, list) or len(focal) > MOST_PHOTOS:
        raise ValueError('"focal_px" is no list of one for each photo')
    chosen = tuple(None if one is None else _number(one, "focal_px", *_FOCAL_PX) for one in focal)
    found = tuple(_pin(one, f"pin {number}") for number, one in enumerate(pins, 1))
    return PinnedEdit(found, PinSettings(**rigid, **switches, focal_px=chosen))


def _pin(values: object, name: str) -> Pin:
    if not isinstance(values, dict):
        raise ValueError(f"{name} is not an object")
    photo, part = values.get("photo", 1), values.get("part", SKIN)
    if type(photo) is not int or not 1 <= photo <= MOST_PHOTOS:
        raise ValueError(f"{name} is of photo {photo!r:.20}; they count from 1 to {MOST_PHOTOS}")
    if not isinstance(part, str) or not 0 < len(part) <= 60:
        raise ValueError(f"{name} names no part")
    uv = _pair(values["uv"], f"uv of {name}", 0.0, 1.0)
    return Pin(photo - 1, uv, _pair(values["px"], f"px of {name}", -_MOST_PX, _MOST_PX), part)


def _pair(values: object, name: str, lowest: float, highest: float) -> tuple[float, float]:
    if not isinstance(values, list) or len(values) != 2:
        raise ValueError(f"{name} is no pair of numbers")
    first, second = (_number(value, name, lowest, highest) for value in values)
    return first, second


def _number(value: object, name: str, lowest: float, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise ValueError(f"{name} is {value!r:.30}, and no number from {lowest:g} to {highest:g}")
    return float(value)


def _switch(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r:.30}, and neither true nor false")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def write_automatic(path: Path, head: HeadFit) -> None:
    """Write the fit before the pins.

    Raises:
        OSError: it cannot be written.
    """
    arrays = {"alpha": head.alpha, "neutral": head.vertices_neutral, "scale": np.float64(head.scale)}
    if head.alpha_shown is not None:
        arrays["alpha_shown"] = head.alpha_shown
    for number, pose in enumerate(head.poses, 1):
        camera = pose.perspective
        arrays |= {
            f"posed_{number}": pose.vertices,
            f"beta_{number}": pose.beta,
            f"landmarks_{number}": pose.landmarks68_mm,
            f"affine_{number}": pose.affine.matrix,
            f"rotation_{number}": camera.rotation,
            f"translation_{number}": camera.translation,
            f"focal_{number}": np.float64(camera.focal_px),
        }
    np.savez(path, **arrays)


def read_automatic(path: Path, head: HeadFit) -> HeadFit:
    """The fit before the pins.

    Args:
        head: of the same result, with the pins.

    Raises:
        ValueError: missing, damaged, or of another head.
    """
    arrays = read_arrays(path, max_bytes=_MAX_AUTOMATIC_BYTES)
    try:
        return _automatic(arrays, head)
    except KeyError as error:
        raise ValueError(f"it is incomplete ({error})") from error


def _automatic(arrays: dict[str, np.ndarray], head: HeadFit) -> HeadFit:
    def like(name: str, model: np.ndarray) -> np.ndarray:
        array = arrays[name]
        if array.shape != model.shape or array.dtype != model.dtype or not np.isfinite(array).all():
            raise ValueError(f"{name} has the wrong shape or kind, or is not finite")
        return array

    scale = float(like("scale", np.float64(1)))
    if not 0 < scale < 100:
        raise ValueError("scale is none")
    poses = []
    for number, pose in enumerate(head.poses, 1):
        camera, beta = pose.perspective, like(f"beta_{number}", pose.beta)
        if beta.min(initial=0) < 0 or beta.max(initial=0) > 1:
            raise ValueError(f"beta_{number} leaves 0 to 1")
        poses.append(
            replace(
                pose,
                beta=beta,
                affine=AffineCamera(like(f"affine_{number}", pose.affine.matrix)),
                perspective=_camera(like, number, camera),
                vertices=like(f"posed_{number}", pose.vertices),
                landmarks68_mm=like(f"landmarks_{number}", pose.landmarks68_mm),
            )
        )
    return replace(
        head,
        alpha=like("alpha", head.alpha),
        vertices_neutral=like("neutral", head.vertices_neutral),
        scale=scale,
        alpha_shown=None if head.alpha_shown is None else like("alpha_shown", head.alpha_shown),
        poses=tuple(poses),
    )


def _camera(like: object, number: int, camera: PerspectiveCamera) -> PerspectiveCamera:
    rotation = like(f"rotation_{number}", camera.rotation)
    focal_px = float(like(f"focal_{number}", np.float64(1)))
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-4 or np.linalg.det(rotation) < 0 or focal_px <= 0:
        raise ValueError(f"the camera of photo {number} is none")
    return replace(
        camera,
        rotation=rotation,
        translation=like(f"translation_{number}", camera.translation),
        focal_px=focal_px,
    )
