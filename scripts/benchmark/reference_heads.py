# SPDX-License-Identifier: GPL-3.0-or-later
"""The ground truth of the benchmark: ICT-FaceKit Light as a face model with all its 100 identity modes.

It is kept apart from the built-in model on purpose: another mesh and twice the modes, so that the fit is never tested
on heads it can represent exactly. Source: USC Institute for Creative Technologies 2020, MIT licence.
"""

from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel, MeshPart, PointEmbedding
from scripts.training.face_model.source import FACE_STOP, HEAD_STOP, PART_RANGES, SKIN_STOP, load_source


def load_reference_heads(data_dir: Path) -> FaceModel:
    """The kit as a model in mm with 100 identity modes; regions are only ``face``, ``head`` and ``socket``; its eyes'
    UV has the pupil at (0.5, 0.5).

    Args:
        data_dir: the folder FACEDETAIL_DATA names.
    """
    source = load_source(data_dir / "models")
    faces, parts, order, start = source.faces, [], [], 0
    for name, (low, high) in {"skin": (0, SKIN_STOP), **PART_RANGES}.items():
        valid = np.where(faces >= 0, faces, faces[:, :1])
        own = faces[(valid.min(1) >= low) & (valid.max(1) < high)]
        own = np.where(own >= 0, own - low, -1).astype(np.int32)
        uv = np.zeros((high - low, 2), np.float32)
        if name in source.pupils:
            uv = 0.5 + (source.neutral[low:high, :2] - source.pupils[name][:2]) / 100
        material = np.zeros(len(own), np.uint8)
        parts.append(MeshPart(name, start, start + high - low, own, uv, own, material, (name.split("_")[0],)))
        order.append(np.arange(low, high))
        start += high - low
    order = np.concatenate(order)
    landmarks = source.landmarks68.astype(np.int32)
    region = np.zeros(SKIN_STOP, np.uint8)
    region[FACE_STOP:HEAD_STOP], region[HEAD_STOP:] = 1, 2
    return FaceModel(
        name="ict",
        mean=source.neutral[order],
        identity_basis=source.identity[:, order],
        expression_basis=source.expression[:, order],
        expression_names=source.expression_names,
        parts=tuple(parts),
        landmarks68=PointEmbedding(np.stack([landmarks] * 3, 1), np.tile(np.float32([1, 0, 0]), (68, 1))),
        region_names=("face", "head", "socket"),
        region=region,
    )
