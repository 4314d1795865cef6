# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces and their landmarks in a photo, offline: detector, face mesh with attention, iBUG 68."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ...assets.shipped import find_weights
from ...errors import PhotoError
from ...face_model.ibug import IBUG_FROM_MESH
from ...io.networks import load_network, one_thread
from ...notices import Notice
from ..region import Region
from . import mesh_points as mp
from .detection import SURE_SCORE, Detection, look, search
from .networks import MESH_INPUT, FaceDetector, FaceMesh
from .types import FaceLandmarks

DETECTOR_WEIGHTS = "face_detector.safetensors"
MESH_WEIGHTS = "face_mesh.safetensors"
YAW_LIMIT_DEG = 45
SMALL_FACE_PX = 120
_REGION_SCALE = 1.5
_MAX_FACES = 32
_DARK = 48  # of 255, below which a photo without a sure face is looked at once more, brighter
_LEAST_IN_THE_DARK = 0.65  # what is brightened has patterns of its own
_LEVEL_PAIRS = ((234, 454), (127, 356), (33, 263), (61, 291))  # right and left points of one height, for yaw and roll


# The mesh's depth shows large turns too small: degrees found and true, measured on rendered heads.
_YAW_CALIBRATION = ((0, 30, 41.5, 52, 58), (0, 30, 45, 60, 75))


@dataclass(frozen=True)
class Plan:
    """How thoroughly to search; the default is FaceDetail's, ``MEDIAPIPE`` is MediaPipe's for comparison.

    Attributes:
        search: four rotations, tiles and a second look; else one look at the upright picture.
        passes: how often the mesh network runs, each time on the region of the last result.
        half_pixel: see ``Region.crop``.
        min_flag: faces whose mesh network is less sure that there is one are dropped. Real faces, even half cut, have
            more than 0.9999; patterns that fool the detector rarely pass 0.97.
    """

    search: bool = True
    passes: int = 2
    half_pixel: bool = True
    min_flag: float = 0.99


MEDIAPIPE = Plan(search=False, passes=1, half_pixel=False, min_flag=0.5)


class MeshLandmarker:
    """Finds faces with MediaPipe's networks. ``load()`` once, ``find()`` per photo; safe to keep."""

    def __init__(self, detector: FaceDetector, mesh: FaceMesh, plan: Plan | None = None):
        self.detector, self.mesh, self.plan = detector, mesh, plan or Plan()

    @classmethod
    def load(cls, plan: Plan | None = None) -> "MeshLandmarker":
        """Read the shipped weights.

        Raises:
            AssetError: a weight file is missing or damaged.
        """
        detector = load_network(FaceDetector(), find_weights(DETECTOR_WEIGHTS))
        return cls(detector, load_network(FaceMesh(), find_weights(MESH_WEIGHTS)), plan)

    def find(self, image: np.ndarray) -> tuple[FaceLandmarks, ...]:
        """All faces of a photo.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            Faces, largest first; empty where there is none.

        Raises:
            PhotoError: the array is no such picture.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise PhotoError(
                f"The landmarker needs an RGB picture of 8 bits, not {image.dtype} of shape {image.shape}.",
                "Open the photo with an image editor and save it as an 8-bit RGB PNG or JPEG.",
            )
        image = np.ascontiguousarray(image)
        faces = self._find(image)
        if self.plan.search and _is_dark(image) and _best(faces) < SURE_SCORE:
            brighter = self._find(_brightened(image))
            if _best(brighter) > max(_best(faces), _LEAST_IN_THE_DARK):
                return brighter
        return faces

    def _find(self, image: np.ndarray) -> tuple[FaceLandmarks, ...]:
        with one_thread():
            detections = self._detect(image)[:_MAX_FACES]
            if not detections:
                return ()
            regions = [detection.region() for detection in detections]
            for _ in range(self.plan.passes - 1):
                regions = self._recentred(image, regions)
            points, flags = self._mesh_in(image, regions)
        faces = [
            _face(detection, face)
            for detection, face, flag in zip(detections, points, flags, strict=True)
            if flag >= self.plan.min_flag and (not self.plan.search or _same_way_up(detection, face))
        ]
        return tuple(sorted(faces, key=lambda face: -_size(face)))

    def find_in_square(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """The mesh of a face that fills a square picture, (S, S, 3) uint8 RGB; as :meth:`find_in_region`."""
        side = image.shape[0]
        return self.find_in_region(image, Region(np.array([side, side]) / 2, 1.1 * side))

    def find_in_region(self, image: np.ndarray, region: Region) -> tuple[np.ndarray, float]:
        """The mesh of a face whose place is known, found without the detector.

        Args:
            image: (H, W, 3) uint8 RGB. region: around the face.

        Returns:
            (478, 3) float32 px and how sure the network is that there is a face, 0 to 1.
        """
        with one_thread():
            regions = [region]
            for _ in range(self.plan.passes):
                regions = self._recentred(image, regions)
            points, flags = self._mesh_in(image, regions)
        return points[0].astype(np.float32), float(flags[0])

    def _detect(self, image: np.ndarray) -> list[Detection]:
        if self.plan.search:
            return search(self.detector, image)
        size = np.array(image.shape[1::-1])
        return look(self.detector, image, [Region(size / 2, float(size.max()))], (0,), self.plan.half_pixel)

    def _pictures(self, image: np.ndarray, regions: list[Region]) -> torch.Tensor:
        crops = [r.crop(image, MESH_INPUT, cv2.BORDER_REPLICATE, self.plan.half_pixel) for r in regions]
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255

    def _recentred(self, image: np.ndarray, regions: list[Region]) -> list[Region]:
        """Regions fitted to the mesh that a first pass finds in them."""
        meshes = self.mesh.outline(self._pictures(image, regions))[0][..., :2].numpy().astype(np.float64)
        return [_region_of_mesh(r.to_photo(mesh / MESH_INPUT)) for r, mesh in zip(regions, meshes, strict=True)]

    def _mesh_in(self, image: np.ndarray, regions: list[Region]) -> tuple[np.ndarray, np.ndarray]:
        """Mesh points (B, 478, 3) in photo px and face flags (B,) 0..1 for regions of a photo."""
        network_output = self.mesh(self._pictures(image, regions))
        output = {name: value.numpy().astype(np.float64) for name, value in network_output.items()}
        points = refine(output) / MESH_INPUT
        for face, region in zip(points, regions, strict=True):
            face[:, :2] = region.to_photo(face[:, :2])
            face[:, 2] *= region.side
        return points, 1 / (1 + np.exp(-output["face_flag"]))


def _best(faces: tuple[FaceLandmarks, ...]) -> float:
    return max((face.score for face in faces), default=0.0)


def _is_dark(image: np.ndarray) -> bool:
    """Whether much of a photo is in the dark: under-exposed, or lit from behind."""
    few = image[:: max(1, image.shape[0] // 256), :: max(1, image.shape[1] // 256)]
    return float(np.percentile(few.max(2), 30)) < _DARK


def _brightened(image: np.ndarray) -> np.ndarray:
    """Dark parts lifted, for the eye of the networks alone; the brightest part stays where it is or becomes white."""
    few = image[:: max(1, image.shape[0] // 256), :: max(1, image.shape[1] // 256)]
    white = max(float(np.percentile(few.max(2), 99)), 4.0)
    levels = (np.arange(256) / white).clip(0, 1) ** 0.5 * 255
    return (levels + 0.5).astype(np.uint8)[image]


def refine(output: dict[str, np.ndarray]) -> np.ndarray:
    """Join the mesh with the attention heads' finer points (B, 478, 3); an iris takes its lids' mean depth."""
    points = np.concatenate([output["mesh"], np.zeros((len(output["mesh"]), mp.MESH_POINTS - 468, 3))], axis=1)
    points[:, mp.LIPS, :2] = output["lips"]
    for side, eye, iris in (("right", mp.RIGHT_EYE, mp.RIGHT_IRIS), ("left", mp.LEFT_EYE, mp.LEFT_IRIS)):
        points[:, eye, :2] = output[f"{side}_eye"]
        points[:, iris, :2] = output[f"{side}_iris"]
        points[:, iris, 2] = points[:, eye[: mp.LID_POINTS], 2].mean(1, keepdims=True)
    return points


def _region_of_mesh(points: np.ndarray) -> Region:
    """The square for another pass: around all points (N, 2), aligned to the outer eye corners."""
    low, high = points.min(0), points.max(0)
    across = points[mp.EYE_CORNERS[1][1]] - points[mp.EYE_CORNERS[0][0]]
    angle = float(np.arctan2(across[1], across[0]))
    return Region((low + high) / 2, _REGION_SCALE * float((high - low).max()), angle)


def _same_way_up(detection: Detection, points: np.ndarray) -> bool:
    """Whether the mesh has its eyes over its mouth where the detector has."""
    up = points[list(mp.RIGHT_EYE + mp.LEFT_EYE), :2].mean(0) - points[list(mp.LIPS), :2].mean(0)
    wanted = np.array([np.sin(detection.angle), -np.cos(detection.angle)])
    return float(up @ wanted) > 0.5 * float(np.linalg.norm(up))


def _face(detection: Detection, points: np.ndarray) -> FaceLandmarks:
    return FaceLandmarks(
        mesh_px=points.astype(np.float32),
        sparse_px=points[list(IBUG_FROM_MESH), :2].astype(np.float32),
        box_px=detection.box.astype(np.float32),
        score=detection.score,
        rotation=detection.rotation,
        yaw_deg=_yaw_degrees(points),
    )


def _yaw_degrees(points: np.ndarray) -> float:
    """Turn of the head from the depth difference of paired points; z grows away from the viewer."""
    pairs = np.array(_LEVEL_PAIRS)
    across = (points[pairs[:, 1]] - points[pairs[:, 0]]).sum(0)
    raw = float(np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1]))))
    return float(np.copysign(np.interp(abs(raw), *_YAW_CALIBRATION), raw))


def _size(face: FaceLandmarks) -> float:
    return float(np.prod(np.ptp(face.mesh_px[:, :2], axis=0)))


def notices(landmarks: FaceLandmarks, image_size: tuple[int, int]) -> tuple[Notice, ...]:
    """What an artist should know about a face before using its reconstruction.

    Args:
        landmarks: a face. image_size: (width, height) of its photo in px.

    Returns:
        Notices with codes ``profile`` or ``yaw``, ``face_at_border`` and ``small_face``.
    """
    found = []
    points = landmarks.mesh_px[:, :2]
    side = "left" if landmarks.yaw_deg > 0 else "right"
    if not landmarks.seen:
        found.append(
            Notice(
                "profile",
                f"The face is seen in profile, turned about {abs(landmarks.yaw_deg):.0f}° to its {side}. The head "
                "follows points of the whole head; the far side, the expression and the gaze were not seen and are "
                "those of a usual face at rest. A photo from the front gives a better head.",
            )
        )
    elif abs(landmarks.yaw_deg) > YAW_LIMIT_DEG:
        found.append(
            Notice(
                "yaw",
                f"The head is turned about {abs(landmarks.yaw_deg):.0f}° to its {side}; the far side of the face is "
                "guessed. A photo from the front gives a better head.",
            )
        )
    if (points < 0).any() or (points > np.array(image_size)).any():
        found.append(
            Notice(
                "face_at_border",
                "Part of the face lies outside the photo and is guessed. A photo with some room around the face helps.",
            )
        )
    width = float(np.ptp(points, axis=0).min())
    if width < SMALL_FACE_PX:
        found.append(
            Notice(
                "small_face",
                f"The face is only {width:.0f} pixels wide, so fine detail is missing. Use a photo of at least "
                f"{SMALL_FACE_PX} pixels across the face.",
            )
        )
    return tuple(found)
