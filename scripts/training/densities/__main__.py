# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the built-in head's lower densities: its quads without some rows of them.

    python -m scripts.training.densities [--output DIR]

Writes densities.npz and prints how many faces every part has. There is no randomness. Six minutes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights
from facedetail_addon.core.face_model.arkit import slider_offsets
from facedetail_addon.core.face_model.densities import DENSITIES_FILE, LIGHT, MEDIUM
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel, MeshPart
from scripts.harness import description, errors_told, whole_file
from scripts.training.densities.chords import HIDDEN_RULES, RULES, Reduced, Surface, mesh_edges, reductions

GOALS = {
    MEDIUM: {"skin": 8000, "teeth_upper": 900, "teeth_lower": 900, "gums": 1100, "eye_left": 672, "eye_right": 672},
    LIGHT: {"skin": 2000, "teeth_upper": 320, "teeth_lower": 320, "gums": 360, "eye_left": 180, "eye_right": 180},
}
"""Faces, by density and part."""
POSES = (
    {},
    {"jawOpen": 1.0},
    {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "cheekSquintLeft": 1.0, "cheekSquintRight": 1.0},
    {"mouthPucker": 1.0},
    {"browInnerUp": 1.0, "eyeWideLeft": 1.0, "eyeWideRight": 1.0, "mouthFunnel": 1.0, "jawOpen": 0.4},
)
"""Whose shape the faces are to keep, by sliders."""
WEIGHTS = {
    **{"eyes": 2.0, "mouth": 2.0, "nose": 1.6, "chin": 1.2, "cheeks": 1.0, "forehead": 1.0},
    **{"ears": 1.5, "neck": 1.2, "scalp": 0.9, "socket": 0.12},
}
"""How much a deviation counts, by the regions of the face."""
SLACK = 0.03
_SAME_MM = 0.1
_HIDDEN = "socket"


@errors_told()
def main() -> None:
    options = _arguments()
    model = load_named_model(BUILTIN)
    arrays, figures = {}, {}
    for part in model.parts:
        goals = {density: goal[part.name] for density, goal in GOALS.items()}
        for density, reduced in _reduced(model, part, goals).items():
            for name, values in _arrays(part, reduced).items():
                arrays[f"{density}/{part.name}/{name}"] = values
            figures[f"{density} {part.name}"] = len(reduced.faces)
    path = options.output / DENSITIES_FILE
    with whole_file(path) as unfinished:
        np.savez_compressed(unfinished, **arrays)
    register_weights(path)
    print(json.dumps(figures | {"kilobytes": round(path.stat().st_size / 1e3)}))


def _reduced(model: FaceModel, part: MeshPart, goals: dict[str, int]) -> dict[str, Reduced]:
    """For each goal the mesh that comes nearest to its number of faces."""
    faces, face_uv = part.faces.astype(np.int64), part.face_uv.astype(np.int64)
    surface = _surface(model, part)
    rules = RULES if part is model.skin else HIDDEN_RULES
    found: dict[str, Reduced] = {}
    for reduced in reductions(faces, face_uv, surface, SLACK, rules):
        for density, goal in goals.items():
            best = found.get(density, reduced)
            nearer = abs(len(reduced.faces) - goal) < abs(len(best.faces) - goal)
            found[density] = reduced if nearer else best
        if len(reduced.faces) < min(goals.values()):
            break
    return found


def _surface(model: FaceModel, part: MeshPart) -> Surface:
    offsets = dict(slider_offsets(model, part))
    rest = part.of(model.mean).astype(np.float64)
    poses = np.stack([rest + sum(value * offsets[name] for name, value in pose.items()) for pose in POSES])
    count = len(rest)
    uv_vertex = np.zeros(len(part.uv), np.int64)
    present = part.faces >= 0
    uv_vertex[part.face_uv[present]] = part.faces[present]
    edges, face_edges = mesh_edges(part.faces.astype(np.int64))
    outer = np.bincount(face_edges[face_edges >= 0], minlength=len(edges)) == 1
    lines = [np.isin(np.arange(count), edges[outer]), np.bincount(uv_vertex, minlength=count) > 1]
    distance, mirror = cKDTree(rest * [-1, 1, 1]).query(rest)
    if distance.max() < _SAME_MM and (mirror[mirror] == np.arange(count)).all():
        lines.append(mirror == np.arange(count))
    else:
        mirror = np.arange(count)  # an eye is no mirror image of itself
    weight = np.ones(count)
    if part is model.skin:
        weight = np.array([WEIGHTS[name] for name in model.region_names])[model.region]
        hidden = model.in_region(_HIDDEN)
        beside = edges[hidden[edges].sum(axis=1) == 1]
        lines.append(np.isin(np.arange(count), beside) & hidden)  # edges of lids, lips and nostrils
    kind = sum((line.astype(np.int64) << bit) for bit, line in enumerate(lines))
    uv = part.uv.astype(np.float64)
    return Surface(poses, weight, mirror, uv, uv_vertex, kind, moves=part is model.skin)


def _arrays(part: MeshPart, reduced: Reduced) -> dict[str, np.ndarray]:
    """As they ship: vertices that stay, and faces of these."""
    kept, faces = _compressed(reduced.faces)
    places, face_uv = _compressed(reduced.face_uv)
    return {
        "vertices": np.array(part.stop - part.start, np.int32),
        "kept": kept.astype(np.uint16),
        "faces": faces.astype(np.int16),
        "uv": reduced.uv[places].astype(np.float32),
        "face_uv": face_uv.astype(np.int16),
    }


def _compressed(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What faces use, and the faces by the places therein; −1 stays."""
    used = np.unique(faces[faces >= 0])
    number = np.full(used.max() + 2, -1)
    number[used] = np.arange(len(used))
    return used, np.where(faces >= 0, number[faces], -1)


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the file and its index entry")
    return parser.parse_args()


if __name__ == "__main__":
    main()
