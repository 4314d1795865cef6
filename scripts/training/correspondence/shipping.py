# SPDX-License-Identifier: GPL-3.0-or-later
"""The trained network and its points, as they ship; the same network gives the same bytes."""

from pathlib import Path

import torch

from facedetail_addon.core.assets.shipped import register_weights
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.calibration import LandmarkCalibration
from facedetail_addon.core.face_model.canonical_points import FILE_NAME, CanonicalPoints, save_canonical_points
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.observe.correspondence.finder import WEIGHTS
from facedetail_addon.core.observe.correspondence.network import CorrespondenceNet
from scripts.harness import whole_file
from scripts.training.correspondence.points import canonical_points
from scripts.training.weights import save_network


def ship(trained: Path, model: FaceModel, calibration: LandmarkCalibration, folder: Path) -> None:
    """Write network and points, and list them in the index.

    Args:
        trained: a state dict of :class:`CorrespondenceNet`. model: the built-in head. folder: for both files.

    Raises:
        AssetError: there is no such network, or it is another's.
    """
    network = CorrespondenceNet()
    try:
        network.load_state_dict(torch.load(trained, weights_only=True, map_location="cpu"))
    except (OSError, RuntimeError) as error:
        raise AssetError(
            f"{trained} holds no network that can ship: {error}.", "Train it first, without --only."
        ) from error
    save_network(network, folder / WEIGHTS, {"face_model": model.fingerprint()})
    embedding = canonical_points(model, calibration)
    points = CanonicalPoints(
        model_fingerprint=model.fingerprint(),
        embedding=embedding,
        points_mm=embedding.points(model.mean),
        landmarks_mm=calibration.embedding.points(model.mean),
    )
    with whole_file(folder / FILE_NAME) as unfinished:
        save_canonical_points(unfinished, points)
    register_weights(folder / FILE_NAME)
