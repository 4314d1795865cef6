# SPDX-License-Identifier: GPL-3.0-or-later
"""The face model on our topology: the kit's modes carried over, blinks closed, identity analysed anew."""

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel, MeshPart
from facedetail_addon.core.model_import.gaze import with_gaze_motion
from scripts.training.face_model.anatomy import REGIONS, embed_landmarks, label_regions
from scripts.training.face_model.assemble import SkinMesh
from scripts.training.face_model.canonical_uv import unwrap
from scripts.training.face_model.lids import close_blink
from scripts.training.face_model.parts import PartShape, eyeball, kit_part
from scripts.training.face_model.source import SKIN_STOP, SourceHead

MODES = 50


def learn(source: SourceHead, skin: SkinMesh) -> tuple[FaceModel, float]:
    """The face model on our topology, and the share of identity variance that its modes keep."""
    kit = source.neutral[:SKIN_STOP].astype(float)
    points = skin.weights @ kit
    carried = [_carry(skin, basis) for basis in (source.identity, source.expression)]
    eyes = {name: eyeball(source, name) for name in ("eye_left", "eye_right")}
    for side, lid in zip(("Left", "Right"), skin.lids, strict=True):
        index = source.expression_names.index(f"eyeBlink{side}")
        eye = eyes[f"eye_{side.lower()}"].mean
        carried[1][index] = close_blink(points, carried[1][index], skin.faces, lid, eye)
    opened = points + 0.3 * carried[1][source.expression_names.index("jawOpen")]
    uv, face_uv = unwrap(points, opened, skin.faces, skin.socket)
    shapes = {
        "skin": PartShape(points, *carried, skin.faces, uv, face_uv, np.zeros(len(skin.faces), np.uint8), ("skin",)),
        **eyes,
        "teeth_upper": kit_part(source, "teeth_upper"),
        "teeth_lower": kit_part(source, "teeth_lower"),
        "gums": kit_part(source, "gums"),
    }
    parts, start = [], 0
    for name, shape in shapes.items():
        stop = start + len(shape.mean)
        parts.append(
            MeshPart(
                name, start, stop, shape.faces.astype(np.int32), shape.uv.astype(np.float32),
                shape.face_uv.astype(np.int32), shape.face_material, shape.materials,
            )
        )  # fmt: skip
        start = stop
    identity = np.concatenate([shape.identity for shape in shapes.values()], axis=1)
    modes, kept = principal_modes(identity, len(points))
    model = FaceModel(
        name="builtin",
        mean=np.concatenate([shape.mean for shape in shapes.values()]).astype(np.float32),
        identity_basis=modes.astype(np.float32),
        expression_basis=np.concatenate([shape.expression for shape in shapes.values()], axis=1).astype(np.float32),
        expression_names=source.expression_names,
        parts=tuple(parts),
        landmarks68=embed_landmarks(source, skin.weights, skin.faces, skin.socket),
        region_names=REGIONS,
        region=label_regions(points, skin.socket),
    )
    return with_gaze_motion(model), kept


def _carry(skin: SkinMesh, basis: np.ndarray) -> np.ndarray:
    """(K, N, 3) offsets of the kit to (K, V, 3) of our skin."""
    return np.stack([skin.weights @ mode[:SKIN_STOP].astype(float) for mode in basis])


def principal_modes(identity: np.ndarray, skin_count: int) -> tuple[np.ndarray, float]:
    """Re-analyse modes of unit variance on our vertices: the directions of largest skin variance, each for one σ.

    Args:
        identity: (100, V, 3) mm per σ of the source's modes. skin_count: only these vertices are weighed.
    """
    flat = identity[:, :skin_count].reshape(len(identity), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(values)[::-1]
    mixing = vectors[:, order[:MODES]].T
    modes = np.tensordot(mixing, identity, axes=1)
    largest = np.abs(modes.reshape(MODES, -1)).argmax(axis=1)
    modes *= np.sign(modes.reshape(MODES, -1)[np.arange(MODES), largest])[:, None, None]
    return modes, float(values[order[:MODES]].sum() / values.sum())
