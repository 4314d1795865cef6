# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights of dlib's face recognition network, taken out of their arrays."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.observe.identity.recognition_net import RecognitionNet


def convert(path: Path) -> RecognitionNet:
    """The network with a file's weights.

    Args:
        path: an npz with, of each convolution ``cN`` in the order of computation, ``.w`` (out, in, height, width),
            ``.b``, and ``.gamma``, ``.beta`` of the affine layer behind it, (out,) each; and ``fc``, (256, 128).

    Raises:
        AssetError: the file is missing, or holds other arrays.
    """
    network = RecognitionNet()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    try:
        with np.load(path) as arrays, torch.no_grad():
            for number, convolution in enumerate(convolutions):
                weight, bias, gamma, beta = (
                    torch.from_numpy(arrays[f"c{number}.{name}"]).float() for name in ("w", "b", "gamma", "beta")
                )
                _fill(convolution.weight, weight * gamma[:, None, None, None])
                _fill(convolution.bias, bias * gamma + beta)
            _fill(network.describe.weight, torch.from_numpy(arrays["fc"]).float().T)
    except (OSError, BadZipFile, KeyError, ValueError) as error:
        raise AssetError(
            f"{path} does not hold the face recognition network: {error}.", "Give the file by --arrays."
        ) from error
    return network.eval().requires_grad_(False)


def _fill(parameter: nn.Parameter, values: torch.Tensor) -> None:
    if parameter.shape != values.shape:
        raise ValueError(f"an array of shape {tuple(values.shape)} where {tuple(parameter.shape)} is due")
    parameter.copy_(values)
