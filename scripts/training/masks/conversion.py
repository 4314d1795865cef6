# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights of MediaPipe's segmentation networks, taken out of their TFLite graphs."""

from pathlib import Path
from typing import TypeVar

import torch

from scripts.training.tflite import fill, read_graph

_Network = TypeVar("_Network", bound=torch.nn.Module)


def convert(path: Path, network: _Network) -> _Network:
    """Fill a network whose modules are declared in the order in which the TFLite file computes them."""
    graph = read_graph(path)
    fill([network], [weight for operator in graph.operators for weight in graph.weights(operator)])
    return network.eval().requires_grad_(False)
