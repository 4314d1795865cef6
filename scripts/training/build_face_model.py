# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the built-in face model from ICT-FaceKit: topology, bases, canonical UV, landmarks, regions.

    python scripts/training/build_face_model.py [--data DIR] [--output FILE] [--pictures DIR]

``--data`` (default ``$FACEDETAIL_DATA``) holds ``models/ict_facekit.npz``. Prints the figures of the model card.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from headmesh.anatomy import REGIONS, embed_landmarks, label_regions  # noqa: E402
from headmesh.assemble import SkinMesh, build_skin, half_surface, prepare_ground  # noqa: E402
from headmesh.canonical_uv import unwrap  # noqa: E402
from headmesh.lids import close_blink  # noqa: E402
from headmesh.parts import PartShape, eyeball, kit_part  # noqa: E402
from headmesh.remesh import remesh_half  # noqa: E402
from headmesh.report import geometric_floor, mesh_figures, render_sheets  # noqa: E402
from headmesh.source import SKIN_STOP, SourceHead, load_source  # noqa: E402

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights  # noqa: E402
from facedetail_addon.core.face_model.model import FaceModel, MeshPart  # noqa: E402
from facedetail_addon.core.face_model.model_file import load_face_model, save_face_model  # noqa: E402
from facedetail_addon.core.model_import.gaze import with_gaze_motion  # noqa: E402

HALF_FACES, SEED = 6304, 0
MODES = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FACEDETAIL_DATA"))
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR / "face_model.npz")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data or set FACEDETAIL_DATA")
    started = time.perf_counter()
    source = load_source(Path(arguments.data) / "models")
    kit = source.neutral[:SKIN_STOP].astype(float)
    ground = prepare_ground(source)
    half = remesh_half(half_surface(ground), HALF_FACES, SEED)
    if half is None:
        sys.exit("error: QuadriFlow lost a border or made an odd one.\ntry: another HALF_FACES, a few more or less.")
    skin = build_skin(ground, half, kit)
    model, kept = learn(source, skin)
    save_face_model(arguments.output, model)
    register_weights(arguments.output)
    written = load_face_model(arguments.output)
    figures = (
        mesh_figures(written, skin)
        | geometric_floor(source, skin, written)
        | {
            "variance_kept": round(kept, 4),
            "megabytes": round(arguments.output.stat().st_size / 1e6, 2),
            "seconds": round(time.perf_counter() - started, 1),
        }
    )
    if arguments.pictures:
        render_sheets(written, arguments.pictures)
    print(json.dumps(figures))


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


if __name__ == "__main__":
    main()
