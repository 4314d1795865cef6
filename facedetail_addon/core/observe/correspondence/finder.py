# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of the whole head around a face whose landmarks are known, offline: frame it, look, frame it anew, look again.

The first frame is that of the landmarks' similarity, the second that of the points themselves.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from ...assets.shipped import WEIGHTS_DIR, find_weights
from ...face_model.canonical_points import CanonicalPoints, load_canonical_points
from ...face_model.normalise import normalise_landmarks
from ...io.networks import load_network, one_thread
from ..landmarks.types import FaceLandmarks
from ..region import Region
from .network import INPUT, CorrespondenceNet, Found
from .types import Correspondences

WEIGHTS = "correspondence_net.safetensors"
HEAD_MM = 300.0
"""What the crop shows across at the head's own depth: crown, chin and both ears with some room."""
CENTRE_MM = (0.0, 22.0, 20.0)
"""Its middle in the head frame."""
_LOG_SIGMA = (-6.5, 3.0)  # as far as the network was taught to tell
_RESIZED, _MOVED = 2.0, 0.5  # the second frame beside the first; farther off the points are no head's


@dataclass(frozen=True)
class CorrespondenceFinder:
    """The network and what it is asked about."""

    network: CorrespondenceNet
    points: CanonicalPoints

    @classmethod
    def load(cls, directory: Path = WEIGHTS_DIR) -> "CorrespondenceFinder":
        """The shipped weights.

        Raises:
            AssetError: a file is missing or damaged.
        """
        network = load_network(CorrespondenceNet(), find_weights(WEIGHTS, directory))
        return cls(network, load_canonical_points(directory))

    def find(self, pixels: np.ndarray, landmarks: FaceLandmarks) -> Correspondences:
        """Look at the head around a face.

        Args:
            pixels: (H, W, 3) uint8 sRGB. landmarks: of a face in it.
        """
        face = normalise_landmarks(landmarks.mesh_px, self.points.landmarks_mm)
        region = _framed(face.scale, face.rotation, face.translation)
        return self.look_in(pixels, self.look_in(pixels, region)[1])[0]

    def look_in(self, pixels: np.ndarray, region: Region) -> tuple[Correspondences, Region]:
        """One look at a region of a photo that shows a head, and the region that its points ask for."""
        found = _in_photo(self._look(pixels, region), region)
        return found, self._reframed(found, region)

    def _look(self, pixels: np.ndarray, region: Region) -> Found:
        crop = region.crop(np.ascontiguousarray(pixels), INPUT, cv2.BORDER_REPLICATE)
        with one_thread():
            picture = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
            found = self.network(picture.contiguous(memory_format=torch.channels_last))
        return Found(*[values[0].numpy().astype(np.float64) for values in found])

    def _reframed(self, result: Correspondences, region: Region) -> Region:
        """The crop that the points ask for: their scaled orthography, with the rotation that the network saw."""
        scale, mean, middle = result.placed(self.points.points_mm)
        center = middle + scale * (result.rotation[:2] @ CENTRE_MM - mean)
        resized, moved = scale * HEAD_MM / region.side, np.linalg.norm(center - region.center) / region.side
        if not (1 / _RESIZED < resized < _RESIZED and moved < _MOVED):
            return region
        return replace(region, center=center, side=float(scale * HEAD_MM))


def _framed(scale: float, rotation: np.ndarray, translation: np.ndarray) -> Region:
    """A level crop: the picture of the head's own up is vertical in it."""
    center = scale * (rotation @ CENTRE_MM)[:2] + np.asarray(translation)[:2]
    up = rotation[:2] @ [0.0, 1.0, 0.0]
    return Region(center, scale * HEAD_MM, float(np.arctan2(up[0], -up[1])))


def _in_photo(found: Found, region: Region) -> Correspondences:
    turn = region.to_photo(np.array([[1.0, 0], [0, 1], [0, 0]]))
    axes = np.eye(3)
    axes[:2, :2] = (turn[:2] - turn[2]).T / region.side

    def sigma(logarithm: np.ndarray) -> np.ndarray:
        return np.exp(logarithm.clip(*_LOG_SIGMA)).astype(np.float32)

    return Correspondences(
        points_px=region.to_photo(found.points).astype(np.float32),
        sigma_px=sigma(found.log_sigma) * np.float32(region.side),
        rotation=(axes @ found.rotation).astype(np.float32),
        rotation_sigma=float(sigma(found.rotation_log_sigma)),
        alpha=found.alpha.astype(np.float32),
        alpha_sigma=sigma(found.alpha_log_sigma),
        beta=found.beta.astype(np.float32),
        beta_sigma=sigma(found.beta_log_sigma),
    )
