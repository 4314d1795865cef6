# SPDX-License-Identifier: GPL-3.0-or-later
"""``observation.npz``: what the photo said before a head was fitted, so that a later fit can start from it."""

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from ..io.archive import read_arrays
from ..observe.correspondence.types import POINTS, Correspondences
from ..observe.expression.types import ExpressionPrior
from ..observe.landmarks.types import FaceLandmarks
from ..observe.masks.types import LEVELS, MASK_SIDE, MASKS, PhotoMasks
from ..observe.region import Region
from ..observe.types import CameraPrior, Observation

_MESH, _SPARSE = 478, 68
_MAX_BYTES = 64 << 20
_MAX_SIDE = 1 << 20
_KINDS = {"image_size": "i", "rotation": "i", "masks.values": "u", "seen": "b"}  # the others are real numbers
_POINTS_OF_HEAD = "correspondences."
_MOST = float(np.finfo(np.float32).max)


def write_observation(path: Path, observation: Observation) -> None:
    """Write landmarks, priors, masks and correspondences; photo and emotion have their own files.

    Raises:
        OSError: it cannot be written.
    """
    landmarks, camera, prior = observation.landmarks, observation.camera_prior, observation.expression_prior
    arrays = {
        "mesh_px": landmarks.mesh_px,
        "sparse_px": landmarks.sparse_px,
        "sparse_scores": landmarks.sparse_scores,
        "box_px": landmarks.box_px,
        "score": np.float64(landmarks.score),
        "rotation": np.int64(landmarks.rotation),
        "yaw_deg": np.float64(landmarks.yaw_deg),
        "seen": None if landmarks.seen else np.bool_(False),
        "image_size": np.array(camera.image_size, np.int64),
        "center_px": camera.center_px,
        "focal_px": None if camera.focal_px is None else np.float64(camera.focal_px),
        "alpha_prior": observation.alpha_prior,
    }
    if prior is not None:
        arrays |= {f"prior.{name}": getattr(prior, name) for name in ("beta_prior", "precision", "distance")}
    if observation.masks is not None:
        arrays |= _encode_masks(observation.masks)
    if observation.correspondences is not None:
        named = asdict(observation.correspondences)
        arrays |= {_POINTS_OF_HEAD + name: np.asarray(value) for name, value in named.items()}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


def read_observation(path: Path, expressions: int) -> dict[str, object]:
    """Fields of an :class:`~..observe.types.Observation`: landmarks, priors, masks, correspondences.

    Args:
        expressions: E, how many weights the prior must have.

    Raises:
        ValueError: missing, damaged, or with values that cannot be.
    """
    arrays = read_arrays(path, max_bytes=_MAX_BYTES)
    try:
        return _decode(arrays, expressions)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"it is incomplete ({error})") from error


def _decode(arrays: dict[str, np.ndarray], expressions: int) -> dict[str, object]:
    shapes = {
        "mesh_px": (_MESH, 3), "sparse_px": (_SPARSE, 2), "box_px": (4,), "score": (), "rotation": (), "yaw_deg": (),
        "image_size": (2,), "center_px": (2,),
    }  # fmt: skip
    optional = {"sparse_scores": (_SPARSE,), "focal_px": (), "seen": ()}  # files without "seen" are of seen faces
    if "alpha_prior" in arrays:  # of the built-in head, whatever the result's
        optional["alpha_prior"] = (arrays["alpha_prior"].size,)
    has_prior = any(name.startswith("prior.") for name in arrays)
    if has_prior:  # whole or not at all
        shapes |= {
            "prior.beta_prior": (expressions,), "prior.precision": (expressions, expressions), "prior.distance": (),
        }  # fmt: skip
    if any(name.startswith("masks.") for name in arrays):  # whole or not at all; older files have none
        shapes |= {"masks.values": (len(MASKS), MASK_SIDE, MASK_SIDE), "masks.region": (4,)}
    if any(name.startswith(_POINTS_OF_HEAD) for name in arrays):  # whole or not at all; older files have none
        shapes |= _shapes_of_correspondences(arrays)
    for name, shape in (shapes | {name: shape for name, shape in optional.items() if name in arrays}).items():
        array = arrays[name]
        kind = _KINDS.get(name, "f")
        if array.shape != shape or array.dtype.kind != kind or not (np.abs(array) <= _MOST).all():
            raise ValueError(f"{name} has the wrong shape or kind, or is not finite")
    size, rotation = tuple(arrays["image_size"].tolist()), int(arrays["rotation"])
    if not all(0 < side < _MAX_SIDE for side in size):
        raise ValueError("image_size is not that of a picture")
    if not 0 <= rotation <= 3:
        raise ValueError("rotation is no number of quarter turns")
    focal_px = float(arrays["focal_px"]) if "focal_px" in arrays else None
    if focal_px is not None and focal_px <= 0:
        raise ValueError("the focal length is not positive")
    prior = None
    if has_prior:
        prior = ExpressionPrior(arrays["prior.beta_prior"], arrays["prior.precision"], float(arrays["prior.distance"]))
    landmarks = FaceLandmarks(
        mesh_px=arrays["mesh_px"],
        sparse_px=arrays["sparse_px"],
        box_px=arrays["box_px"],
        score=float(arrays["score"]),
        rotation=rotation,
        yaw_deg=float(arrays["yaw_deg"]),
        sparse_scores=arrays.get("sparse_scores"),
        seen=bool(arrays.get("seen", True)),
    )
    return {
        "landmarks": landmarks,
        "camera_prior": CameraPrior(size, arrays["center_px"].astype(np.float64), focal_px),
        "expression_prior": prior,
        "masks": _decode_masks(arrays, size) if "masks.values" in arrays else None,
        "alpha_prior": arrays.get("alpha_prior"),
        "correspondences": _decode_correspondences(arrays) if f"{_POINTS_OF_HEAD}points_px" in arrays else None,
    }


def _shapes_of_correspondences(arrays: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Coefficients are of the network's head, not the result's: as many as there are, with as many σ."""
    counts = {name: (arrays[f"{_POINTS_OF_HEAD}{name}"].size,) for name in ("alpha", "beta")}
    shapes = {"points_px": (POINTS, 2), "sigma_px": (POINTS,), "rotation": (3, 3), "rotation_sigma": ()}
    shapes |= counts | {f"{name}_sigma": count for name, count in counts.items()}
    return {_POINTS_OF_HEAD + name: shape for name, shape in shapes.items()}


def _decode_correspondences(arrays: dict[str, np.ndarray]) -> Correspondences:
    values = {field.name: arrays[_POINTS_OF_HEAD + field.name] for field in fields(Correspondences)}
    if not all((values[name] > 0).all() for name in ("sigma_px", "rotation_sigma", "alpha_sigma", "beta_sigma")):
        raise ValueError("correspondences have a standard deviation that is none")
    return Correspondences(**{**values, "rotation_sigma": float(values["rotation_sigma"])})


def _encode_masks(masks: PhotoMasks) -> dict[str, np.ndarray]:
    values = np.stack([getattr(masks, name) for name in MASKS])
    region = np.array([*masks.region.center, masks.region.side, masks.region.angle], np.float64)
    return {"masks.values": np.round(values * LEVELS).astype(np.uint8), "masks.region": region}


def _decode_masks(arrays: dict[str, np.ndarray], image_size: tuple[int, int]) -> PhotoMasks:
    values, region = arrays["masks.values"], arrays["masks.region"].astype(np.float64)
    if values.dtype != np.uint8:
        raise ValueError("masks.values are not 8-bit")
    if region[2] <= 0:
        raise ValueError("masks.region is no square")
    masks = dict(zip(MASKS, values.astype(np.float32) / np.float32(LEVELS), strict=True))
    return PhotoMasks(Region(region[:2], float(region[2]), float(region[3])), image_size, **masks)
