# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by all tests: a Blender with an empty scene, the face model, and a made-up reconstruction."""

import os
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from facedetail_addon.core.detail.types import EXPRESSION_GROUPS
from facedetail_addon.core.eyes.types import DEFAULT_EYES
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.types import HeadFit, PoseFit
from facedetail_addon.core.geometry.camera import AffineCamera, PerspectiveCamera
from facedetail_addon.core.observe.expression.types import EMOTIONS, Emotion, ExpressionPrior
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.types import CameraPrior, Observation
from facedetail_addon.core.result.files import write_result
from facedetail_addon.core.result.maps import FLAT_NORMAL
from facedetail_addon.core.result.record import HeadRecord, PhotoLight, Reconstruction, result_folder
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import Atlas
from facedetail_addon.settings import PRIOR_AND_LANDMARKS


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of test data."""
    directory = os.environ.get("FACEDETAIL_DATA")
    if not directory:
        pytest.skip("FACEDETAIL_DATA is not set: the folder with the test data is not known")
    return Path(directory)


@pytest.fixture(scope="session")
def model() -> FaceModel:
    """The built-in face model."""
    return load_named_model(BUILTIN)


@pytest.fixture(scope="session")
def atlas(model) -> Atlas:
    """Of the built-in face model, 512 texels a side."""
    return make_atlas(model, 512)


@pytest.fixture(scope="session")
def made_up_result(model, tmp_path_factory) -> tuple[Reconstruction, Path]:
    """A made-up reconstruction and its result folder, written once for all processes of a run; copy it to change it."""
    made = make_reconstruction(model)
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with FileLock(shared / "made up.lock"):
        folder = result_folder(shared / "results", made.record.observation.photo_name)
        if not folder.exists():
            write_result(made, folder.parent, model)
    return made, folder


@pytest.fixture
def blender():
    """The bpy module with factory settings and an empty scene."""
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module")
    # Operators bring the scene up to date first: seconds for a finely divided head that is thrown away.
    bpy.data.batch_remove(list(bpy.data.objects))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy


@pytest.fixture(scope="session")
def reconstruction_of():
    """The function that makes up a reconstruction."""
    return make_reconstruction


def look_at_head(image_size: tuple[int, int], center_px: tuple[float, float], yaw_deg: float) -> PerspectiveCamera:
    """A camera 0.6 m in front of the head, turned around it by ``yaw_deg``."""
    yaw = np.radians(yaw_deg)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn
    head_center = np.array([0.0, 0.0, 60.0])
    translation = np.array([0.0, 0.0, 600.0]) - rotation @ head_center
    focal = 1.6 * min(image_size)
    return PerspectiveCamera(rotation, translation, focal, np.array(center_px, np.float64), image_size)


def make_reconstruction(
    model: FaceModel,
    image_size: tuple[int, int] = (320, 240),
    center_px: tuple[float, float] | None = None,
    yaw_deg: float = 0.0,
    expression: dict[str, float] | None = None,
    photo_name: str = "made up.png",
) -> Reconstruction:
    """A reconstruction with known shape, expression and camera; photo and texture are patterns."""
    rng = np.random.default_rng(3)
    alpha = rng.normal(0, 0.7, len(model.identity_basis)).astype(np.float32)
    beta = np.zeros(len(model.expression_names), np.float32)
    for name, weight in (expression or {}).items():
        beta[model.expression_names.index(name)] = weight
    camera = look_at_head(image_size, center_px or (image_size[0] / 2, image_size[1] / 2), yaw_deg)
    vertices, neutral = model.vertices(alpha, beta), model.vertices(alpha)
    landmarks_mm = model.landmarks68.points(vertices).astype(np.float32)
    mesh_px = np.zeros((478, 3), np.float32)
    mesh_px[:68, :2] = camera.project(landmarks_mm)
    landmarks = FaceLandmarks(mesh_px, mesh_px[:68, :2].copy(), np.zeros(4, np.float32), 1.0, 0, yaw_deg)
    photo = _gradient(image_size[1], image_size[0])
    observation = Observation(
        landmarks=landmarks,
        camera_prior=CameraPrior(image_size, camera.center_px, camera.focal_px),
        emotion=_surprise(),
        expression_prior=ExpressionPrior(beta, np.eye(len(beta)), 1.0),
        photo_name=photo_name,
        pixels=photo,
    )
    affine = AffineCamera(np.array([[1.0, 0, 0, image_size[0] / 2], [0, -1.0, 0, image_size[1] / 2]]))
    pose = PoseFit(beta, affine, camera, vertices, landmarks_mm, 1.0)
    record = HeadRecord(
        face_model=model.name,
        landmarker="mesh",
        expression_source=PRIOR_AND_LANDMARKS,
        expression_names=model.expression_names,
        observations=(observation,),
        fit=HeadFit(alpha, neutral, (pose,)),
        lights=(PhotoLight(rng.normal(0, 0.5, 60).astype(np.float32), _soft_light()),),
        eyes=DEFAULT_EYES,
        stage_seconds={"photo": 0.1},
        notices=(),
    )
    maps = {
        "photo": photo,
        "albedo": _checker(256),
        "roughness": np.full((256, 256), 128, np.uint8),
        "specular": np.full((256, 256), 128, np.uint8),
        **_waves(256),
        "confidence": np.ones((256, 256), np.float32),
        **{f"expression_{name}": np.zeros((32, 32), np.uint8) for name in EXPRESSION_GROUPS},
        "hair": np.zeros((32, 32), np.uint8),
    }
    return Reconstruction(record, maps)


def _surprise() -> Emotion:
    return Emotion(np.array([0.75 if name == "surprise" else 0.25 / 6 for name in EMOTIONS], np.float32))


def _waves(side: int) -> dict[str, np.ndarray]:
    """Relief of waves down and mostly across the map, higher at the top and at the left; the normals are a pattern."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    normal = np.stack([x, y, np.full_like(x, 0.9)], axis=-1)
    return {
        "displacement_medium": 0.5 * (1 - y) * np.sin(40 * y),
        "displacement_fine": 0.05 * (1 - x) * np.sin(200 * x + 40 * y),
        "normal": (normal * 65535).astype(np.uint16),
        "normal_fine": (normal[::-1] * 65535).astype(np.uint16),
        "displacement_unseen": np.zeros((side, side), np.float32),
        "normal_unseen": np.full((side, side, 3), FLAT_NORMAL, np.uint16),
    }


def _soft_light() -> np.ndarray:
    """(9, 3) a bit more light from above, from the subject's left and from the front."""
    light = np.zeros((9, 3), np.float32)
    light[0] = 3.2, 3.1, 3.0
    light[1:4] = np.float32([[0.5], [0.8], [0.3]])
    return light


def _gradient(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 64)], axis=-1).astype(np.uint8)


def _checker(side: int) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    dark = ((x // 8 + y // 8) % 2).astype(bool)
    colors = np.array([[222, 177, 150], [150, 96, 80]], np.uint8)
    return colors[dark.astype(int)]
