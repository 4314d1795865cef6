# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks of an average head whose file tells none: detected on a rendering and projected back onto its surface.

A rendering of the built-in head is searched in the same way, so that the landmarker's bias on renderings is the same on
both, and pairs of points still correspond.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import FaceModelError
from ..face_model.ibug import IBUG_FROM_MESH
from ..face_model.model import MeshPart
from ..geometry.camera import PerspectiveCamera
from ..observe.landmarks.mesh_points import LEFT_EYE, LIPS, RIGHT_EYE
from ..observe.landmarks.types import FaceLandmarks
from ..rendering.normals import vertex_normals
from ..rendering.primary_rays import camera_rays, interpolate
from ..rendering.rays import RayScene

# What finds faces in an (H, W, 3) uint8 RGB picture.
FindFaces = Callable[[np.ndarray], tuple[FaceLandmarks, ...]]

SKIN_POINTS = 468  # of the face mesh; the others are the irises
FEATURES = np.unique([*LIPS, *RIGHT_EYE, *LEFT_EYE, *IBUG_FROM_MESH[17:]])
"""Points on lips, lids, brows and nose; elsewhere, on cheeks and forehead, a landmarker interpolates."""
_PICTURE_PX = 640
_DISTANCE_MM = 1200.0
_MARGIN = 1.15  # of the head's size, around it
_FACE_MARGIN = 1.9  # of the face's, in the second detection
_COLOURS = {
    "skin": (0.72, 0.52, 0.42),
    "white": (0.85, 0.83, 0.80),
    "iris": (0.25, 0.16, 0.10),
    "gums": (0.45, 0.2, 0.2),
}
_GROUND = 0.35
_LIGHTS = (((0.35, 0.55, 0.75), 0.65), ((-0.6, 0.2, 0.75), 0.25))
_AMBIENT = 0.25
_GAMMA = 1 / 2.2


@dataclass(frozen=True)
class RenderableHead:
    """What is rendered of a head.

    Attributes:
        vertices: (V, 3) mm, in the axes of the head frame; the skin first.
        skin: (T, 3) int triangles of the skin. others: (S, 3) int, eyes, teeth and gums.
        colour: (T + S, 3, 3) linear red, green, blue of the triangles' corners.
    """

    vertices: np.ndarray
    skin: np.ndarray
    others: np.ndarray
    colour: np.ndarray


@dataclass(frozen=True)
class SkinLandmarks:
    """The 468 points of the face mesh on the skin.

    Attributes:
        triangles: (468,) int32 of the skin, −1 where a point is not over it. weights: (468, 3) float32 of its corners.
    """

    triangles: np.ndarray
    weights: np.ndarray


def renderable_head(
    vertices: np.ndarray, parts: tuple[MeshPart, ...], skin_colour: np.ndarray | None
) -> RenderableHead:
    """A head ready to be rendered, without what is transparent: films over the eyes, lashes.

    Args:
        vertices: (V, 3) mm. skin_colour: (V, 3) display-encoded, of all vertices; plain skin where None.
    """
    triangles, colours = [], []
    for part in parts:
        shown = part.name == "skin" or part.name.startswith(("eye_left", "eye_right", "teeth", "gums"))
        if not shown:
            continue
        own = part.triangles() + part.start
        quads = part.faces[:, 3] >= 0
        material = np.concatenate([part.face_material, part.face_material[quads]])
        plain = np.array([_COLOURS[_kind(part.name, name)] for name in part.materials])[material]
        colour = np.repeat(plain[:, None], 3, axis=1)
        if part.name == "skin" and skin_colour is not None:
            colour = skin_colour[own].clip(0, 1) ** (1 / _GAMMA)
        triangles.append(own)
        colours.append(colour)
    others = np.concatenate(triangles[1:]) if len(triangles) > 1 else np.zeros((0, 3), np.int32)
    return RenderableHead(vertices, triangles[0], others, np.concatenate(colours))


def detect_on_skin(head: RenderableHead, find: FindFaces, name: str) -> SkinLandmarks:
    """The face mesh of a head, detected on a rendering from the front.

    Args:
        name: what messages call the head.

    Raises:
        FaceModelError: no face is found on it.
    """
    low, high = head.vertices[head.skin].min(axis=(0, 1)), head.vertices[head.skin].max(axis=(0, 1))
    centre, size = (low + high) / 2, float((high - low)[:2].max())
    rotation = np.diag([1.0, -1.0, -1.0])
    translation = np.array([0.0, 0.0, _DISTANCE_MM]) - rotation @ centre
    focal = _PICTURE_PX / (_MARGIN * size) * _DISTANCE_MM
    middle = np.full(2, _PICTURE_PX / 2)
    camera = PerspectiveCamera(rotation, translation, focal, middle, (_PICTURE_PX, _PICTURE_PX))
    scene = RayScene(head.vertices, np.concatenate([head.skin, head.others]))
    box = (0.0, 0.0, float(_PICTURE_PX), float(_PICTURE_PX))
    for _ in range(2):
        points = _detect(head, scene, camera, box, find, name)
        around, half = points.mean(axis=0), _FACE_MARGIN / 2 * np.ptp(points, axis=0).max()
        box = (*(around - half), *(around + half))
    return _project_back(head, camera, points)


def _kind(part: str, material: str) -> str:
    if part == "skin" or part == "gums":
        return part
    return "iris" if any(word in material.lower() for word in ("iris", "pupil")) else "white"


def _detect(
    head: RenderableHead,
    scene: RayScene,
    camera: PerspectiveCamera,
    box: tuple[float, float, float, float],
    find: FindFaces,
    name: str,
) -> np.ndarray:
    """(468, 2) px of the camera's picture, detected in a part of it."""
    faces = find(_render(head, scene, camera, box))
    if not faces:
        raise FaceModelError(
            f"No face was found on the average head of {name}.",
            "Use a model whose file names its landmarks, and whose face looks along +Z.",
        )
    scale = (box[2] - box[0]) / _PICTURE_PX
    return faces[0].mesh_px[:SKIN_POINTS, :2].astype(np.float64) * scale + box[:2]


def _render(
    head: RenderableHead, scene: RayScene, camera: PerspectiveCamera, box: tuple[float, float, float, float]
) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    triangles = np.concatenate([head.skin, head.others])
    hits = scene.cast(*camera_rays(camera, (_PICTURE_PX, _PICTURE_PX), box))
    normals = interpolate(hits, triangles, vertex_normals(head.vertices, triangles))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    light = np.full(len(normals), _AMBIENT)
    for direction, strength in _LIGHTS:
        light += strength * np.maximum(normals @ (np.array(direction) / np.linalg.norm(direction)), 0)
    colour = np.einsum("nkc,nk->nc", head.colour[hits.triangle], hits.barycentric) * light[:, None]
    colour = np.where(hits.triangle[:, None] >= 0, colour, _GROUND).clip(0, 1) ** _GAMMA
    return np.round(colour * 255).astype(np.uint8).reshape(_PICTURE_PX, _PICTURE_PX, 3)


def _project_back(head: RenderableHead, camera: PerspectiveCamera, points: np.ndarray) -> SkinLandmarks:
    plane = (points - camera.center_px) / camera.focal_px
    directions = np.concatenate([plane, np.ones((len(points), 1))], axis=1) @ camera.rotation
    hits = RayScene(head.vertices, head.skin).cast(np.broadcast_to(camera.position(), directions.shape), directions)
    return SkinLandmarks(hits.triangle, hits.barycentric)
