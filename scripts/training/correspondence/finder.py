# SPDX-License-Identifier: GPL-3.0-or-later
"""Correspondences of a face whose landmarks are known, offline: frame the head, look, frame it anew, look again."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from facedetail_addon.core.face_model.normalise import normalise_landmarks
from facedetail_addon.core.io.networks import one_thread
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.region import Region
from scripts.training.correspondence.found import Correspondences
from scripts.training.correspondence.network import INPUT, CorrespondenceNet, Found
from scripts.training.correspondence.samples import CENTRE_MM, HEAD_MM

_PASSES = 2


@dataclass(frozen=True)
class CorrespondenceFinder:
    """The network and what it is asked about.

    Attributes:
        network: with its own points on the built-in head. points_mm: (P, 3) of the mean head.
        landmarks_mm: (478, 3) the face mesh's on it, for the first framing.
    """

    network: CorrespondenceNet
    points_mm: np.ndarray
    landmarks_mm: np.ndarray

    def find(self, pixels: np.ndarray, landmarks: FaceLandmarks) -> Correspondences:
        """Look at the head around a face.

        Args:
            pixels: (H, W, 3) uint8 sRGB. landmarks: of a face in it.
        """
        face = normalise_landmarks(landmarks.mesh_px, self.landmarks_mm)
        region = _framed(face.scale, face.rotation, face.translation)
        for _ in range(_PASSES):
            found = self._look(pixels, region)
            result = _in_photo(found, region)
            region = self._reframed(result, region)
        return result

    def _look(self, pixels: np.ndarray, region: Region) -> Found:
        crop = region.crop(np.ascontiguousarray(pixels), INPUT, cv2.BORDER_REPLICATE)
        with one_thread():
            picture = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
            found = self.network(picture.contiguous(memory_format=torch.channels_last))
        return Found(*[values[0].numpy().astype(np.float64) for values in found])

    def _reframed(self, result: Correspondences, region: Region) -> Region:
        """The crop that the points ask for: their scaled orthography, with the rotation that the network saw."""
        flat = self.points_mm @ result.rotation[:2].T
        weights = 1 / np.maximum(result.sigma_px, 1e-3) ** 2
        weights /= weights.sum()
        mean, middle = weights @ flat, weights @ result.points_px
        scale = (weights @ ((flat - mean) * (result.points_px - middle)).sum(1)) / (
            weights @ ((flat - mean) ** 2).sum(1)
        )
        if not 0.5 < scale * HEAD_MM / region.side < 2:
            return region
        moved = middle + scale * (result.rotation[:2] @ CENTRE_MM - mean)
        return replace(region, center=moved, side=float(scale * HEAD_MM))


def _framed(scale: float, rotation: np.ndarray, translation: np.ndarray) -> Region:
    """A level crop: the picture of the head's own up is vertical in it."""
    center = scale * (rotation @ CENTRE_MM)[:2] + np.asarray(translation)[:2]
    up = rotation[:2] @ [0.0, 1.0, 0.0]
    return Region(center, scale * HEAD_MM, float(np.arctan2(up[0], -up[1])))


def _in_photo(found: Found, region: Region) -> Correspondences:
    turn = region.to_photo(np.array([[1.0, 0], [0, 1], [0, 0]]))
    axes = np.eye(3)
    axes[:2, :2] = (turn[:2] - turn[2]).T / region.side
    return Correspondences(
        points_px=region.to_photo(found.points).astype(np.float32),
        sigma_px=(np.exp(found.log_sigma) * region.side).astype(np.float32),
        rotation=(axes @ found.rotation).astype(np.float32),
        rotation_sigma=float(np.exp(found.rotation_log_sigma)),
        alpha=found.alpha.astype(np.float32),
        alpha_sigma=np.exp(found.alpha_log_sigma).astype(np.float32),
        beta=found.beta.astype(np.float32),
        beta_sigma=np.exp(found.beta_log_sigma).astype(np.float32),
    )
