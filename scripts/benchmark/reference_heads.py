# SPDX-License-Identifier: GPL-3.0-or-later
"""The ground truth of the benchmark: ICT-FaceKit Light as a face model with all its 100 identity modes.

It is kept apart from the built-in model on purpose: another mesh and twice the modes, so that the fit is never tested
on heads it can represent exactly. Source: USC Institute for Creative Technologies 2020, MIT licence.
"""

import json
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel, MeshPart, PointEmbedding

MM_PER_CM = 10.0
# The kit's vertex ranges: skin with mouth and eye sockets, then teeth, eyeballs, gums and tongue.
PART_RANGES = {
    "skin": (0, 14062),
    "eye_left": (21451, 23021),
    "eye_right": (23021, 24591),
    "teeth": (17039, 21451),
    "gums": (14062, 17039),
}
FACE_END, HEAD_END = 9409, 11248


def load_reference_heads(data_dir: Path) -> FaceModel:
    """The kit as a model in mm with 100 identity modes; regions are only ``face``, ``head`` and ``socket``; its eyes'
    UV has the pupil at (0.5, 0.5).

    Args:
        data_dir: the folder FACEDETAIL_DATA names.
    """
    with np.load(data_dir / "models" / "ict_facekit.npz", allow_pickle=False) as kit:
        neutral, identity, expression = (
            kit[key] * np.float32(MM_PER_CM) for key in ("neutral", "identity", "expression")
        )
        faces, names = kit["faces"], kit["expression_names"].tolist()
    vertex_names = json.loads((data_dir / "models" / "ict_facekit.vertex_indices.json").read_text(encoding="utf-8"))
    arkit = [index for index, name in enumerate(names) if not name.startswith(("Pupil", "cheekRaiser"))]
    parts, order, start = [], [], 0
    for name, (low, high) in PART_RANGES.items():
        valid = np.where(faces >= 0, faces, faces[:, :1])
        own = faces[(valid.min(1) >= low) & (valid.max(1) < high)]
        own = np.where(own >= 0, own - low, -1).astype(np.int32)
        uv = np.zeros((high - low, 2), np.float32)
        if name.startswith("eye_"):
            moved = np.linalg.norm(expression[names.index(f"PupilDilate_{name[4].upper()}")], axis=1) > 0.1
            uv = 0.5 + (neutral[low:high, :2] - neutral[moved, :2].mean(axis=0)) / 100
        material = np.zeros(len(own), np.uint8)
        parts.append(MeshPart(name, start, start + high - low, own, uv, own, material, (name.split("_")[0],)))
        order.append(np.arange(low, high))
        start += high - low
    order = np.concatenate(order)
    landmarks = np.array(vertex_names["idx_to_landmark_verts"], np.int32)
    region = np.zeros(PART_RANGES["skin"][1], np.uint8)
    region[FACE_END:HEAD_END], region[HEAD_END:] = 1, 2
    return FaceModel(
        name="ict",
        mean=neutral[order],
        identity_basis=identity[:, order],
        expression_basis=expression[arkit][:, order],
        expression_names=tuple(names[i].replace("_L", "Left").replace("_R", "Right") for i in arkit),
        parts=tuple(parts),
        landmarks68=PointEmbedding(np.stack([landmarks] * 3, 1), np.tile(np.float32([1, 0, 0]), (68, 1))),
        region_names=("face", "head", "socket"),
        region=region,
    )
