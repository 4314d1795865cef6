# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a picture shows, as a descriptor that can be differentiated with respect to the picture."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from ...assets.shipped import WEIGHTS_DIR, find_weights
from ...io.networks import load_network, one_thread
from .recognition_net import CHIP_PX, RecognitionNet

RECOGNITION_WEIGHTS = "face_recognition.safetensors"
FIVE_OF_68 = (45, 42, 36, 39, 33)
"""Outer and inner corner of the subject's left eye, of the right eye, base of the nose, among iBUG's 68."""
_PLACES = (
    (0.8595674595992, 0.2134981538014), (0.6460604764104, 0.2289674387677), (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242), (0.4901123135679, 0.6277975316475),
)  # fmt: skip
"""Where dlib puts these five points, in widths of a chip without padding."""
_PADDING = 0.25  # chip widths around it on each side
_MOST_SAMPLES = 8  # along each side of a chip's pixel; a face 12 times as large as the chip is still averaged closely
_CONTENT_STAGES = slice(1, 4)


@dataclass(frozen=True)
class Recognition:
    """The face recognition network and its chips.

    Its descriptors are compared by Euclidean distance; what distances mean is told by the model card,
    ``docs/model_cards/face_recognition.md``.
    """

    network: RecognitionNet

    @classmethod
    def load(cls, directory: Path = WEIGHTS_DIR) -> "Recognition":
        """The shipped weights.

        Raises:
            AssetError: the weight file is missing or damaged.
        """
        return cls(load_network(RecognitionNet(), find_weights(RECOGNITION_WEIGHTS, directory)))

    def embed(self, pictures: torch.Tensor, points_px: torch.Tensor) -> torch.Tensor:
        """Descriptors of faces, one a picture.

        Args:
            pictures, points_px: as for :func:`face_chips`.

        Returns:
            (B, 128), with gradients if the pictures or points have them.
        """
        return self.network(face_chips(pictures, points_px))

    def describe(self, pixels: np.ndarray, landmarks68_px: np.ndarray) -> np.ndarray:
        """(128,) float32 descriptor of a face of a (H, W, 3) uint8 sRGB picture, by (68, 2) iBUG landmarks in px."""
        picture = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / np.float32(255))
        with one_thread():
            return self.embed(picture, torch.from_numpy(five_points(landmarks68_px))[None])[0].numpy()

    def content(self, pictures: torch.Tensor, points_px: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the middle of the network sees, for the content loss of GANFIT (Gecer et al. 2019, section 3.3).

        Args:
            pictures, points_px: as for :func:`face_chips`.

        Returns:
            (B, 64, 17, 17), (B, 128, 8, 8), (B, 256, 4, 4): not yet as abstract as the descriptor, no longer pixels.
        """
        return self.network.features(face_chips(pictures, points_px))[_CONTENT_STAGES]


def five_points(landmarks68_px: np.ndarray) -> np.ndarray:
    """(68, 2) iBUG landmarks, px, to the (5, 2) float32 that :func:`face_chips` takes."""
    return np.asarray(landmarks68_px, np.float32)[list(FIVE_OF_68)]


def face_chips(pictures: torch.Tensor, points_px: torch.Tensor) -> torch.Tensor:
    """Faces brought to the place and size that the network knows, by a similarity; black beyond the picture.

    Each pixel of a chip is the mean of as many bilinear samples as the picture's pixels are smaller than it, so that
    large faces do not alias.

    Args:
        pictures: (B, 3, H, W) float, sRGB 0..1. points_px: (B, 5, 2) px in the order of :data:`FIVE_OF_68`, the first
            pixel's centre at (0.5, 0.5).

    Returns:
        (B, 3, 150, 150) sRGB 0..1.
    """
    return torch.cat([_chip(*one) for one in zip(pictures, points_px.to(pictures), strict=True)])


def _chip(picture: torch.Tensor, points_px: torch.Tensor) -> torch.Tensor:
    """(1, 3, 150, 150) of one face."""
    turn, shift = _similarity(points_px)
    samples = min(max(1, math.ceil(float(turn.detach().norm()))), _MOST_SAMPLES)
    steps = (torch.arange(CHIP_PX * samples, device=picture.device, dtype=picture.dtype) + 0.5) / samples
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    at = torch.stack([turn[0] * x - turn[1] * y, turn[1] * x + turn[0] * y], dim=-1) + shift
    height, width = picture.shape[1:]
    grid = 2 * at / at.new_tensor([width, height]) - 1
    fine = F.grid_sample(picture[None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=False)
    return F.avg_pool2d(fine, samples)


def _similarity(points_px: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """From the chip to the picture, by least squares (Umeyama 1991): x_px = a · x_chip + b as complex numbers.

    Returns:
        a and b, (2,) each: real and imaginary part.
    """
    places = points_px.new_tensor(_PLACES)
    places = (places + _PADDING) / (1 + 2 * _PADDING) * CHIP_PX
    middle, middle_px = places.mean(dim=0), points_px.mean(dim=0)
    one, other = places - middle, points_px - middle_px
    real = (one * other).sum()
    imaginary = (one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum()
    turn = torch.stack([real, imaginary]) / (one**2).sum()
    turned = torch.stack([turn[0] * middle[0] - turn[1] * middle[1], turn[1] * middle[0] + turn[0] * middle[1]])
    return turn, middle_px - turned
