# SPDX-License-Identifier: GPL-3.0-or-later
"""The face mesh's 478 landmarks as measurements of a face model: bias, responses and covariance, found on renders.

A landmarker does not mark points of our model: it is biased, shrinks every face towards its own mean, and its errors
are correlated. All of this is measured on synthetic photos of heads with known coefficients. With q the landmarks
brought into the head frame (:func:`.normalise.normalise_landmarks`) the measurement model is

    z = directionsᵀ (q − mean)                                 the Q coordinates in which landmarks vary at all
    whitener · (z − A α − B β − C φ(yaw, pitch) − shift(yaw)) ~ N(0, noise(yaw) · I)

so α and β follow from regularised linear least squares. A, B, C are the *measured* responses, not the model's bases.
Landmarks of turned heads say less: by 50° their variance is ten times that of frontal ones.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ..assets.shipped import find_weights
from ..errors import AssetError
from ..io.archive import read_arrays, require_format, with_names
from .model import FaceModel, PointEmbedding

FORMAT_VERSION = 2
FILE_NAME = "landmark_calibration.npz"
POINTS = 478
POSE_TERMS = 7
_REMEDY = "Install the FaceDetail extension again; its zip carries this file."
_HALF = ("directions",)
_OLDER_NAMES = {"spread": "sigma", "mean_spread": "mean_sigma"}


@dataclass(frozen=True)
class LandmarkCalibration:
    """The landmarks of one landmarker measured against one face model; lengths in mm, head frame.

    Attributes:
        model_name: the face model it belongs to.
        model_fingerprint: that model's :meth:`~.model.FaceModel.fingerprint`.
        samples: how many synthetic heads were measured.
        embedding: where the 478 points lie on the model (skin; the ten iris points on the eyeballs).
        offset: (478, 3) float32, the bias: mean of landmark minus embedded point of the true posed head.
        sigma: (478,) float32, root mean square of the landmark's remaining error in the picture plane.
        mean: (478, 3) float32, mean normalised landmarks; also the reference they are normalised to.
        mean_sigma: (478,) float32, root mean square distance of normalised landmarks from ``mean``.
        directions: (1434, Q) float32, principal directions of normalised landmarks, orthonormal columns.
        deviation: (Q,) float32, standard deviation along them.
        whitener: (Q, Q) float32, lower triangle, see above.
        alpha_response: (Q, K) float32. beta_response: (Q, E) float32. pose_response: (Q, 7) float32, for
            :func:`pose_terms`.
        yaw_knots: (Y,) float32 radians, ascending: yaws at which the following two were measured, on dressed heads.
        yaw_noise: (Y,) float32 ≥ 1, how many times the frontal variance landmarks vary by there.
        yaw_shift: (Q, Y) float32, what they are off by there in the mean.
        contour: (C,) int32 landmarks on the outline of the face.
        contour_paths: C·M points, for each contour landmark M points from its embedding towards the middle of the face.
    """

    model_name: str
    model_fingerprint: str
    samples: int
    embedding: PointEmbedding
    offset: np.ndarray
    sigma: np.ndarray
    mean: np.ndarray
    mean_sigma: np.ndarray
    directions: np.ndarray
    deviation: np.ndarray
    whitener: np.ndarray
    alpha_response: np.ndarray
    beta_response: np.ndarray
    pose_response: np.ndarray
    yaw_knots: np.ndarray
    yaw_noise: np.ndarray
    yaw_shift: np.ndarray
    contour: np.ndarray
    contour_paths: PointEmbedding

    def noise_at(self, yaw: float) -> tuple[float, np.ndarray]:
        """How many times the frontal variance landmarks vary by at a yaw (radians), and (Q,) what they are off by.

        Between two knots the variance changes by equal ratios; beyond the last it is the last one's.
        """
        knots = self.yaw_knots.astype(np.float64)
        above = int(np.clip(np.searchsorted(knots, yaw), 1, len(knots) - 1))
        share = float(np.clip((yaw - knots[above - 1]) / (knots[above] - knots[above - 1]), 0, 1))
        sides = np.array([1 - share, share])
        variance = float(np.exp(np.log(self.yaw_noise[above - 1 : above + 1].astype(np.float64)) @ sides))
        return variance, self.yaw_shift[:, above - 1 : above + 1].astype(np.float64) @ sides

    def require_model(self, model: FaceModel) -> None:
        """Raises AssetError where the calibration cannot belong to ``model``."""
        fits = (
            self.model_name == model.name
            and self.alpha_response.shape[1] == len(model.identity_basis)
            and self.beta_response.shape[1] == len(model.expression_basis)
            and self.model_fingerprint == model.fingerprint()
        )
        if not fits:
            raise AssetError(
                f"The landmark calibration was measured for another face model than “{model.name}”.",
                "Install FaceDetail again, or run python -m scripts.training.landmark_calibration for it.",
            )


def pose_terms(yaw: float, pitch: float) -> np.ndarray:
    """(7,) the functions of the pose (radians) that shift landmarks: 1, y, p, y², p², yp, y³."""
    return np.array([1, yaw, pitch, yaw * yaw, pitch * pitch, yaw * pitch, yaw**3])


def save_calibration(path: Path, calibration: LandmarkCalibration) -> None:
    """Write a calibration as npz; directions as half floats, all else as it is."""
    arrays: dict[str, np.ndarray] = {"format_version": np.int32(FORMAT_VERSION)}
    for field in fields(calibration):
        value = getattr(calibration, field.name)
        if isinstance(value, PointEmbedding):
            arrays[f"{field.name}.vertices"] = value.vertices.astype(np.int32)
            arrays[f"{field.name}.weights"] = value.weights.astype(np.float32)
        elif isinstance(value, np.ndarray):
            half = field.name in _HALF
            arrays[field.name] = value.astype(np.float16 if half else value.dtype)
        else:
            arrays[field.name] = np.array(value)
    np.savez_compressed(path, **arrays)


def load_calibration(path: Path | None = None) -> LandmarkCalibration:
    """Read a calibration; without a path the shipped one.

    Raises:
        AssetError: missing, of another format, or with arrays of wrong shape or non-finite values.
    """
    path = path or find_weights(FILE_NAME)
    try:
        arrays = with_names(read_arrays(path), _OLDER_NAMES)
        arrays = _with_yaw(arrays)
        require_format(arrays, FORMAT_VERSION)
        calibration = _decode(arrays)
    except (ValueError, KeyError) as error:
        raise AssetError(f"The landmark calibration {path} cannot be read: {error}.", _REMEDY) from error
    _check(calibration, path)
    return calibration


def _with_yaw(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Calibrations of format 1, of models imported before turned heads were measured, know of no difference."""
    if "format_version" not in arrays or int(arrays["format_version"]) != 1:
        return arrays
    quarter = np.float32(np.pi / 2)
    return arrays | {
        "format_version": np.int32(FORMAT_VERSION),
        "yaw_knots": np.array([-quarter, quarter]),
        "yaw_noise": np.ones(2, np.float32),
        "yaw_shift": np.zeros((len(arrays["deviation"]), 2), np.float32),
    }


def _decode(arrays: dict[str, np.ndarray]) -> LandmarkCalibration:
    values = {}
    for field in fields(LandmarkCalibration):
        if field.type in (PointEmbedding, "PointEmbedding"):
            values[field.name] = PointEmbedding(arrays[f"{field.name}.vertices"], arrays[f"{field.name}.weights"])
        elif field.type in (str, int):
            values[field.name] = field.type(arrays[field.name])
        else:
            value = arrays[field.name]
            values[field.name] = value.astype(np.float32) if value.dtype == np.float16 else value
    return LandmarkCalibration(**values)


def _check(c: LandmarkCalibration, path: Path) -> None:
    count = len(c.deviation)
    floats = [getattr(c, f.name) for f in fields(c)]
    finite = all(np.isfinite(a).all() for a in floats if isinstance(a, np.ndarray) and a.dtype.kind == "f")
    shapes = (
        c.offset.shape == c.mean.shape == (POINTS, 3)
        and c.sigma.shape == c.mean_sigma.shape == (POINTS,)
        and c.embedding.vertices.shape == c.embedding.weights.shape == (POINTS, 3)
        and c.directions.shape == (3 * POINTS, count)
        and c.whitener.shape == (count, count)
        and len(c.alpha_response) == len(c.beta_response) == count
        and c.yaw_knots.ndim == 1
        and len(c.yaw_knots) == len(c.yaw_noise) > 1
        and (np.diff(c.yaw_knots) > 0).all()
        and c.yaw_noise.min() >= 1
        and c.yaw_shift.shape == (count, len(c.yaw_knots))
        and c.pose_response.shape == (count, POSE_TERMS)
        and len(c.contour) > 0
        and len(c.contour_paths.vertices) % len(c.contour) == 0
    )
    if not (finite and shapes and c.contour.min() >= 0 and c.contour.max() < POINTS and c.deviation.min() > 0):
        raise AssetError(f"The landmark calibration {path} holds wrong shapes or values.", _REMEDY)
