# SPDX-License-Identifier: GPL-3.0-or-later
"""The Basel Face Models of 2017 and 2019: Statismo's HDF5 files (Gerig et al., Morphable Face Models, FG 2018).

Three groups, ``shape``, ``expression`` and ``color``, each a Gaussian: ``model/mean`` (3V,), ``model/pcaBasis`` (3V, K)
with orthonormal columns, ``model/pcaVariance`` (K,), ``model/noiseVariance``, x, y, z of one vertex after the other.
``shape/representer`` has the mesh: ``points`` (3, V) and ``cells`` (3, F). Millimetres, in our axes; red, green and
blue from 0 to 1 as displays show them. A face is the sum of means and modes of shape and expression, so the average
expression is part of the mean.
"""

import json
from pathlib import Path

import h5py
import numpy as np
from scipy.spatial import cKDTree

from ..external import DISPLAY_SRGB, LANDMARKS, UNKNOWN, ExternalModel, require_sound
from . import hdf5
from .source import (
    MAX_FACES,
    MAX_MODES,
    MAX_VERTICES,
    Progress,
    Source,
    digest,
    numbered_expressions,
    skin_of_triangles,
)

LICENCE = (
    "Basel Face Model, © University of Basel. For non-commercial use under the licence you agreed to when you got the "
    "file; do not pass the model on, and check that your licence covers what you do with heads made from it."
)
REMEDY = (
    "Choose the file as it comes from the University of Basel, e.g. model2017-1_bfm_nomouth.h5 or model2019_bfm.h5; "
    "if it is that file, download it again."
)
_NAMES = {
    53149: "bfm2017",
    28588: "bfm2017_face12",
    47439: "bfm2019",
    27657: "bfm2019_face12",
    58203: "bfm2019_fullhead",
}
# The landmarks of the file that mean the same point as one of iBUG's.
IBUG_OF_NAME = {
    "center.nose.tip": 30,
    "center.nose.attachement_to_philtrum": 33,
    "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39,
    "left.eye.corner_inner": 42,
    "left.eye.corner_outer": 45,
    "right.lips.corner": 48,
    "center.lips.upper.outer": 51,
    "left.lips.corner": 54,
    "center.lips.lower.outer": 57,
    "center.lips.upper.inner": 62,
    "center.lips.lower.inner": 66,
}
# A landmark this far from the surface belongs to another model, or to what was cut away.
_ON_SURFACE_MM = 5.0


def read_bfm_hdf5(path: Path, progress: Progress) -> ExternalModel:
    """Read ``model2017-1_*.h5`` or ``model2019_*.h5``.

    Raises:
        FaceModelError: what the file lacks or has wrong; nothing large is read before its declarations are checked.
    """
    source = Source(path, REMEDY)
    try:
        # Locks fail on some network drives, and nobody writes here.
        with h5py.File(path, "r", locking=False) as file:
            return _read(file, source, progress)
    except hdf5.BROKEN as error:
        raise source.refuse(f"it is a damaged or truncated HDF5 file ({error})") from error


def _read(file: h5py.File, source: Source, progress: Progress) -> ExternalModel:
    for group in ("shape", "expression", "color"):
        hdf5.require_group(file, group, source)
    points = hdf5.require_dataset(file, "shape/representer/points", (3, None), "f", source)
    count = points.shape[1]
    cells = hdf5.require_dataset(file, "shape/representer/cells", (3, None), "iu", source)
    if count > MAX_VERTICES or cells.shape[1] > MAX_FACES:
        raise source.refuse(f"it declares {count:,} vertices and {cells.shape[1]:,} triangles, more than any face has")
    gaussians = [_Gaussian(file, name, count, source) for name in ("shape", "expression", "color")]
    source.require_budget(count, sum(gaussian.modes for gaussian in gaussians))
    triangles = cells[:].T
    source.require_triangles("shape/representer/cells", triangles, count)
    reference = points[:].T.astype(np.float32)
    source.require_numbers("shape/representer/points", reference)

    progress("Reading the shape", 0.1)
    shape_mean, identity = gaussians[0].read()
    progress("Reading the expressions", 0.45)
    expression_mean, expression = gaussians[1].read()
    progress("Reading the colours", 0.6)
    albedo_mean, albedo = gaussians[2].read()
    if not (-0.5 < albedo_mean.min() and albedo_mean.max() < 1.5):
        raise source.refuse("color/model/mean does not lie between 0 and 1")
    progress("Checking the model", 0.9)
    sha = digest([source.path])
    mean = shape_mean + expression_mean
    model = ExternalModel(
        name=_NAMES.get(count, "bfm"),
        source_sha256=sha,
        licence=LICENCE,
        mean=mean,
        expression_mean=expression_mean,
        identity_basis=identity,
        expression_basis=expression,
        expression_names=numbered_expressions(len(expression)),
        expression_signed=True,
        albedo_mean=albedo_mean,
        albedo_basis=albedo,
        albedo_space=DISPLAY_SRGB,
        parts=(skin_of_triangles(mean, triangles),),
        landmarks68=_landmarks(file, (reference, shape_mean, mean), source),
    )
    source.require_head(model.mean, model.skin.faces)
    _require_face_forward(model, source)
    require_sound(model, str(source.path))
    return model


class _Gaussian:
    """One of the three models of the file, declared and not yet read.

    Attributes:
        modes: how many.
    """

    def __init__(self, file: h5py.File, group: str, vertices: int, source: Source):
        self._group, self._source = group, source
        rows = 3 * vertices
        hdf5.require_group(file, f"{group}/model", source)
        self._mean = hdf5.require_dataset(file, f"{group}/model/mean", (rows,), "f", source)
        self._variance = hdf5.require_dataset(file, f"{group}/model/pcaVariance", (None,), "f", source)
        self.modes = len(self._variance)
        if self.modes > MAX_MODES:
            raise source.refuse(f"{group}/model declares {self.modes:,} modes, more than {MAX_MODES}")
        self._basis = hdf5.require_dataset(file, f"{group}/model/pcaBasis", (rows, self.modes), "f", source)
        noise = hdf5.read_scalar(file, f"{group}/model/noiseVariance", source)
        if noise is None or not (0 <= noise < np.inf):
            raise source.refuse(f"{group}/model/noiseVariance is {'missing' if noise is None else noise}")

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """(V, 3) float32 mean and (K, V, 3) float32 modes per σ."""
        name = f"{self._group}/model"
        mean, variance = self._mean[:].astype(np.float32), self._variance[:].astype(np.float64)
        self._source.require_numbers(f"{name}/mean", mean)
        self._source.require_positive(f"{name}/pcaVariance", variance)
        deviation = np.sqrt(variance).astype(np.float32)
        modes = np.empty((self.modes, len(mean)), np.float32)
        for start, block in hdf5.row_blocks(self._basis):
            self._source.require_numbers(f"{name}/pcaBasis", block)
            modes[:, start : start + len(block)] = (block * deviation).T
        return mean.reshape(-1, 3), modes.reshape(self.modes, -1, 3)


def _landmarks(file: h5py.File, surfaces: tuple[np.ndarray, ...], source: Source) -> np.ndarray | None:
    """The vertices of the file's landmarks that iBUG knows too.

    They are points of one of the ``surfaces``, each (V, 3): the reference or a mean; the nearest one is meant.
    """
    name = "metadata/landmarks/json"
    text = hdf5.read_text(file, name, source)
    if text is None:
        return None
    try:
        known = {
            IBUG_OF_NAME[entry["id"]]: np.array(entry["coordinates"], float)
            for entry in json.loads(text)
            if entry["id"] in IBUG_OF_NAME
        }
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise source.refuse(f"{name} is no list of landmarks with id and coordinates ({error})") from error
    if not known:
        return None
    if any(point.shape != (3,) or not np.isfinite(point).all() for point in known.values()):
        raise source.refuse(f"{name} has a landmark that is not three numbers")
    points = np.stack(list(known.values()))
    distance, vertex = min((cKDTree(surface).query(points) for surface in surfaces), key=lambda found: found[0].sum())
    landmarks = np.full(LANDMARKS, UNKNOWN, np.int32)
    near = distance < _ON_SURFACE_MM
    landmarks[np.array(list(known))[near]] = vertex[near]
    return landmarks if near.any() else None


def _require_face_forward(model: ExternalModel, source: Source) -> None:
    """Landmarks, where there are any, tell left from right, up from down and front from back."""
    if model.landmarks68 is None:
        return
    right, left, nose, mouth = model.landmarks68[[36, 45, 30, 57]]
    if min(right, left, nose, mouth) == UNKNOWN:
        return
    eyes = (model.mean[right] + model.mean[left]) / 2
    if not (
        model.mean[right, 0] < model.mean[left, 0] and model.mean[mouth, 1] < eyes[1] and eyes[2] < model.mean[nose, 2]
    ):
        raise source.refuse("its landmarks show a face that is not upright and looking along +z")
