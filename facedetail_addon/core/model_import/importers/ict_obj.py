# SPDX-License-Identifier: GPL-3.0-or-later
"""ICT-FaceKit from the folder FaceXModel of its repository: one OBJ file for every shape.

``generic_neutral_mesh.obj`` has the mesh with UV and materials; ``identity000.obj`` … and one file for each expression,
named after it, have the same vertices elsewhere. Expressions may be missing.
"""

from pathlib import Path

import numpy as np

from ..external import UNKNOWN, ExternalModel, require_sound
from .ict import ARKIT_NAMES, REMEDY, VERTICES, KitMesh, model_of_kit, parts_of_mesh, require_declared
from .source import MAX_FACES, Progress, Source, digest

NEUTRAL = "generic_neutral_mesh.obj"
FOLDER = "FaceXModel"
_MAX_OBJ_BYTES = 64 << 20


def kit_folder(folder: Path) -> Path | None:
    """The folder with the neutral mesh: ``folder`` itself or its ``FaceXModel``; None where there is none."""
    return next((place for place in (folder, folder / FOLDER) if (place / NEUTRAL).is_file()), None)


def ict_obj_files(folder: Path) -> list[Path]:
    """The neutral mesh, the identities without gaps, and what there is of ARKit's expressions.

    Raises:
        FaceModelError: an identity is missing.
    """
    expressions = [path for name in sorted(ARKIT_NAMES) if (path := folder / f"{name}.obj").is_file()]
    return [folder / NEUTRAL, *_identities(folder), *expressions]


def read_ict_obj(folder: Path, progress: Progress) -> ExternalModel:
    """Read the meshes of :func:`kit_folder`.

    Raises:
        FaceModelError: which file is missing or is not a mesh of the kit.
    """
    source = Source(folder, REMEDY)
    neutral, *others = files = ict_obj_files(folder)
    identities = sum(path.stem.startswith("identity") for path in others)
    require_declared(VERTICES, len(others), source)
    mesh = _read_mesh(Source(neutral, REMEDY))
    parts = parts_of_mesh(mesh, Source(neutral, REMEDY))
    shapes = np.empty((len(others), VERTICES, 3), np.float32)
    for index, path in enumerate(others):
        progress(f"Reading {path.name}", index / len(files))
        shapes[index] = _vertices(_lines(Source(path, REMEDY)), Source(path, REMEDY)) - mesh.neutral
    progress("Checking the model", len(others) / len(files))
    expressions = {path.stem: shapes[index] for index, path in enumerate(others) if index >= identities}
    model = model_of_kit(mesh, parts, shapes[:identities], expressions, digest(files))
    require_sound(model, str(folder))
    return model


def _identities(folder: Path) -> list[Path]:
    """``identity000.obj`` and so on, without gaps."""
    source = Source(folder, REMEDY)
    found = sorted(folder.glob("identity[0-9][0-9][0-9].obj"))
    for number, path in enumerate(found):
        if path.name != f"identity{number:03d}.obj":
            raise source.refuse(f"identity{number:03d}.obj is missing")
    if not found:
        raise source.refuse("it has no identity000.obj and so on: no file says how faces differ")
    return found


def _read_mesh(source: Source) -> KitMesh:
    lines = _lines(source)
    uv = _numbers(lines, b"vt ", 2, source)
    faces, face_uv, material = [], [], []
    materials: dict[bytes, int] = {}
    current = 0
    for line in lines:
        if line.startswith(b"usemtl "):
            current = materials.setdefault(line[7:].strip(), len(materials))
        elif line.startswith(b"f "):
            corners = [corner.split(b"/") for corner in line.split()[1:]]
            faces.append(_padded([corner[0] for corner in corners], line, source))
            face_uv.append(_padded([corner[1] if len(corner) > 1 else b"" for corner in corners], line, source))
            material.append(current)
        if len(faces) > MAX_FACES:
            raise source.refuse(f"it has more than {MAX_FACES:,} faces")
    if not faces:
        raise source.refuse("it has no faces")
    return KitMesh(
        neutral=_vertices(lines, source),
        faces=np.array(faces, np.int64),
        uv=uv,
        face_uv=np.array(face_uv, np.int64),
        material=np.array(material),
        material_names=tuple(name.decode("utf-8", "replace") for name in materials) or ("skin",),
    )


def _padded(indices: list[bytes], line: bytes, source: Source) -> list[int]:
    """Three or four indices counted from 1, as four counted from 0, −1 for the missing one."""
    if len(indices) not in (3, 4) or not all(index.isdigit() and len(index) < 9 and int(index) for index in indices):
        text = line[:60].decode("utf-8", "replace")
        raise source.refuse(f"the face “{text}” is not three or four corners with vertex and UV")
    return [int(index) - 1 for index in indices] + [UNKNOWN] * (4 - len(indices))


def _lines(source: Source) -> list[bytes]:
    try:
        if source.path.stat().st_size > _MAX_OBJ_BYTES:
            raise source.refuse(f"it is larger than {_MAX_OBJ_BYTES >> 20} MB")
        return source.path.read_bytes().splitlines()
    except OSError as error:
        raise source.refuse(f"it cannot be read ({error.strerror or error})") from error


def _vertices(lines: list[bytes], source: Source) -> np.ndarray:
    """(26719, 3) float32 in the kit's units."""
    vertices = _numbers(lines, b"v ", 3, source)
    require_declared(len(vertices), 0, source)
    source.require_numbers("it", vertices)
    return vertices


def _numbers(lines: list[bytes], key: bytes, count: int, source: Source) -> np.ndarray:
    """(N, count) float32 of the lines that begin with ``key``."""
    chosen = [line for line in lines if line.startswith(key)]
    if not chosen:
        raise source.refuse(f"it has no lines “{key.decode().strip()}”, so it is no OBJ file, or one cut short")
    try:
        return np.loadtxt(chosen, np.float32, usecols=range(1, count + 1), ndmin=2, encoding="ascii")
    except (ValueError, IndexError) as error:
        raise source.refuse(f"a line “{key.decode().strip()}” is not {count} numbers ({error})") from error
