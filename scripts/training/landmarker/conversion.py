# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights of MediaPipe's networks, taken out of their TFLite graphs."""

from pathlib import Path

import numpy as np

from facedetail_addon.core.observe.landmarks.networks import FaceDetector, FaceMesh
from scripts.training.tflite import Graph, fill, read_graph


def constants_towards(graph: Graph, output: int) -> list[np.ndarray]:
    """The weights met from the picture (or from an attention window) to a tensor, in torch's layout.

    The path is walked backwards; at a residual sum it takes the convolution's side, the other side has no weights.
    """
    found, tensor = [], output
    producers = {out: operator for operator in graph.operators for out in operator.outputs}
    while tensor in producers and producers[tensor].kind != "TransformTensorBilinear":
        operator = producers[tensor]
        tensor = operator.inputs[0]
        if operator.kind == "ADD":
            tensor = next(t for t in operator.inputs if producers[t].kind == "CONV_2D")
        elif weights := graph.weights(operator):
            found += weights[::-1]
        elif operator.kind not in ("RELU", "RESHAPE", "STRIDED_SLICE", "TransformLandmarks"):
            raise ValueError(f"unexpected operator {operator.kind}")
    return found[::-1]


def convert_detector(path: Path) -> FaceDetector:
    """Read the detector's weights from its TFLite file."""
    graph, network = read_graph(path), FaceDetector().requires_grad_(False)
    fine, coarse = [network.stem, network.fine], [network.stem, network.fine, network.coarse]
    for output, heads in (
        ("regressors", (network.fine_boxes, network.coarse_boxes)),
        ("classificators", (network.fine_scores, network.coarse_scores)),
    ):
        joined = graph.producer(graph.output_names[output])
        fill([*fine, heads[0]], constants_towards(graph, joined.inputs[0]))
        fill([*coarse, heads[1]], constants_towards(graph, joined.inputs[1]))
    return network


def convert_mesh(path: Path) -> FaceMesh:
    """Read the face mesh's weights from its TFLite file. MediaPipe calls *left* what is left in the picture."""
    graph, network = read_graph(path), FaceMesh().requires_grad_(False)
    paths = {
        "output_mesh_identity": [network.stem, network.early, network.mesh],
        "output_lips": [network.lips_trunk, network.lips],
        "output_left_eye": [network.right_eye_trunk, network.right_eye],
        "output_left_iris": [network.right_eye_trunk, network.right_iris],
        "output_right_eye": [network.left_eye_trunk, network.left_eye],
        "output_right_iris": [network.left_eye_trunk, network.left_iris],
    }
    for output, modules in paths.items():
        fill(modules, constants_towards(graph, graph.output_names[output]))
    fill([network.face_flag], constants_towards(graph, graph.output_names["conv_faceflag"])[-2:])
    return network
