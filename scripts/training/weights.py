# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a network's weights as they ship."""

from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from facedetail_addon.core.assets.shipped import register_weights
from scripts.harness import whole_file


def save_network(network: nn.Module, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write weights and buffers in half precision, whole or not at all, and into the index beside them."""
    state = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    with whole_file(path) as unfinished:
        save_file({name: value.half().contiguous() for name, value in state.items()}, unfinished, metadata=metadata)
    register_weights(path)
