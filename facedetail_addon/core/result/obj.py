# SPDX-License-Identifier: GPL-3.0-or-later
"""Wavefront OBJ, for every other program."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..face_model.model import FaceModel, MeshPart


def write_objs(files: Mapping[Path, np.ndarray], model: FaceModel, material_file: str) -> None:
    """Write all parts of a head with quads and UV, one object per part, in one or several shapes.

    Args:
        files: (V, 3) mm of all parts by the file. model: its parts.
        material_file: name of the MTL file beside it, which names a material for each part.

    Raises:
        OSError: a file cannot be written.
    """
    head = "# FaceDetail head, millimetres, +X to the subject's left, +Y up, +Z out of the face\n"
    begun = {path: [f"{head}mtllib {material_file}\n"] for path in files}
    uv_start = 0
    for part in model.parts:
        same = _lines("vt %.6f %.6f\n", part.uv) + _face_lines(part, uv_start)
        for path, vertices in files.items():
            begun[path] += [f"o {part.name}\ng {part.name}\nusemtl {part.name}\n"]
            begun[path] += [_lines("v %.5f %.5f %.5f\n", part.of(vertices)), same]
        uv_start += len(part.uv)
    for path, texts in begun.items():
        path.write_text("".join(texts), encoding="utf-8")


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


def _face_lines(part: MeshPart, uv_start: int) -> str:
    """OBJ counts vertices and UVs from 1 through the whole file."""
    corners = np.stack([part.faces + part.start + 1, part.face_uv + uv_start + 1], axis=-1)
    quads = part.faces[:, 3] >= 0
    bounds = np.flatnonzero(np.diff(quads, prepend=~quads[:1], append=~quads[-1:]))
    kinds = {True: "f %d/%d %d/%d %d/%d %d/%d\n", False: "f %d/%d %d/%d %d/%d\n"}
    runs = (
        (kinds[bool(quads[first])], corners[first:last, : 4 if quads[first] else 3])
        for first, last in zip(bounds[:-1], bounds[1:], strict=True)
    )
    return "".join(_lines(pattern, rows) for pattern, rows in runs)


def _lines(pattern: str, rows: np.ndarray) -> str:
    """One line for each row."""
    return (pattern * len(rows)) % tuple(rows.ravel().tolist())
