# SPDX-License-Identifier: GPL-3.0-or-later
"""How the heads of people who look like this are shaped: the mean of α's prior, from the face recognition descriptor.

Landmarks tell little of jaws, brow ridges and cheeks, and a fit that is in doubt stays at the mean head. People whose
faces look alike are shaped alike, so the mean of those is the better doubt: an empirical Bayes prior (Efron and Morris
1973), a regression learned from photos by expectation and maximisation.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...assets.shipped import WEIGHTS_DIR, find_weights
from ...errors import AssetError
from ...face_model.model import FaceModel
from ...image import smoothstep
from ...io.archive import read_arrays, require_format
from ..landmarks.types import FaceLandmarks
from .recognition import Recognition
from .recognition_net import DESCRIPTOR

FILE_NAME = "identity_prior.npz"
FORMAT_VERSION = 2
_REMEDY = "Install the FaceDetail extension again; its zip carries this file."
_ARRAYS = ("mean", "axes", "slopes", "smile")
_TURNED_DEG = (30.0, 60.0)  # of yaw, from which on a descriptor says less, and nothing
_MOST_SIGMA = 2.5  # of each coordinate of descriptors; beyond, nobody was learned from


@dataclass(frozen=True)
class IdentityRegression:
    """A linear map from descriptors to α of the built-in head.

    Attributes:
        model_fingerprint: of that head.
        mean: (128,) float32 descriptor. axes: (P, 128) float32, their principal components over σ of the people.
        slopes: (P, K) float32, of α in σ units; people like the mean descriptor have the mean head.
        smile: (K,) float32 σ that fits to people who smile in full take for their α: what the drawn smiles lack.
    """

    model_fingerprint: str
    mean: np.ndarray
    axes: np.ndarray
    slopes: np.ndarray
    smile: np.ndarray

    def coordinates(self, descriptors: np.ndarray) -> np.ndarray:
        """(..., P) in σ of (..., 128) descriptors, limited to what was learned from."""
        return ((descriptors - self.mean) @ self.axes.T).clip(-_MOST_SIGMA, _MOST_SIGMA)

    def alpha(self, descriptors: np.ndarray) -> np.ndarray:
        """(..., K) mean of α for (..., 128) descriptors."""
        return self.coordinates(descriptors) @ self.slopes


def save_identity_regression(path: Path, regression: IdentityRegression) -> None:
    """Write an npz file; the same numbers give the same bytes."""
    arrays = {name: getattr(regression, name).astype(np.float32) for name in _ARRAYS}
    with open(path, "wb") as stream:
        np.savez(
            stream,
            format_version=np.int32(FORMAT_VERSION),
            model_fingerprint=np.array(regression.model_fingerprint),
            **arrays,
        )


def load_identity_regression(directory: Path = WEIGHTS_DIR) -> IdentityRegression:
    """The shipped one.

    Raises:
        AssetError: the file is missing, damaged, of another format, or holds wrong shapes or values.
    """
    path = find_weights(FILE_NAME, directory)
    try:
        arrays = read_arrays(path)
        require_format(arrays, FORMAT_VERSION)
        found = IdentityRegression(str(arrays["model_fingerprint"]), *(arrays[name] for name in _ARRAYS))
    except (ValueError, KeyError) as error:
        raise AssetError(f"The identity prior {path} cannot be read: {error}.", _REMEDY) from error
    whole = found.mean.shape == (DESCRIPTOR,) and found.axes.ndim == 2 and found.axes.shape[1] == DESCRIPTOR
    whole = whole and found.slopes.ndim == 2 and len(found.slopes) == len(found.axes)
    whole = whole and found.smile.shape == found.slopes.shape[1:]
    if not whole or not all(np.isfinite(getattr(found, name)).all() for name in _ARRAYS):
        raise AssetError(f"The identity prior {path} holds wrong shapes or values.", _REMEDY)
    return found


@dataclass(frozen=True)
class IdentityReader:
    """Recognition network and regression."""

    recognition: Recognition
    regression: IdentityRegression

    @classmethod
    def load(cls, model: FaceModel, directory: Path = WEIGHTS_DIR) -> "IdentityReader | None":
        """For the head that was learned; None for imported and new ones, whose α mean other things.

        Raises:
            AssetError: a file is missing or damaged.
        """
        regression = load_identity_regression(directory)
        if model.fingerprint() != regression.model_fingerprint:
            return None
        return cls(Recognition.load(directory), regression)

    def alpha_prior(self, pixels: np.ndarray, landmarks: FaceLandmarks) -> np.ndarray:
        """(K,) float32 mean of α's prior; towards the mean head, which is 0, the more the face is turned away.

        Args:
            pixels: (H, W, 3) uint8 sRGB. landmarks: of a face in it.
        """
        turned = abs(landmarks.yaw_deg) if landmarks.seen else _TURNED_DEG[1]
        share = 1 - smoothstep(turned, *_TURNED_DEG)
        if share == 0:
            return np.zeros(self.regression.slopes.shape[1], np.float32)
        descriptor = self.recognition.describe(pixels, landmarks.sparse_px)
        return (share * self.regression.alpha(descriptor)).astype(np.float32)
