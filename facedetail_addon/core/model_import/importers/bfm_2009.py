# SPDX-License-Identifier: GPL-3.0-or-later
"""The Basel Face Model of 2009 (Paysan et al., AVSS 2009), and the expressions that others made for it.

``01_MorphableModel.mat``: ``shapeMU`` (3V, 1), ``shapePC`` (3V, K) with orthonormal columns, ``shapeEV`` (K, 1), which
are standard deviations and not variances, ``texMU``, ``texPC``, ``texEV`` alike, and ``tl`` (T, 3), triangles counted
from 1 and winding inwards. Micrometres in our axes; colours from 0 to 255 as displays show them.

It has no expressions. ``Exp_Pca.bin`` (Guo et al., TPAMI 2018, from FaceWarehouse) brings them: the number of modes E
as int32, then as float32 a mean of 3N and E orthonormal modes of 3N, micrometres, all little endian. Its N = 53,215
vertices are a part of the model's V = 53,490: ``BFM_exp_idx.mat`` names them (``trimIndex``, counted from 1), and
``std_exp.txt`` holds the modes' standard deviations. Both come with the usual distributions of ``Exp_Pca.bin``.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError

from ..external import DISPLAY_SRGB, ExternalModel, require_sound
from .bfm_hdf5 import LICENCE
from .source import MAX_FACES, MAX_MODES, Progress, Source, digest, numbered_expressions, skin_of_triangles

MAGIC = b"MATLAB 5.0 MAT-file"
EXPRESSIONS, EXPRESSION_VERTICES, EXPRESSION_DEVIATIONS = "Exp_Pca.bin", "BFM_exp_idx.mat", "std_exp.txt"
REMEDY = "Choose 01_MorphableModel.mat as it comes from the University of Basel; if it is that file, download it again."
_EXPRESSION_REMEDY = (
    f"Put {EXPRESSIONS}, {EXPRESSION_VERTICES} and {EXPRESSION_DEVIATIONS} of one distribution beside the model, or "
    f"take {EXPRESSIONS} away to import it without expressions."
)
_MM_PER_UNIT = 1e-3
_COLOUR_RANGE = 255.0
_NUMBERS = {"double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"}
_MAX_TEXT_BYTES = 1 << 20
_BROKEN = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, NotImplementedError, OverflowError, MemoryError,
    zlib.error, MatReadError,
)  # fmt: skip


def bfm_2009_files(path: Path) -> list[Path]:
    """The model's file, and those of its expressions where ``Exp_Pca.bin`` lies beside it.

    Raises:
        FaceModelError: of those of the expressions, one is missing.
    """
    if not (path.parent / EXPRESSIONS).exists():
        return [path]
    for companion in (EXPRESSION_VERTICES, EXPRESSION_DEVIATIONS):
        if not (path.parent / companion).is_file():
            raise Source(path.parent / EXPRESSIONS, _EXPRESSION_REMEDY).refuse(f"{companion} is not beside it")
    return [path, *(path.parent / name for name in (EXPRESSIONS, EXPRESSION_VERTICES, EXPRESSION_DEVIATIONS))]


def read_bfm_2009(path: Path, progress: Progress) -> ExternalModel:
    """Read ``01_MorphableModel.mat``, with the expressions where ``Exp_Pca.bin`` lies beside it.

    With expressions the model keeps the vertices that have them, without them all.

    Raises:
        FaceModelError: what a file lacks or has wrong; nothing large is read before its declarations are checked.
    """
    files = bfm_2009_files(path)
    source = Source(path, REMEDY)
    mat = _MatFile(path, source)
    rows, modes = mat.shape("shapePC")
    if rows % 3:
        raise source.refuse(f"shapePC has {rows:,} rows, which is not three for every vertex")
    count, colours = rows // 3, mat.shape("texPC")[1]
    source.require_budget(count, modes + colours)
    if max(modes, colours) > MAX_MODES or mat.shape("tl")[0] > MAX_FACES:
        raise source.refuse(f"it declares {modes:,} and {colours:,} modes and {mat.shape('tl')[0]:,} triangles")
    mean = _in_mm(mat.read("shapeMU", (rows, 1))).reshape(count, 3)
    triangles = mat.read_indices("tl", (mat.shape("tl")[0], 3))
    source.require_triangles("tl", triangles, count)

    progress("Reading the shape", 0.1)
    identity = mat.read_modes("shape", rows, modes)
    identity *= np.float32(_MM_PER_UNIT)
    progress("Reading the colours", 0.4)
    albedo_mean = mat.read("texMU", (rows, 1)).astype(np.float32).reshape(count, 3) / np.float32(_COLOUR_RANGE)
    if not (-0.5 < albedo_mean.min() and albedo_mean.max() < 1.5):
        raise source.refuse("texMU does not lie between 0 and 255")
    albedo = mat.read_modes("tex", rows, colours)
    albedo /= np.float32(_COLOUR_RANGE)

    expressions = _Expressions.none(count)
    if len(files) > 1:
        progress("Reading the expressions", 0.7)
        expressions = _read_expressions(*files[1:], count)
        triangles = _cut(triangles, expressions.vertices, count)
        mean, albedo_mean = mean[expressions.vertices], albedo_mean[expressions.vertices]
        identity, albedo = (np.take(modes, expressions.vertices, axis=1) for modes in (identity, albedo))
    progress("Checking the model", 0.9)
    model = ExternalModel(
        name="bfm2009",
        source_sha256=digest(files),
        licence=LICENCE,
        mean=mean + expressions.mean,
        expression_mean=expressions.mean,
        identity_basis=identity,
        expression_basis=expressions.basis,
        expression_names=numbered_expressions(len(expressions.basis)),
        expression_signed=True,
        albedo_mean=albedo_mean,
        albedo_basis=albedo,
        albedo_space=DISPLAY_SRGB,
        parts=(skin_of_triangles(mean, triangles),),
        landmarks68=None,
    )
    source.require_head(model.mean, model.skin.faces)
    require_sound(model, str(path))
    return model


class _MatFile:
    """A MATLAB file whose variables are read one at a time, after a look at what it declares."""

    def __init__(self, path: Path, source: Source):
        self._path, self._source = path, source
        try:
            self._declared = {name: (shape, kind) for name, shape, kind in whosmat(path)}
        except _BROKEN as error:
            raise source.refuse(f"it is a damaged or truncated MATLAB file ({error})") from error

    def shape(self, name: str) -> tuple[int, int]:
        """The two sides of a matrix of numbers, as declared."""
        if name not in self._declared:
            raise self._source.refuse(f"it has no variable {name}")
        shape, kind = self._declared[name]
        if kind not in _NUMBERS:
            raise self._source.refuse(f"{name} is of the class {kind}, not plain numbers")
        if len(shape) != 2 or 0 in shape:
            raise self._source.refuse(f"{name} is {' × '.join(map(str, shape))}, not a matrix")
        return shape

    def read(self, name: str, shape: tuple[int, int]) -> np.ndarray:
        """A matrix of that shape, real and finite."""
        if self.shape(name) != shape:
            found, expected = (" × ".join(map(str, sides)) for sides in (self.shape(name), shape))
            raise self._source.refuse(f"{name} is {found}, expected {expected}")
        try:
            array = loadmat(self._path, variable_names=[name], mat_dtype=False)[name]
        except _BROKEN as error:
            raise self._source.refuse(f"{name} is damaged or cut short ({error})") from error
        if array.dtype.kind not in "fiu" or array.shape != shape:
            raise self._source.refuse(f"{name} is {array.dtype} {array.shape}, not real numbers as declared")
        self._source.require_numbers(name, array)
        return array

    def read_indices(self, name: str, shape: tuple[int, int]) -> np.ndarray:
        """Indices counted from 1, as int64 counted from 0."""
        array = self.read(name, shape)
        indices = array.astype(np.int64)
        if (indices != array).any():
            raise self._source.refuse(f"{name} holds fractions, not indices")
        return indices - 1

    def read_modes(self, kind: str, rows: int, modes: int) -> np.ndarray:
        """(modes, rows / 3, 3) float32 per standard deviation, in the file's units."""
        deviation = self.read(f"{kind}EV", (modes, 1)).astype(np.float32)
        self._source.require_positive(f"{kind}EV", deviation)
        # MATLAB stores columns one after the other, so a mode already is one piece of memory.
        basis = np.ascontiguousarray(self.read(f"{kind}PC", (rows, modes)).T, np.float32)
        basis *= deviation
        return basis.reshape(modes, -1, 3)


@dataclass(frozen=True)
class _Expressions:
    """N vertices of the model, (N,) indices, with (N, 3) float32 mean and (E, N, 3) float32 modes per σ, in mm."""

    vertices: np.ndarray
    mean: np.ndarray
    basis: np.ndarray

    @classmethod
    def none(cls, count: int) -> "_Expressions":
        return cls(np.arange(count), np.zeros((count, 3), np.float32), np.zeros((0, count, 3), np.float32))


def _read_expressions(modes_file: Path, vertices_file: Path, deviations_file: Path, count: int) -> _Expressions:
    source = Source(vertices_file, _EXPRESSION_REMEDY)
    mat = _MatFile(vertices_file, source)
    shape = mat.shape("trimIndex")
    if 1 not in shape or max(shape) > count:
        raise source.refuse(f"trimIndex is {shape[0]} × {shape[1]}, not a list of vertices of the model's {count:,}")
    vertices = mat.read_indices("trimIndex", shape).ravel()
    if vertices.min() < 0 or vertices.max() >= count or len(np.unique(vertices)) != len(vertices):
        raise source.refuse(f"trimIndex is not a list of different vertices of the model's {count:,}")
    mean, modes = _read_exp_pca(Source(modes_file, _EXPRESSION_REMEDY), len(vertices), count)
    deviation = _read_deviations(Source(deviations_file, _EXPRESSION_REMEDY), len(modes))
    modes *= (deviation * np.float32(_MM_PER_UNIT))[:, None]
    return _Expressions(vertices, _in_mm(mean).reshape(-1, 3), modes.reshape(len(modes), -1, 3))


def _read_exp_pca(source: Source, vertices: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(3N,) mean and (E, 3N) modes, float32, once the size of the file agrees with E and N."""
    try:
        size = source.path.stat().st_size
        with open(source.path, "rb") as stream:
            modes = int(np.frombuffer(stream.read(4).ljust(4, b"\0"), "<i4")[0])
            if not 1 <= modes <= MAX_MODES:
                raise source.refuse(f"it declares {modes:,} modes, expected 1 to {MAX_MODES}")
            source.require_budget(count, modes)
            expected = 4 + 4 * 3 * vertices * (1 + modes)
            if size != expected:
                raise source.refuse(
                    f"it has {size:,} bytes, expected {expected:,} for {modes} modes of the {vertices:,} vertices in "
                    f"{EXPRESSION_VERTICES}"
                )
            values = np.fromfile(stream, "<f4", 3 * vertices * (1 + modes)).reshape(1 + modes, -1)
    except (OSError, ValueError) as error:
        raise source.refuse(f"it cannot be read ({error})") from error
    for mode in values:
        source.require_numbers("it", mode)
    return values[0], values[1:]


def _read_deviations(source: Source, modes: int) -> np.ndarray:
    """(modes,) float32 standard deviations from a text of numbers."""
    try:
        if source.path.stat().st_size > _MAX_TEXT_BYTES:
            raise source.refuse("it is too large for a list of deviations")
        words = source.path.read_text(encoding="ascii").split()
        values = np.array([float(word) for word in words], np.float32)
    except (OSError, ValueError) as error:
        raise source.refuse(f"it is not a text of numbers ({error})") from error
    if len(values) != modes:
        raise source.refuse(f"it has {len(values)} numbers, expected {modes}, one for each mode of {EXPRESSIONS}")
    source.require_positive("it", values)
    return values


def _cut(triangles: np.ndarray, vertices: np.ndarray, count: int) -> np.ndarray:
    """The triangles all of whose corners are among ``vertices``, as indices into these."""
    place = np.full(count, -1)
    place[vertices] = np.arange(len(vertices))
    moved = place[triangles]
    return moved[(moved >= 0).all(axis=1)]


def _in_mm(micrometres: np.ndarray) -> np.ndarray:
    return (micrometres * _MM_PER_UNIT).astype(np.float32)
