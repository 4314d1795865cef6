# SPDX-License-Identifier: GPL-3.0-or-later
"""Just enough of a reader for TensorFlow Lite files to walk a graph and move its constants into torch modules.

A TFLite file is a FlatBuffer (https://flatbuffers.dev/internals): tables point to a list of field offsets. The field
numbers below are those of TensorFlow's ``schema.fbs``.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

_OPERATORS = {0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 6: "DEQUANTIZE",
              14: "LOGISTIC", 17: "MAX_POOL_2D", 18: "MUL", 19: "RELU", 22: "RESHAPE", 23: "RESIZE_BILINEAR",
              32: "CUSTOM", 34: "PAD", 45: "STRIDED_SLICE", 54: "PRELU", 117: "HARD_SWISH"}  # fmt: skip
_TORCH_ORDER = {  # of a convolution's weights: OHWI, 1HWC and OHWI to OIHW, and for transposed ones to IOHW
    "CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "Convolution2DTransposeBias": (3, 0, 1, 2),
}  # fmt: skip
_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}


@dataclass(frozen=True)
class Operator:
    """One node: ``kind`` is the built-in's or the custom operator's name; inputs and outputs are tensor numbers."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """Constants by tensor number (half-precision ones listed under the tensor they are widened to) and nodes."""

    operators: tuple[Operator, ...]
    constants: dict[int, np.ndarray]
    output_names: dict[str, int]

    def producer(self, tensor: int) -> Operator:
        """The node that computes a tensor."""
        return next(operator for operator in self.operators if tensor in operator.outputs)

    def weights(self, operator: Operator) -> list[np.ndarray]:
        """A node's weights in the order and layout of its torch module's parameters; none for most kinds."""
        if operator.kind in _TORCH_ORDER:
            weight, bias = (self.constants[tensor] for tensor in operator.inputs[1:])
            return [weight.transpose(_TORCH_ORDER[operator.kind]), bias]
        return [self.constants[operator.inputs[1]].ravel()] if operator.kind == "PRELU" else []


class _Table:
    """A FlatBuffer table: fields by number."""

    def __init__(self, data: bytes, position: int):
        self.data, self.position = data, position
        self.fields = position - struct.unpack_from("<i", data, position)[0]

    def _field(self, number: int) -> int | None:
        entry = 4 + 2 * number
        if entry >= struct.unpack_from("<H", self.data, self.fields)[0]:
            return None
        offset = struct.unpack_from("<H", self.data, self.fields + entry)[0]
        return self.position + offset if offset else None

    def scalar(self, number: int, fmt: str) -> int:
        where = self._field(number)
        return struct.unpack_from("<" + fmt, self.data, where)[0] if where is not None else 0

    def _vector(self, number: int) -> tuple[int, int]:
        where = self._field(number)
        if where is None:
            return 0, 0
        start = where + struct.unpack_from("<I", self.data, where)[0]
        return struct.unpack_from("<I", self.data, start)[0], start + 4

    def numbers(self, number: int, dtype=np.int32) -> np.ndarray:
        count, start = self._vector(number)
        return np.frombuffer(self.data, dtype, count, start)

    def text(self, number: int) -> str:
        return self.numbers(number, np.uint8).tobytes().decode()

    def tables(self, number: int) -> list["_Table"]:
        count, start = self._vector(number)
        places = [start + 4 * i for i in range(count)]
        return [_Table(self.data, p + struct.unpack_from("<I", self.data, p)[0]) for p in places]


def read_graph(path: Path) -> Graph:
    """Read the (only) graph of a TFLite file.

    Raises:
        ValueError: the file is not TFLite.
    """
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ValueError(f"{path} is not a TensorFlow Lite file")
    model = _Table(data, struct.unpack_from("<I", data, 0)[0])
    kinds = []
    for code in model.tables(1):
        builtin = max(code.scalar(0, "b"), code.scalar(3, "i"))
        kinds.append(code.text(1) if _OPERATORS[builtin] == "CUSTOM" else _OPERATORS[builtin])
    graph, buffers = model.tables(2)[0], model.tables(4)
    tensors = graph.tables(0)
    operators = [
        Operator(kinds[node.scalar(0, "I")], tuple(node.numbers(1).tolist()), tuple(node.numbers(2).tolist()))
        for node in graph.tables(3)
    ]
    constants = {}
    for number, tensor in enumerate(tensors):
        dtype = _TYPES[tensor.scalar(1, "b")]
        values = buffers[tensor.scalar(2, "I")].numbers(0, np.uint8)
        if len(values):
            constants[number] = np.frombuffer(values.tobytes(), dtype).reshape(tensor.numbers(0))
    for operator in operators:
        if operator.kind == "DEQUANTIZE" and operator.inputs[0] in constants:
            constants[operator.outputs[0]] = constants[operator.inputs[0]]
    names = {tensors[number].text(3): int(number) for number in graph.numbers(2)}
    return Graph(tuple(operators), constants, names)


def fill(modules: Iterable[torch.nn.Module], constants: Sequence[np.ndarray]) -> None:
    """Copy constants into the parameters of modules, in order; every shape and the total count must agree."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    if len(parameters) != len(constants):
        raise ValueError(f"{len(constants)} constants for {len(parameters)} parameters")
    with torch.no_grad():
        for parameter, constant in zip(parameters, constants, strict=True):
            if parameter.shape != constant.shape:
                raise ValueError(f"constant of shape {constant.shape} for a parameter of shape {parameter.shape}")
            parameter.copy_(torch.from_numpy(constant.astype(np.float32)))


def interpret(model: bytes, values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What TensorFlow Lite's own interpreter (``pip install ai-edge-litert``) makes of float32 inputs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(detail["index"], np.ascontiguousarray(value, np.float32))
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
