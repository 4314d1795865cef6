# SPDX-License-Identifier: GPL-3.0-or-later
"""Face models as files: an npz of plain arrays, never pickled.

What ships is small: a part whose every mode is an affine map within a tenth of a millimetre (an eyeball, a jaw's teeth)
stores a 4×3 matrix per mode; all others store integers of a fixed step in mm. Imported models are stored exactly.
"""

from dataclasses import fields
from pathlib import Path

import numpy as np

from ..errors import FaceModelError
from ..io.archive import read_arrays, require_format, with_names
from .model import FaceModel, MeshPart, ModelOrigin, NativeAlbedo, NativeExpressions, PointEmbedding

FORMAT_VERSION = 1
AFFINE_LIMIT_MM = 0.1
_REMEDY = "Use a face model written by this version of FaceDetail, or install the extension again."
_MAX_BYTES = 2 << 30
_NATIVE = {"native_expressions": NativeExpressions, "native_albedo": NativeAlbedo}
_NATIVE_UV = ("native_uv", "native_face_uv")
_OLDER_NAMES = {
    "own_expressions": "native_expressions", "own_albedo": "native_albedo", "own_uv": "native_uv",
    "own_face_uv": "native_face_uv", "carried_expressions": "transferred_expressions",
}  # fmt: skip


def load_face_model(path: Path) -> FaceModel:
    """Read a face model file.

    Raises:
        FaceModelError: missing, of another format, or with arrays of wrong shape or non-finite values.
    """
    try:
        arrays = with_names(read_arrays(path, max_bytes=_MAX_BYTES), _OLDER_NAMES)
    except ValueError as error:
        raise FaceModelError(f"The face model {path} cannot be read: {error}.", _REMEDY) from error
    try:
        model = _decode(arrays)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise FaceModelError(f"The face model {path} is incomplete or of another format: {error}.", _REMEDY) from error
    _check(model, path)
    return model


def save_face_model(path: Path, model: FaceModel, step_mm: float | None = 0.01) -> None:
    """Write a face model.

    Args:
        step_mm: bases are rounded to multiples of it or, where a part allows, become affine maps, and the file is
            packed; None keeps every number, unpacked, for a model that is read more often than copied.
    """
    arrays = {
        "format_version": np.int32(FORMAT_VERSION),
        "name": np.array(model.name),
        "mean": model.mean.astype(np.float32),
        "expression_names": np.array(model.expression_names),
        "part_names": np.array([part.name for part in model.parts]),
        "part_ranges": np.array([(part.start, part.stop) for part in model.parts], np.int32),
        "landmarks68_vertices": model.landmarks68.vertices.astype(np.int32),
        "landmarks68_weights": model.landmarks68.weights.astype(np.float32),
        "region_names": np.array(model.region_names),
        "region": model.region.astype(np.uint8),
    }
    for part in model.parts:
        arrays[f"{part.name}.faces"] = part.faces.astype(np.int32)
        arrays[f"{part.name}.uv"] = part.uv.astype(np.float32)
        arrays[f"{part.name}.face_uv"] = part.face_uv.astype(np.int32)
        arrays[f"{part.name}.face_material"] = part.face_material.astype(np.uint8)
        arrays[f"{part.name}.materials"] = np.array(part.materials)
        arrays |= {f"{part.name}.{key}": getattr(part, key) for key in _NATIVE_UV if getattr(part, key) is not None}
    if step_mm is None:
        arrays |= {"identity": model.identity_basis, "expression": model.expression_basis}
    else:
        arrays |= {"step_mm": np.float32(step_mm)} | _packed_bases(model, step_mm)
    write = np.savez if step_mm is None else np.savez_compressed
    write(path, **arrays, **_encode_import(model))


def _packed_bases(model: FaceModel, step_mm: float) -> dict[str, np.ndarray]:
    arrays = {}
    for part in model.parts:
        for key, basis in (("identity", model.identity_basis), ("expression", model.expression_basis)):
            offsets = part.of(basis)
            maps, residual_mm = fit_affine_modes(part.of(model.mean), offsets)
            if residual_mm <= AFFINE_LIMIT_MM:
                arrays[f"{part.name}.{key}_affine"] = maps
            else:
                arrays[f"{part.name}.{key}"] = _quantise(offsets, step_mm)
    return arrays


def _encode_import(model: FaceModel) -> dict[str, np.ndarray]:
    """What only imported models have."""
    arrays = {}
    for name in (*_NATIVE, "origin"):
        value = getattr(model, name)
        if value is not None:
            arrays |= {f"{name}.{field.name}": np.asarray(getattr(value, field.name)) for field in fields(value)}
    return arrays


def fit_affine_modes(rest: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, float]:
    """One affine map per mode: offsets[k] ≈ [rest, 1] @ maps[k].

    Args:
        rest: (N, 3) mm. offsets: (K, N, 3) mm.

    Returns:
        (K, 4, 3) float32 maps and the root mean square residual in mm of the worst mode.
    """
    homogeneous = _homogeneous(rest.astype(np.float64))
    maps = np.linalg.pinv(homogeneous) @ offsets.astype(np.float64)
    residual = np.sqrt(((homogeneous @ maps - offsets) ** 2).sum(-1).mean(-1))
    return maps.astype(np.float32), float(residual.max(initial=0.0))


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones_like(points[:, :1])], axis=1)


def _move(homogeneous: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """(V, 4) points by (K, 4, 3) affine maps, (K, V, 3) float32.

    Not a matrix product, whose last bit differs from one BLAS and processor to the next: the model's fingerprint must
    be the same on every machine. Each step multiplies and adds in double and rounds once.
    """
    out = np.zeros((len(maps), len(homogeneous), 3), np.float32)
    for row in range(4):
        out = (out + homogeneous[:, row, None].astype(np.float64) * maps[:, row, None]).astype(np.float32)
    return out


def _quantise(basis: np.ndarray, step_mm: float) -> np.ndarray:
    return np.round(basis / step_mm).clip(-32767, 32767).astype(np.int16)


def _decode(arrays: dict[str, np.ndarray]) -> FaceModel:
    require_format(arrays, FORMAT_VERSION)
    mean = arrays["mean"].astype(np.float32)
    ranges = zip(arrays["part_names"].tolist(), arrays["part_ranges"].tolist(), strict=True)
    parts = tuple(
        MeshPart(
            name=name, start=start, stop=stop,
            faces=arrays[f"{name}.faces"], uv=arrays[f"{name}.uv"], face_uv=arrays[f"{name}.face_uv"],
            face_material=arrays[f"{name}.face_material"], materials=tuple(arrays[f"{name}.materials"].tolist()),
            **{key: arrays.get(f"{name}.{key}") for key in _NATIVE_UV},
        )
        for name, (start, stop) in ranges
    )  # fmt: skip
    native = {name: _decode_native(arrays, name, kind) for name, kind in _NATIVE.items()}
    return FaceModel(
        name=str(arrays["name"]),
        mean=mean,
        identity_basis=_basis(arrays, "identity", mean, parts),
        expression_basis=_basis(arrays, "expression", mean, parts),
        expression_names=tuple(arrays["expression_names"].tolist()),
        parts=parts,
        landmarks68=PointEmbedding(arrays["landmarks68_vertices"], arrays["landmarks68_weights"]),
        region_names=tuple(arrays["region_names"].tolist()),
        region=arrays["region"],
        origin=_decode_origin(arrays),
        **native,
    )


def _basis(arrays: dict[str, np.ndarray], key: str, mean: np.ndarray, parts: tuple[MeshPart, ...]) -> np.ndarray:
    if key in arrays:
        return arrays[key].astype(np.float32, copy=False)
    homogeneous, step = _homogeneous(mean), float(arrays["step_mm"])
    return np.concatenate(
        [
            _move(p.of(homogeneous), arrays[f"{p.name}.{key}_affine"])
            if f"{p.name}.{key}_affine" in arrays
            else arrays[f"{p.name}.{key}"].astype(np.float32) * step
            for p in parts
        ],
        axis=1,
    )


def _decode_native(arrays: dict[str, np.ndarray], name: str, kind: type) -> NativeExpressions | NativeAlbedo | None:
    if f"{name}.mean" not in arrays:
        return None
    return kind(*(arrays[f"{name}.{field.name}"].astype(np.float32, copy=False) for field in fields(kind)))


def _decode_origin(arrays: dict[str, np.ndarray]) -> ModelOrigin | None:
    if "origin.canonical" not in arrays:
        return None
    values = {field.name: arrays[f"origin.{field.name}"].tolist() for field in fields(ModelOrigin)}
    return ModelOrigin(**values | {"attached": tuple(values["attached"])})


def _check(model: FaceModel, path: Path) -> None:
    if not (_shapes_fit(model) and _indices_fit(model) and _is_finite(model)):
        raise FaceModelError(f"The face model {path} holds wrong shapes, indices or values.", _REMEDY)


def _is_finite(model: FaceModel) -> bool:
    arrays = [model.mean[None], model.identity_basis, model.expression_basis]
    for native in (model.native_expressions, model.native_albedo):
        arrays += [native.mean[None], native.basis] if native else []
    # One mode at a time: the mask of a whole basis would be a quarter of its memory.
    return all(np.isfinite(mode).all() for array in arrays for mode in array)


def _shapes_fit(model: FaceModel) -> bool:
    count, skin = len(model.mean), model.parts[0].stop
    native, colours = model.native_expressions, model.native_albedo
    return (
        model.mean.ndim == 2 and model.mean.shape[1] == 3
        and model.identity_basis.shape[1:] == (count, 3)
        and model.expression_basis.shape == (len(model.expression_names), count, 3)
        and model.parts[0].name == "skin" and model.parts[0].start == 0 and model.parts[-1].stop == count
        and all(before.stop == after.start for before, after in zip(model.parts, model.parts[1:], strict=False))
        and model.landmarks68.vertices.shape == (68, 3) and model.landmarks68.weights.shape == (68, 3)
        and model.region.shape == (skin,)
        and (native is None or (native.mean.shape == (count, 3) and native.basis.shape[1:] == (count, 3)))
        and (colours is None or (colours.mean.shape == (skin, 3) and colours.basis.shape[1:] == (skin, 3)))
    )  # fmt: skip


def _indices_fit(model: FaceModel) -> bool:
    marks = model.landmarks68.vertices
    return (
        0 <= marks.min() and marks.max() < len(model.mean)
        and model.region.max() < len(model.region_names)
        and all(_part_fits(part) for part in model.parts)
    )  # fmt: skip


def _part_fits(part: MeshPart) -> bool:
    layouts = [(part.face_uv, part.uv)]
    layouts += [] if part.native_uv is None else [(part.native_face_uv, part.native_uv)]
    return (
        part.faces[:, :3].min() >= 0 and part.faces.max() < part.stop - part.start
        and part.face_material.max() < len(part.materials)
        and all(f.shape == part.faces.shape and f[:, :3].min() >= 0 and f.max() < len(uv) for f, uv in layouts)
    )  # fmt: skip
