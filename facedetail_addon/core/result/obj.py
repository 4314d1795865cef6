# SPDX-License-Identifier: GPL-3.0-or-later
"""Wavefront OBJ, for every other program."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..face_model.model import FaceModel, MeshPart


def write_obj(path: Path, model: FaceModel, vertices: np.ndarray, material_file: str) -> None:
    """Write all parts of a head with quads and UV, one object per part.

    Args:
        path: the file. model: its parts. vertices: (V, 3) mm of all parts.
        material_file: name of the MTL file beside it, which names a material for each part.

    Raises:
        OSError: the file cannot be written.
    """
    lines = ["# FaceDetail head, millimetres, +X to the subject's left, +Y up, +Z out of the face"]
    lines.append(f"mtllib {material_file}")
    uv_start = 0
    for part in model.parts:
        lines += [f"o {part.name}", f"g {part.name}", f"usemtl {part.name}"]
        lines += [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in part.of(vertices).tolist()]
        lines += [f"vt {u:.6f} {v:.6f}" for u, v in part.uv.tolist()]
        lines += _face_lines(part, uv_start)
        uv_start += len(part.uv)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_mtl(path: Path, model: FaceModel, skin_pictures: Mapping[str, str]) -> None:
    """Write the materials of :func:`write_obj`: the skin with its pictures, the other parts plain.

    Args:
        skin_pictures: file names by MTL's words: ``map_Kd`` for the albedo; of the extension for physically based
            rendering ``map_Pr`` for roughness and ``norm`` for normals; ``disp`` for heights in mm, as the vertices.
    """
    lines = []
    for part in model.parts:
        lines += [f"newmtl {part.name}", "Kd 0.8 0.8 0.8", "Ks 0 0 0"]
        if part is model.skin:
            lines += [f"{word} {name}" for word, name in skin_pictures.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _face_lines(part: MeshPart, uv_start: int) -> list[str]:
    """OBJ counts vertices and UVs from 1 through the whole file."""
    lines = []
    for (a, b, c, d), (e, f, g, h) in zip(
        (part.faces + part.start + 1).tolist(), (part.face_uv + uv_start + 1).tolist(), strict=True
    ):
        fourth = f" {d}/{h}" if d > part.start else ""  # a triangle's is −1
        lines.append(f"f {a}/{e} {b}/{f} {c}/{g}{fourth}")
    return lines
