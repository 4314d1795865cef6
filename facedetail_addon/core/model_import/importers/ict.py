# SPDX-License-Identifier: GPL-3.0-or-later
"""ICT-FaceKit Light (Li et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020): the whole head.

26,719 vertices: skin, mouth and eye sockets, gums and tongue, teeth, eyeballs, and what covers the eyes. Centimetres in
our axes. Identities differ from the neutral mesh by one standard deviation, expressions by their full weight.
:mod:`.ict_obj` and :mod:`.ict_npz` read its two forms.
"""

from dataclasses import dataclass

import numpy as np

from ...face_model.model import MeshPart
from ..external import NO_ALBEDO, UNKNOWN, ExternalModel
from .source import MAX_MODES, Source

VERTICES = 26719
LICENCE = (
    "ICT-FaceKit Light, © 2020 USC Institute for Creative Technologies, MIT licence: free for any use; keep its notice "
    "with copies of the model."
)
REMEDY = "Choose the kit's folder FaceXModel as it comes from its repository, or get the repository again."
_MM_PER_UNIT = 10.0
_MAX_MATERIALS = 256
# Where each object ends in the kit's order of vertices.
_PART_STOPS = {
    "skin": 14062,
    "gums": 17039,
    "teeth_upper": 19247,
    "teeth_lower": 21451,
    "eye_left": 23021,
    "eye_right": 24591,
    "lacrimal": 24999,
    "eye_blend": 25047,
    "eye_occlusion": 25351,
    "lashes": VERTICES,
}
# The kit's vertices of the 68 landmarks, in iBUG order.
LANDMARK_VERTICES = np.array(
    [
        1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493,
        1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542,
        1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461,
        5518, 5957, 5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
    ],
    np.int32,
)  # fmt: skip
# Landmarks that are mirror images of each other: right, left.
_MIRRORED = np.array([(0, 16), (4, 12), (17, 26), (21, 22), (31, 35), (36, 45), (39, 42), (48, 54), (60, 64)])
_MIRROR_MM = 5.0
# The kit also dilates pupils and raises cheeks, which ARKit does not know.
_ARKIT_SIDES = (
    "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn",
    "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress",
    "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
_ARKIT_WHOLE = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
# The kit's name of an expression to ARKit's.
ARKIT_NAMES = {name: name for name in _ARKIT_WHOLE} | {
    f"{name}_{side[0]}": name + side for name in _ARKIT_SIDES for side in ("Left", "Right")
}


@dataclass(frozen=True)
class KitMesh:
    """The kit's neutral mesh in its units: F faces, U points of UV.

    Attributes:
        neutral: (26719, 3) float32 cm.
        faces, face_uv: (F, 4) integers, −1 pads triangles. uv: (U, 2) float32; each object has tiles of its own (UDIM).
        material: (F,) index into ``material_names``.
    """

    neutral: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray
    material: np.ndarray
    material_names: tuple[str, ...]


def require_declared(vertices: int, modes: int, source: Source) -> None:
    """Raises FaceModelError where the kit's vertices or modes are not as many as it has."""
    if vertices != VERTICES:
        raise source.refuse(f"its mesh has {vertices:,} vertices, expected the kit's {VERTICES:,}")
    if modes > MAX_MODES:
        raise source.refuse(f"it has {modes:,} modes, more than {MAX_MODES}")


def model_of_kit(
    mesh: KitMesh, parts: tuple[MeshPart, ...], identity: np.ndarray, expressions: dict[str, np.ndarray], sha: str
) -> ExternalModel:
    """The kit in our units, with those of its expressions that ARKit has, under ARKit's names.

    Args:
        parts: from :func:`parts_of_mesh`.
        identity: (K, 26719, 3) float32, offsets in cm. expressions: the kit's name to (26719, 3) float32 alike.
        sha: of its files.
    """
    names = [name for name in expressions if name in ARKIT_NAMES]
    expression = np.stack([expressions[name] for name in names]) if names else np.zeros((0, VERTICES, 3), np.float32)
    return ExternalModel(
        name="ict_facekit",
        source_sha256=sha,
        licence=LICENCE,
        mean=_in_mm(mesh.neutral),
        expression_mean=np.zeros((VERTICES, 3), np.float32),
        identity_basis=_in_mm(identity),
        expression_basis=_in_mm(expression),
        expression_names=tuple(ARKIT_NAMES[name] for name in names),
        expression_signed=False,
        albedo_mean=None,
        albedo_basis=None,
        albedo_space=NO_ALBEDO,
        parts=parts,
        landmarks68=LANDMARK_VERTICES,
    )


def _in_mm(kit_units: np.ndarray) -> np.ndarray:
    return (kit_units * np.float32(_MM_PER_UNIT)).astype(np.float32, copy=False)


def parts_of_mesh(kit: KitMesh, source: Source) -> tuple[MeshPart, ...]:
    """The kit's objects, each with its own vertices, UV and materials.

    Raises:
        FaceModelError: the mesh is not the kit's: indices, units, axes, or the order of its vertices.
    """
    source.require_numbers("its neutral mesh", kit.neutral)
    source.require_numbers("its UV", kit.uv)
    corners = np.where(kit.faces >= 0, kit.faces, kit.faces[:, :1])
    if kit.faces[:, :3].min() < 0 or corners.max() >= VERTICES:
        raise source.refuse(f"its faces name vertices outside the {VERTICES:,} it has")
    if kit.face_uv[:, :3].min() < 0 or kit.face_uv.max() >= len(kit.uv):
        raise source.refuse(f"its faces name UV points outside the {len(kit.uv):,} it has")
    if ((kit.faces < 0) != (kit.face_uv < 0)).any():
        raise source.refuse("some faces have more corners than UV points")
    if len(kit.material_names) > _MAX_MATERIALS:
        raise source.refuse(f"it has {len(kit.material_names):,} materials, more than {_MAX_MATERIALS}")
    stops = np.array(list(_PART_STOPS.values()))
    part_of = np.searchsorted(stops, corners, side="right")
    if (part_of != part_of[:, :1]).any():
        raise source.refuse("a face joins two of the kit's objects, so its vertices are in another order")
    if missing := [name for index, name in enumerate(_PART_STOPS) if not (part_of[:, 0] == index).any()]:
        raise source.refuse(f"it has no faces of the kit's {missing[0]}")
    starts = [0, *stops[:-1].tolist()]
    parts = tuple(
        _part(kit, name, start, stop, part_of[:, 0] == index)
        for index, (name, start, stop) in enumerate(zip(_PART_STOPS, starts, stops.tolist(), strict=True))
    )
    mean = _in_mm(kit.neutral)
    source.require_head(mean[: parts[0].stop], parts[0].faces)
    _require_kit_order(mean[LANDMARK_VERTICES], source)
    return parts


def _part(kit: KitMesh, name: str, start: int, stop: int, mine: np.ndarray) -> MeshPart:
    """The faces of one object, with the points of UV and the materials they use."""
    faces, face_uv = kit.faces[mine], kit.face_uv[mine]
    padding = faces < 0
    used_uv, native_uv = np.unique(face_uv[~padding], return_inverse=True)
    used_materials, own_material = np.unique(kit.material[mine], return_inverse=True)
    numbered_uv = np.full(faces.shape, UNKNOWN, np.int32)
    numbered_uv[~padding] = native_uv
    return MeshPart(
        name=name,
        start=start,
        stop=stop,
        faces=np.where(padding, UNKNOWN, faces - start).astype(np.int32),
        uv=kit.uv[used_uv].astype(np.float32),
        face_uv=numbered_uv,
        face_material=own_material.astype(np.uint8),
        materials=tuple(kit.material_names[index] for index in used_materials),
    )


def _require_kit_order(landmarks: np.ndarray, source: Source) -> None:
    """Early versions of the kit number the same vertices otherwise; there, (68, 3) landmarks lie anywhere."""
    right, left = landmarks[_MIRRORED[:, 0]], landmarks[_MIRRORED[:, 1]]
    apart = np.linalg.norm(right * np.float32([-1, 1, 1]) - left, axis=1).max()
    eyes, nose, lip, chin = landmarks[36:48].mean(axis=0), landmarks[30], landmarks[57], landmarks[8]
    upright = chin[1] < lip[1] < nose[1] < eyes[1] and eyes[2] < nose[2]
    if apart > _MIRROR_MM or (right[:, 0] >= 0).any() or not upright:
        raise source.refuse("its landmarks do not form a face, so its vertices are in another order than the kit's")
