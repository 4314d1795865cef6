# SPDX-License-Identifier: GPL-3.0-or-later
"""What all networks need: their weights from a file, TensorFlow's padding, and torch on one thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch.nn import functional as F

from ..errors import AssetError


def load_network(network: torch.nn.Module, path: Path) -> torch.nn.Module:
    """The network with the weights of a safetensors file, in single precision and ready for use.

    Raises:
        AssetError: the file does not fit the network.
    """
    try:
        network.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    except (SafetensorError, RuntimeError) as error:
        raise AssetError(
            f"The weight file {path} does not fit this version of FaceDetail.",
            "Install the FaceDetail extension again.",
        ) from error
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def read_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself.

    Raises:
        AssetError: it is no such file.
    """
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise AssetError(
            f"The weight file {path} cannot be read.", "Install the FaceDetail extension again."
        ) from error


def pad_same(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Zero padding so that the size is divided by ``stride``; an odd remainder goes to the right and bottom."""
    total = kernel - stride
    return F.pad(x, (total // 2, total - total // 2, total // 2, total - total // 2))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread (fastest for networks this small) without gradients; gives the caller's setting back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
