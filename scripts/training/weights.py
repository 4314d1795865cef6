# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a network's weights as they ship."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from facedetail_addon.core.assets.shipped import register_weights
from scripts.harness import whole_file


def save_network(network: nn.Module, path: Path, metadata: dict[str, str] | None = None, exact: bool = False) -> None:
    """Write weights and buffers in half precision, whole or not at all, and into the index beside them.

    Args:
        metadata: kept in the file. exact: in single precision if half would change any of them.
    """
    state = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    if not exact or all(torch.equal(value.half().float(), value) for value in state.values()):
        state = {name: value.half() for name, value in state.items()}
    with whole_file(path) as unfinished:
        save_file({name: value.contiguous() for name, value in state.items()}, unfinished, metadata=metadata)
    register_weights(path)
