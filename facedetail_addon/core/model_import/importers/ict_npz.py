# SPDX-License-Identifier: GPL-3.0-or-later
"""ICT-FaceKit packed in one npz file, which loads faster than its meshes.

``neutral`` (N, 3), ``identity`` (K, N, 3) and ``expression`` (E, N, 3) offsets in cm, ``expression_names`` (E,),
``faces`` and ``face_uv`` (F, 4) with −1 for triangles, ``uv`` (U, 2), ``material`` (F,), ``material_names`` (M,).
"""

from pathlib import Path

import numpy as np

from ...io.archive import declared_arrays, read_arrays
from ..external import ExternalModel, require_sound
from .ict import REMEDY, VERTICES, KitMesh, model_of_kit, parts_of_mesh, require_declared
from .source import MAX_BASES_BYTES, MAX_FACES, Progress, Source, digest

# The kinds of numbers in each array, and its shape; letters stand for lengths that agree among arrays.
_LAYOUT = {
    "neutral": ("f", ("N", 3)),
    "identity": ("f", ("K", "N", 3)),
    "expression": ("f", ("E", "N", 3)),
    "expression_names": ("U", ("E",)),
    "faces": ("iu", ("F", 4)),
    "uv": ("f", ("U", 2)),
    "face_uv": ("iu", ("F", 4)),
    "material": ("iu", ("F",)),
    "material_names": ("U", ("M",)),
}
_MAX_NAME_BYTES = 1024


def read_ict_npz(path: Path, progress: Progress) -> ExternalModel:
    """Read the packed kit.

    Raises:
        FaceModelError: what the file lacks or has wrong; nothing large is read before its declarations are checked.
    """
    source = Source(path, REMEDY)
    try:
        declared = declared_arrays(path)
        _require_layout(declared, source)
        progress("Reading the kit", 0.1)
        arrays = read_arrays(path, max_bytes=2 * MAX_BASES_BYTES)
    except ValueError as error:
        raise source.refuse(str(error)) from error
    if len(arrays["material_names"]) <= arrays["material"].max() or arrays["material"].min() < 0:
        raise source.refuse("material names materials the file does not have")
    progress("Checking the model", 0.8)
    names = {name: tuple(arrays[name].tolist()) for name in ("expression_names", "material_names")}
    mesh = KitMesh(
        neutral=arrays["neutral"].astype(np.float32),
        faces=arrays["faces"].astype(np.int64),
        uv=arrays["uv"],
        face_uv=arrays["face_uv"].astype(np.int64),
        material=arrays["material"],
        material_names=names["material_names"],
    )
    expressions = dict(zip(names["expression_names"], arrays["expression"], strict=True))
    if len(expressions) < len(names["expression_names"]):
        raise source.refuse("expression_names holds a name twice")
    model = model_of_kit(mesh, parts_of_mesh(mesh, source), arrays["identity"], expressions, digest([path]))
    require_sound(model, str(path))
    return model


def _require_layout(declared: dict[str, tuple[tuple[int, ...], np.dtype]], source: Source) -> None:
    lengths = {"N": VERTICES}
    for name, (kinds, expected) in _LAYOUT.items():
        if name not in declared:
            raise source.refuse(f"it has no array {name}, so it is not the packed ICT-FaceKit")
        shape, dtype = declared[name]
        if dtype.kind not in kinds or dtype.itemsize > (_MAX_NAME_BYTES if kinds == "U" else 8):
            raise source.refuse(f"{name} holds {dtype}, which is not what the packed ICT-FaceKit has there")
        if name == "neutral" and len(shape) == 2:
            require_declared(shape[0], 0, source)
        fits = len(shape) == len(expected) and all(
            have == lengths.setdefault(want, have) if isinstance(want, str) else have == want
            for want, have in zip(expected, shape, strict=True)
        )
        if not fits or 0 in shape:
            sides = " × ".join(str(lengths.get(side, side)) for side in expected)
            raise source.refuse(f"{name} is {' × '.join(map(str, shape))}, expected {sides}")
    require_declared(lengths["N"], lengths["K"] + lengths["E"], source)
    source.require_budget(lengths["N"], lengths["K"] + lengths["E"])
    if max(lengths["F"], lengths["U"]) > MAX_FACES:
        raise source.refuse(f"it declares {lengths['F']:,} faces and {lengths['U']:,} UV points, more than the kit has")
