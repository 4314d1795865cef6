# SPDX-License-Identifier: GPL-3.0-or-later
"""The face models whose fits the geometry benchmark compares, and what each costs."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.calibration import LandmarkCalibration
from facedetail_addon.core.face_model.library import BUILTIN, load_named_calibration, load_named_model
from facedetail_addon.core.face_model.model import FaceModel, PointEmbedding
from facedetail_addon.core.face_model.outline import mesh_offset, outline_paths
from facedetail_addon.core.face_model.store import InstalledModel, installed_models
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.prepared import PreparedModel, prepare
from facedetail_addon.core.fit.sparse import fit_sparse
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.model_import.install import install_model
from facedetail_addon.core.model_import.mean_landmarks import FindFaces
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.types import CameraPrior, Observation

DENSE, SPARSE = "dense", "sparse"


@dataclass(frozen=True)
class Candidate:
    """A face model in memory with all that both fits take.

    Attributes:
        name: ``builtin``, or the id of an installed model. offset: (68, 3) mm, the face mesh's habits.
        costs: what importing and loading it took, by name; ``None`` where that cannot be told.
    """

    name: str
    model: FaceModel
    calibration: LandmarkCalibration
    prepared: PreparedModel
    outline: PointEmbedding
    offset: np.ndarray
    costs: dict[str, float | None]

    def fit(
        self,
        method: str,
        landmarks: FaceLandmarks,
        image_size: tuple[int, int],
    ) -> HeadFit:
        """Fit it in one of the two ways, by landmarks alone."""
        observations = (Observation(landmarks, CameraPrior.centred(image_size)),)
        if method == DENSE:
            return fit_dense(observations, self.model, self.calibration, prepared=self.prepared)
        return fit_sparse(observations, self.model, outline=self.outline, offset=self.offset)


def builtin_candidate(model: FaceModel, calibration: LandmarkCalibration) -> Candidate:
    """The head that ships."""
    costs = {"vertices": len(model.mean), "import seconds": None, "load seconds": None, "bases MB": _bases_mb(model)}
    return _candidate(BUILTIN, model, calibration, costs)


def installed_candidates(assets: Path, builtin: Candidate, find: FindFaces) -> list[Candidate]:
    """Every installed model; each is imported once more, into a folder for the purpose, where its file still lies.

    Args:
        assets: the user's folder. find: of the landmarker.
    """
    return [_loaded(info, assets, _import_seconds(info, builtin, find)) for info in installed_models(assets)]


def _loaded(info: InstalledModel, assets: Path, import_seconds: float | None) -> Candidate:
    began = time.perf_counter()
    model, calibration = load_named_model(info.id, assets), load_named_calibration(info.id, assets)
    costs = {
        "vertices": info.vertices,
        "import seconds": import_seconds,
        "load seconds": round(time.perf_counter() - began, 2),
        "bases MB": _bases_mb(model),
    }
    return _candidate(info.id, model, calibration, costs)


def _candidate(
    name: str, model: FaceModel, calibration: LandmarkCalibration, costs: dict[str, float | None]
) -> Candidate:
    prepared = prepare(model, calibration)
    return Candidate(name, model, calibration, prepared, outline_paths(model), mesh_offset(model, calibration), costs)


def _import_seconds(info: InstalledModel, builtin: Candidate, find: FindFaces) -> float | None:
    source = Path(info.source)
    if not source.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        install_model(source, Path(folder), builtin.model, builtin.calibration, find, lambda text, done: None)
        return round(time.perf_counter() - began, 1)


def _bases_mb(model: FaceModel) -> int:
    """Memory of all modes, of identity, expressions and colours."""
    bases = [model.identity_basis, model.expression_basis]
    bases += [extra.basis for extra in (model.native_expressions, model.native_albedo) if extra is not None]
    return round(sum(basis.nbytes for basis in bases) / 2**20)
