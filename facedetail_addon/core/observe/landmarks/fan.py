# SPDX-License-Identifier: GPL-3.0-or-later
"""The 68 landmarks by FAN (Bulat and Tzimiropoulos, ICCV 2017), with the library face-alignment.

Faces are found by :mod:`.landmarker`; FAN looks at each again. Its weights do not ship. What is trusted of them: only
the file whose SHA-256 stands in :mod:`...assets.user`, checked before anything is made of it, and then read with
``weights_only``, which knows tensors and containers but runs no code. The library would open the file by itself, or
download it where it finds none; the network is given to it instead, so it opens and downloads nothing.
"""

import dataclasses
import io
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch

from ...assets.user import UserAsset, how_to_get, places, read_user_asset, user_asset
from ...errors import AssetError
from ...io.networks import one_thread
from ..region import Region
from .types import FaceLandmarks

LIBRARY_VERSION = "1.5.0"
WEIGHTS = "fan"
"""The id of the file of its weights."""
_INPUT = 256  # px of FAN's square
_RAISED = 0.12  # the square's middle lies so much of the box's height above the box's middle,
_ENLARGED = 2 * 200 / 195  # and so much longer than the box's mean side is its side: the library's numbers
# The library cuts pixels 1 to 256 of its square's 256 but counts its answer from 0. A picture of 510 px in a square of
# 512 px makes both the same cut: it sees all of the picture, and its answer is 2 px less than the place in 512ths.
_SQUARE = 2 * _INPUT
_PICTURE = _SQUARE - 2
_RIGHT_EYE, _LEFT_EYE = 36, 45


@dataclass(frozen=True)
class SparseLandmarks:
    """The 68 points of one face.

    Attributes:
        points_px: (68, 2) float32, iBUG order, photo px, the first pixel's centre at (0.5, 0.5).
        scores: (68,) float32, the heatmaps' peaks: about 1 where FAN is sure, near 0 where a point is hidden.
    """

    points_px: np.ndarray
    scores: np.ndarray


class FanLandmarker:
    """Looks at found faces with FAN. ``load()`` once; one call per face takes two runs of its network."""

    def __init__(self, alignment: Any):
        """Take a ``face_alignment.FaceAlignment`` for 2D points on the CPU, with ``flip_input``."""
        self.alignment = alignment

    @classmethod
    def load(cls, assets: Path | None, asset: UserAsset | None = None) -> "FanLandmarker":
        """Verify and read the weights.

        Args:
            assets: the user's folder; None where there is none, but perhaps a copy in torch's cache.
            asset: the file, another than the known one.

        Raises:
            AssetError: the file is missing, damaged or holds something else; the library is missing or of another
                version.
        """
        library = load_library()
        asset = asset or user_asset(WEIGHTS)
        content = read_user_asset(asset, places(asset, assets))
        return cls(_alignment(library, content, asset))

    def find(self, image: np.ndarray, face: FaceLandmarks) -> SparseLandmarks:
        """The 68 points of a face.

        FAN answers in cells of a 64th of its square, give or take a quarter: up to 0.8 % of the face's width beside.

        Args:
            image: (H, W, 3) uint8 RGB, the photo in which ``face`` was found.
        """
        region = fan_region(face)
        picture = region.crop(np.ascontiguousarray(image), _PICTURE, cv2.BORDER_CONSTANT)
        with one_thread():
            points, scores, _ = self.alignment.get_landmarks_from_image(
                picture, detected_faces=[_box_of_whole_picture()], return_landmark_score=True
            )
        unit = (points[0].astype(np.float64) + (_SQUARE - _PICTURE)) / _SQUARE
        sure = scores[0] / 2  # heatmaps of the picture and of its mirror image are added
        return SparseLandmarks(region.to_photo(unit).astype(np.float32), sure.astype(np.float32))

    def refine(self, image: np.ndarray, face: FaceLandmarks) -> FaceLandmarks:
        """The same face with FAN's 68 points and scores; the mesh stays as it is."""
        found = self.find(image, face)
        return dataclasses.replace(face, sparse_px=found.points_px, sparse_scores=found.scores)


def fan_region(face: FaceLandmarks) -> Region:
    """The square that FAN sees of a face, turned with the eyes.

    It is placed on the box of the 68 points that are known already, as FAN's authors place it on their annotations.
    The detector's box is of about the same size, but differs by some per cent from one turn of a photo to the next.
    """
    points = face.sparse_px.astype(np.float64)
    across = points[_LEFT_EYE] - points[_RIGHT_EYE]
    angle = float(np.arctan2(across[1], across[0]))
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # columns: right, down
    level = points @ axes
    low, high = level.min(0), level.max(0)
    center = (low + high) / 2 - [0, _RAISED * (high - low)[1]]
    return Region(axes @ center, _ENLARGED * float((high - low).mean()), angle)


def load_library() -> ModuleType:
    """Import face-alignment with its two numba functions left as plain Python: 20 ms a face, not 17 s at the start.

    Raises:
        AssetError: it is missing or of another version.
    """
    remedy = f"Use the landmarker “mesh”, or install it: pip install face-alignment=={LIBRARY_VERSION}."
    needed = f"The landmarker FAN needs the Python package face-alignment {LIBRARY_VERSION}"
    try:
        with _nothing_compiled():
            import face_alignment
    except ImportError as error:
        raise AssetError(f"{needed}: {error}.", remedy) from error
    if face_alignment.__version__ != LIBRARY_VERSION:
        raise AssetError(f"{needed}, but {face_alignment.__version__} is installed.", remedy)
    return face_alignment


@contextmanager
def _nothing_compiled() -> Iterator[None]:
    """Inside, numba's ``jit`` leaves functions as they are.

    The library wants no more of numba, which takes 210 MB with LLVM and is not bundled: where it is missing, a module
    with such a ``jit`` stands in for it, inside only.
    """
    try:
        import numba
    except ImportError:
        before = {name: sys.modules[name] for name in ("numba",) if name in sys.modules}
        plain = ModuleType("numba")
        plain.jit = lambda **_options: lambda function: function
        sys.modules["numba"] = plain
        try:
            yield
        finally:
            del sys.modules["numba"]
            sys.modules.update(before)
        return
    compiling, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, True
    try:
        yield
    finally:
        numba.config.DISABLE_JIT = compiling


def _box_of_whole_picture() -> np.ndarray:
    """(4,) the box for which the library's square is ``_SQUARE`` px wide and ends with the picture.

    The half pixel more keeps its rounding towards zero off the edge between two numbers.
    """
    side = _SQUARE / _ENLARGED
    middle = _PICTURE - _SQUARE / 2 + 0.5
    center = np.array([middle, middle + _RAISED * side])
    return np.concatenate([center - side / 2, center + side / 2])


def _alignment(library: ModuleType, content: bytes, asset: UserAsset) -> Any:
    """The library's own object, its network made of verified bytes."""

    class VerifiedFaceAlignment(library.FaceAlignment):
        def _load_native(self, network_name, network_size, device, dtype):
            return _network(library, content, asset, network_size)

    return VerifiedFaceAlignment(
        library.LandmarksType.TWO_D, device="cpu", flip_input=True, face_detector="folder", compile=False
    )


def _network(library: ModuleType, content: bytes, asset: UserAsset, modules: int) -> torch.nn.Module:
    network = library.models.FAN(modules)
    try:
        network.load_state_dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, TypeError, ValueError, KeyError, EOFError, AttributeError) as error:
        raise AssetError(f"{asset.name} does not hold FAN's weights.", how_to_get(asset)) from error
    return network.eval().requires_grad_(False)
