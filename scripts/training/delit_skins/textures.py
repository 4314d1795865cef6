# SPDX-License-Identifier: GPL-3.0-or-later
"""Skins of other people's textures: their mesh is matched to the built-in head as an imported model is, and each texel
of canonical UV takes the colour of the place that lies there."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel, MeshPart
from facedetail_addon.core.image import sample, smoothstep
from facedetail_addon.core.model_import.correspondence import Correspondence, correspond
from facedetail_addon.core.model_import.external import NO_ALBEDO, UNKNOWN, ExternalModel
from facedetail_addon.core.model_import.surface import Surface
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.uv.atlas import coarser, make_atlas
from facedetail_addon.core.uv.types import Atlas
from scripts.harness import progress
from scripts.training.delit_skins.store import LARGE, SIDE, is_stored, name_of, save_skin, shrunk
from scripts.training.delit_skins.studio_portraits import plain_skin
from scripts.training.delit_skins.studio_skins import is_skin

_NEAR_MM = (3.0, 1.0)  # from the other skin: farther is not the same place, nearer is
_FACING = (0.3, 0.7)  # cosine between both skins' normals
_MM = {"valid": 1000.0, "makehuman": 100.0}  # of a mesh's unit
_HEAD_BELOW_TOP_MM, _HEAD_HALF_WIDTH_MM = 330.0, 130.0
_WELD_MM = 0.02
_TOLERANCE = 1.6  # of what is taken for skin; hair and clothes are painted on the same texture


@dataclass(frozen=True)
class TexturedMesh:
    """One head's mesh and its own texture layout.

    Attributes:
        vertices: (V, 3) float32 mm, no two at one place. triangles: (T, 3) int32.
        corner_uv: (T, 3, 2) float32 of the triangles' corners, row 0 of the texture at the top: (0, 0) is its first
            corner.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    corner_uv: np.ndarray


@dataclass(frozen=True)
class Retargeting:
    """Where each covered texel of canonical UV lies in another texture.

    Attributes:
        uv: (N, 2) float32, as of :class:`TexturedMesh`. weight: (N,) float32 in [0, 1], 0 = no such place there.
        residual_mm: of the registration.
    """

    uv: np.ndarray
    weight: np.ndarray
    residual_mm: float


def make_textures(data: Path, folder: Path) -> None:
    """Retarget what is missing of ``uv_textures/`` (half a minute for each mesh, three seconds for each texture)."""
    wanted = {"valid": ("*.webp", read_valid), "makehuman": ("*.jpg", read_makehuman)}
    for source, (pattern, read) in wanted.items():
        paths = sorted((data / "uv_textures" / source).glob(pattern))
        missing = [path for path in paths if not is_stored(folder, name_of(path))]
        if missing:
            _make(missing, read(data / "uv_textures" / source), folder)


def read_valid(folder: Path) -> TexturedMesh:
    """The head of VALID's avatars, from ``mesh.npz`` (a whole body, metres)."""
    with np.load(folder / "mesh.npz") as stored:
        positions, uv, triangles = (stored[name] for name in ("positions", "uv", "triangles"))
    triangles = triangles.astype(np.int32)
    return head_of(positions * np.float32(_MM["valid"]), triangles, uv[triangles].astype(np.float32))


def read_makehuman(folder: Path) -> TexturedMesh:
    """The head of MakeHuman's body, from ``base.obj`` (decimetres); without its helpers."""
    positions, uv, faces, group = [], [], [], ""
    for line in (folder / "base.obj").read_text(encoding="utf-8").splitlines():
        kind, *values = line.split() or [""]
        if kind == "v":
            positions.append([float(value) for value in values[:3]])
        elif kind == "vt":
            uv.append([float(value) for value in values[:2]])
        elif kind == "g":
            group = values[0]
        elif kind == "f" and group == "body":
            corners = np.array([[int(index) - 1 for index in value.split("/")[:2]] for value in values])
            faces += [corners[[0, k, k + 1]] for k in range(1, len(corners) - 1)]
    faces = np.array(faces)
    flipped = np.array(uv, np.float32) * [1, -1] + [0, 1]
    positions = np.array(positions, np.float32) * np.float32(_MM["makehuman"])
    return head_of(positions, faces[..., 0].astype(np.int32), flipped[faces[..., 1]].astype(np.float32))


def head_of(positions: np.ndarray, triangles: np.ndarray, corner_uv: np.ndarray) -> TexturedMesh:
    """The head of a body that stands upright, its seams closed.

    Args:
        positions: (V, 3) mm, +Y up. triangles: (T, 3). corner_uv: (T, 3, 2).
    """
    used = positions[np.unique(triangles)]
    top = used[:, 1].max()
    inside = (positions[:, 1] > top - _HEAD_BELOW_TOP_MM) & (np.abs(positions[:, 0]) < _HEAD_HALF_WIDTH_MM)
    kept = inside[triangles].all(axis=1)
    corners = positions[triangles[kept]].reshape(-1, 3)
    _, first, same = np.unique(
        np.round(corners / _WELD_MM).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    welded = same.reshape(-1, 3).astype(np.int32)
    sound = (welded != np.roll(welded, 1, axis=1)).all(axis=1)
    return TexturedMesh(corners[first].astype(np.float32), welded[sound], corner_uv[kept][sound])


def as_external(mesh: TexturedMesh, name: str, colours: np.ndarray | None = None) -> ExternalModel:
    """A mesh as what is matched to the built-in head; it cannot change its shape.

    Args:
        colours: (V, 3) float32 display-encoded, for the landmarker that looks at it.
    """
    faces = np.column_stack([mesh.triangles, np.full(len(mesh.triangles), UNKNOWN, np.int32)])
    none = np.zeros((0, len(mesh.vertices), 3), np.float32)
    skin = MeshPart(
        "skin", 0, len(mesh.vertices), faces, np.zeros((0, 2), np.float32), np.full_like(faces, UNKNOWN),
        np.zeros(len(faces), np.uint8), ("skin",),
    )  # fmt: skip
    return ExternalModel(
        name=name, source_sha256="0" * 64, licence="", mean=mesh.vertices, expression_mean=np.zeros_like(mesh.vertices),
        identity_basis=none, expression_basis=none, expression_names=(), expression_signed=True,
        albedo_mean=colours, albedo_basis=None if colours is None else none, albedo_space=NO_ALBEDO, parts=(skin,),
        landmarks68=None,
    )  # fmt: skip


def vertex_colours(mesh: TexturedMesh, texture: np.ndarray) -> np.ndarray:
    """(V, 3) float32 in [0, 1] of a (H, W, 3) uint8 texture."""
    out = np.zeros((len(mesh.vertices), 3), np.float32)
    soft = cv2.GaussianBlur(texture, (0, 0), 3.0)
    out[mesh.triangles.ravel()] = _sampled(soft, mesh.corner_uv.reshape(-1, 2)) / 255
    return out


def retarget(mesh: TexturedMesh, found: Correspondence, builtin: FaceModel, atlas: Atlas) -> Retargeting:
    """Where the covered texels of an atlas lie in the mesh's own texture.

    Args:
        found: of the mesh with the built-in head.
    """
    target = Surface(found.neutral, mesh.triangles)
    triangles = builtin.skin.triangles()
    normals = vertex_normals(found.registered, triangles).astype(np.float32)
    socket = builtin.in_region("socket")
    at = atlas.texels(np.column_stack([found.registered, normals, socket]).astype(np.float32))
    facing = at[:, 3:6] / np.maximum(np.linalg.norm(at[:, 3:6], axis=1, keepdims=True), 1e-6)
    match = target.match(at[:, :3], facing)
    uv = np.einsum("nkc,nk->nc", mesh.corner_uv[match.triangle], match.weights).astype(np.float32)
    weight = smoothstep(-match.distance, -_NEAR_MM[0], -_NEAR_MM[1]) * smoothstep(match.facing, *_FACING)
    weight *= (at[:, 6] < 0.5) & ~match.on_border
    return Retargeting(uv, weight.astype(np.float32), found.residual_mm)


def retargeted(texture: np.ndarray, where: Retargeting, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """(R, R, 3) float32 linear colours of a texture in canonical UV, and (R, R) float32 weights.

    Args:
        texture: (H, W, 3) uint8 sRGB.
    """
    colour = np.zeros((atlas.resolution, atlas.resolution, 3), np.float32)
    weight = np.zeros((atlas.resolution,) * 2, np.float32)
    colour[atlas.covered] = _sampled(to_linear(texture), where.uv)
    weight[atlas.covered] = where.weight
    return colour.clip(0.004, 0.95), weight


def _make(paths: list[Path], mesh: TexturedMesh, folder: Path) -> None:
    builtin = load_named_model(BUILTIN)
    atlas = make_atlas(builtin, 2 * LARGE)
    small = coarser(atlas, builtin, SIDE)
    colours = vertex_colours(mesh, _read(paths[0]))
    found = correspond(as_external(mesh, paths[0].parent.name, colours), builtin, MeshLandmarker.load().find)
    where = retarget(mesh, found, builtin, atlas)
    progress(f"{paths[0].parent.name}: {found.residual_mm:.2f} mm")
    plain = plain_skin(atlas, builtin)
    for path in paths:
        colour, weight = retargeted(_read(path), where, atlas)
        few, seen = shrunk(colour, weight, SIDE)
        tone = np.median(few[plain_skin(small, builtin) & (seen > 0.5)], axis=0)
        skin = is_skin(few, seen, tone, builtin, small, _TOLERANCE)
        weight *= cv2.resize(skin, weight.shape, interpolation=cv2.INTER_LINEAR)
        save_skin(folder, name_of(path), colour, weight, plain)
        progress(name_of(path))


def _read(path: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def _sampled(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    at = uv.astype(np.float32) * np.float32(texture.shape[1::-1]) - np.float32(0.5)
    return sample(texture, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
