# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of external face models in exactly the layouts of the originals, filled from the built-in head's skin."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from facedetail_addon.core.errors import FaceModelError
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.model_import.external import ExternalModel
from facedetail_addon.core.model_import.importers.bfm_hdf5 import IBUG_OF_NAME
from facedetail_addon.core.model_import.importers.ict import ARKIT_NAMES
from facedetail_addon.core.model_import.importers.read import read_external_model

IDENTITIES, EXPRESSIONS, COLOURS = 7, 5, 6


@dataclass(frozen=True)
class Skin:
    """What the files are filled with: V vertices, T triangles, in mm, modes per σ, colours from 0 to 1.

    ``expression_mean`` is part of no other array; ``landmarks`` are iBUG's vertices.
    """

    mean: np.ndarray
    expression_mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    albedo_mean: np.ndarray
    albedo: np.ndarray
    triangles: np.ndarray
    landmarks: np.ndarray


def skin_of(model: FaceModel) -> Skin:
    """The built-in skin with a few of its modes, a smile in its average expression, and made-up colours."""
    count = model.skin.stop
    rng = np.random.default_rng(5)
    smile = model.expression_basis[model.expression_names.index("mouthSmileLeft"), :count]
    return Skin(
        mean=model.mean[:count],
        expression_mean=0.2 * smile,
        identity=model.identity_basis[:IDENTITIES, :count],
        expression=model.expression_basis[:EXPRESSIONS, :count],
        albedo_mean=(np.float32([0.75, 0.58, 0.5]) + rng.uniform(-0.02, 0.02, (count, 3))).astype(np.float32),
        albedo=rng.normal(0, 0.02, (COLOURS, count, 3)).astype(np.float32),
        triangles=model.skin.triangles(),
        landmarks=model.landmarks68.vertices[np.arange(68), model.landmarks68.weights.argmax(axis=1)],
    )


def orthonormal(modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K, V, 3) modes per σ as (3V, K) columns of length 1 and (K,) standard deviations."""
    columns = modes.reshape(len(modes), -1).T.astype(np.float64)
    deviation = np.linalg.norm(columns, axis=0)
    return (columns / deviation).astype(np.float32), deviation


def write_bfm_hdf5(path: Path, skin: Skin) -> None:
    """A file like ``model2017-1_bfm_nomouth.h5``, with the groups and types that the originals have."""
    landmarks = [
        {"id": name, "coordinates": [float(value) for value in skin.mean[skin.landmarks[point]]]}
        for name, point in IBUG_OF_NAME.items()
    ]
    landmarks.append({"id": "left.ear.lobule.tip", "coordinates": [68.5, -18.5, 12.5]})
    with h5py.File(path, "w") as file:
        for group, mean, modes in (
            ("shape", skin.mean, skin.identity),
            ("expression", skin.expression_mean, skin.expression),
            ("color", skin.albedo_mean, skin.albedo),
        ):
            basis, deviation = orthonormal(modes)
            file[f"{group}/model/mean"] = mean.ravel().astype(np.float32)
            file[f"{group}/model/pcaBasis"] = basis
            file[f"{group}/model/pcaVariance"] = (deviation**2).astype(np.float32)
            file[f"{group}/model/noiseVariance"] = np.float32(0.01)
            file[f"{group}/representer/points"] = np.ascontiguousarray(skin.mean.T)
            file[f"{group}/representer/cells"] = np.ascontiguousarray(skin.triangles.T.astype(np.int32))
            file[f"{group}/version/majorVersion"] = np.int32(0)
            file[f"{group}/version/minorVersion"] = np.int32(9)
        file["metadata/landmarks/json"] = json.dumps(landmarks)


def bfm_2009_variables(skin: Skin) -> dict[str, np.ndarray]:
    """What ``01_MorphableModel.mat`` holds: micrometres, 0 to 255, standard deviations, triangles from 1 inwards."""
    variables = {"tl": (skin.triangles[:, ::-1] + 1).astype(np.float64)}
    for kind, mean, modes, unit in (
        ("shape", skin.mean, skin.identity, 1000.0),
        ("tex", skin.albedo_mean, skin.albedo, 255.0),
    ):
        basis, deviation = orthonormal(modes)
        variables[f"{kind}MU"] = (mean.reshape(-1, 1) * unit).astype(np.float32)
        variables[f"{kind}PC"] = basis
        variables[f"{kind}EV"] = (deviation * unit).astype(np.float32)[:, None]
    return variables


def write_bfm_2009(folder: Path, variables: dict[str, np.ndarray], compressed: bool = True) -> Path:
    """``01_MorphableModel.mat`` in a folder."""
    path = folder / "01_MorphableModel.mat"
    savemat(path, variables, do_compression=compressed)
    return path


def write_expressions_2009(folder: Path, skin: Skin, vertices: np.ndarray) -> None:
    """``Exp_Pca.bin`` for some of the model's vertices, with the two files that come with it."""
    basis, deviation = orthonormal(skin.expression[:, vertices])
    mean = skin.expression_mean[vertices].ravel() * 1000.0
    content = np.int32(len(deviation)).tobytes() + mean.astype("<f4").tobytes() + basis.T.astype("<f4").tobytes()
    (folder / "Exp_Pca.bin").write_bytes(content)
    (folder / "std_exp.txt").write_text(" ".join(f"{value * 1000.0:.9g}" for value in deviation), encoding="ascii")
    savemat(folder / "BFM_exp_idx.mat", {"trimIndex": (vertices + 1)[:, None].astype(np.int32)})


def write_ict_obj(folder: Path, model: ExternalModel, identities: int, expressions: int) -> None:
    """``FaceXModel`` of the kit's repository with its first shapes, in its units and spelling."""
    kit_names = {arkit: kit for kit, arkit in ARKIT_NAMES.items()}
    shapes = {f"identity{index:03d}": model.identity_basis[index] for index in range(identities)}
    shapes |= {
        kit_names[name]: model.expression_basis[index]
        for index, name in enumerate(model.expression_names[:expressions])
    }
    tail = _uv_and_faces(model)
    for name, offset in {"generic_neutral_mesh": 0.0, **shapes}.items():
        vertices = (model.mean + offset) / 10.0
        lines = ["# ICT FaceKit", "mtllib ICTFaceModelMaterial.mtl"]
        lines += [f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in vertices.tolist()]
        (folder / f"{name}.obj").write_text("\n".join(lines + tail) + "\n", encoding="ascii")


def _uv_and_faces(model: ExternalModel) -> list[str]:
    lines = [f"vt {u:.6f} {v:.6f}" for part in model.parts for u, v in part.uv.tolist()]
    first_uv, used = 1, ""
    for part in model.parts:
        for face, uv, material in zip(
            (part.faces + part.start + 1).tolist(),
            (part.face_uv + first_uv).tolist(),
            part.face_material.tolist(),
            strict=True,
        ):
            if part.materials[material] != used:
                used = part.materials[material]
                lines.append(f"usemtl {used}")
            corners = 3 if face[3] == part.start else 4
            lines.append("f " + " ".join(f"{face[k]}/{uv[k]}" for k in range(corners)))
        first_uv += len(part.uv)
    return lines


def quiet(text: str, done: float) -> None:
    """A listener to progress that checks what it hears."""
    assert text and 0 <= done <= 1


def refusal(path: Path) -> str:
    """The message of the error that importing raises; it has a remedy too."""
    with pytest.raises(FaceModelError) as caught:
        read_external_model(path, quiet)
    assert caught.value.remedy
    return caught.value.message


def volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    """What a surface encloses, seen from the origin; positive where it winds outwards."""
    a, b, c = (vertices[triangles[:, corner]].astype(float) for corner in range(3))
    return float(np.einsum("ti,ti->", a, np.cross(b, c))) / 6
