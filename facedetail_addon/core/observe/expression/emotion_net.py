# SPDX-License-Identifier: GPL-3.0-or-later
"""Emotion-Net: a small fully convolutional network that names the emotion of a face, and 128 numbers to find it by.

The "sequential fully-CNN" of Arriaga, Valdenegro-Toro and Plöger (2017, section III) as Chen et al. (ICCV 2019,
section 3.2) use it: no fully connected layers, batch norm after each convolution, global average pooling. Ours halves
the picture with strides and keeps 3×3 kernels.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...assets.shipped import WEIGHTS_DIR, find_weights
from ...io.networks import load_network, one_thread
from .types import EMOTIONS

INPUT = 48
FEATURES = 128
WEIGHTS = "emotion_net.safetensors"
# Flat crops (standard deviation below so many grey levels) are not stretched to noise.
_MIN_CONTRAST = 4.0


class EmotionNet(nn.Module):
    """(B, 1, 48, 48) standardised grey to (B, 7) logits and (B, 128) features."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(1, 32), _convolution(32, 64, stride=2),
            _convolution(64, 64), _convolution(64, 128, stride=2),
            _convolution(128, 128), _convolution(128, 128), _convolution(128, 256, stride=2),
            _convolution(256, 256), _convolution(256, FEATURES),
        )  # fmt: skip
        self.dropout = nn.Dropout(0.4)
        self.classify = nn.Linear(FEATURES, len(EMOTIONS))

    def forward(self, faces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.layers(faces).mean((2, 3))  # (B, 128, 6, 6) -> (B, 128)
        return self.classify(self.dropout(features)), features


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def standardise(crops: torch.Tensor) -> torch.Tensor:
    """(B, 48, 48) grey of 0..255 to (B, 1, 48, 48) of mean 0 and deviation 1, crop by crop."""
    crops = crops.float().unsqueeze(1)
    deviation = crops.std((2, 3), keepdim=True).clamp_min(_MIN_CONTRAST)
    return (crops - crops.mean((2, 3), keepdim=True)) / deviation


def load_emotion_net(directory: Path = WEIGHTS_DIR) -> EmotionNet:
    """Emotion-Net with the shipped weights, ready for use.

    Args:
        directory: where they lie.

    Raises:
        AssetError: the weight file is missing or damaged.
    """
    return load_network(EmotionNet(), find_weights(WEIGHTS, directory))


def read_emotions(network: EmotionNet, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (B, 7) and features (B, 128), float32, of (B, 48, 48) uint8 grey crops.

    Each is the mean of the crop and its mirror image, so that left and right do not matter.
    """
    with one_thread():
        faces = standardise(torch.from_numpy(np.ascontiguousarray(crops)))
        logits, features = network(torch.cat([faces, faces.flip(3)]).to(memory_format=torch.channels_last))
        both = logits.softmax(1).view(2, len(crops), -1).mean(0), features.view(2, len(crops), -1).mean(0)
    return both[0].numpy(), both[1].numpy()
