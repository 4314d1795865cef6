# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a head in every format and let programs that are not Blender read it: what does each format carry?

    python -m scripts.exports RESULT_FOLDER OUTPUT [--packages DIR] [--node DIR] [--density 8k]

Builds the result's head with a rig, writes FBX, GLB, USD and OBJ into OUTPUT, and compares with it what readers find:
ufbx (FBX), pygltflib and three.js (GLB), usd-core (USD), trimesh (OBJ). They are no requirements of FaceDetail: DIR of
``--packages`` is a folder that has them (``pip install --target DIR ufbx pygltflib usd-core trimesh``), DIR of
``--node`` one with three.js (``npm install three``). Exit status 1 where a reader finds something else than there is.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np

from facedetail_addon.cli.terminal import stdout_kept_clean
from facedetail_addon.core.face_model.arkit import ARKIT_NAMES
from facedetail_addon.jobs.job import load_result
from facedetail_addon.scene.build.scene import build_steps
from facedetail_addon.scene.export.head import export_head
from facedetail_addon.scene.game.build import make_game_head
from facedetail_addon.scene.head_object import HeadObject
from facedetail_addon.scene.rig.bones import rig_of
from facedetail_addon.scene.rig.build import add_rig
from facedetail_addon.scene.steps import run_through
from scripts.harness import description, errors_told, table

READERS = (
    ("ufbx", "fbx", "fbx_ufbx.py"),
    ("pygltflib", "glb", "gltf_pygltflib.py"),
    ("three.js", "glb", "gltf_three.mjs"),
    ("usd-core", "usdz", "usd_pxr.py"),
    ("trimesh", "obj", "obj_trimesh.py"),
)
CARRIED = {"fbx": {"faces", "keys", "joints"}, "glb": {"keys", "joints", "regions"}, "obj": {"regions"}}
CARRIED["usdz"] = CARRIED["fbx"] | {"regions"}
"""What formats are to carry beside shape, expression and pictures; glTF and trimesh know triangles alone."""
_BOX_MM, _JAW_MM, _VALUE, _WEIGHT = 0.3, 0.1, 0.001, 0.01
_PICTURES = 4


@errors_told()
def main() -> None:
    options = _arguments()
    with stdout_kept_clean(discard=True) as stream:
        true = _written(options)
        rows, wrong = [], []
        for reader, ending, program in READERS:
            found = _read(program, options.output / f"head.{ending}", options)
            if found is None:
                rows.append((ending, reader, "is not installed", *[None] * 7))
                continue
            problems = _problems(true, found, ending)
            wrong += [f"{reader}, {ending}: {problem}" for problem in problems]
            rows.append((ending, reader, "; ".join(problems) or "as it is", *_told(found)))
        columns = ("file", "reader", "skin is", "meshes", "faces", "sliders", "photo's", "bones", "regions", "pictures")
        print("\n".join([*table(columns, rows), "", json.dumps({"wrong": wrong})]), file=stream, flush=True)
    sys.stdout.flush()
    os._exit(1 if wrong else 0)  # Blender's module may wait for itself after a glTF export


def _written(options: argparse.Namespace) -> dict[str, object]:
    """Write the files; what the head's skin is."""
    options.output.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    loaded = load_result(options.folder, None)
    head = run_through(build_steps(loaded.record, loaded.model, loaded.pictures))
    context = bpy.context
    if options.density:
        head = make_game_head(head, options.density, context.scene, context.view_layer)
    else:
        add_rig(head, context.view_layer)
    for ending in dict.fromkeys(ending for _, ending, _ in READERS):
        export_head(head, options.output / f"head.{ending}")
    return _facts(head)


def _facts(head: HeadObject) -> dict[str, object]:
    keys = head.keys
    rest = _points(keys.reference_key)
    jaw = _points(keys.key_blocks["jawOpen"]) - rest
    for part in head.parts.values():
        for modifier in part.modifiers:
            modifier.show_viewport = modifier.type == "ARMATURE"
    shown = head.skin.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    posed = np.empty(3 * len(shown.vertices), np.float32)
    shown.vertices.foreach_get("co", posed)
    return {
        "meshes": len(head.parts),
        "faces": len(head.skin.data.polygons),
        "keys": sorted(ARKIT_NAMES),
        "jawOpen": keys.key_blocks["jawOpen"].value,
        "jaw_mm": 1000 * float(np.linalg.norm(jaw, axis=1).max()),
        "joints": len(rig_of(head).data.bones),
        "regions": len(head.skin["facedetail_regions"].split(",")),
        "box_mm": sorted(1000 * np.ptp(posed.reshape(-1, 3), axis=0)),
    }


def _points(key: bpy.types.ShapeKey) -> np.ndarray:
    found = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", found)
    return found.reshape(-1, 3)


def _read(program: str, path: Path, options: argparse.Namespace) -> dict[str, object] | None:
    """What a reader finds; None where it is not installed."""
    here = Path(__file__).parent / "readers" / program
    in_node = here.suffix == ".mjs"
    folder = options.node if in_node else options.packages
    if in_node and folder is None:
        return None
    environment = dict(os.environ) if folder is None else {**os.environ, "PYTHONPATH": str(folder)}
    command = ["node" if in_node else sys.executable, str(here), str(path.absolute())]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder if in_node else None)
    if done.returncode and ("ModuleNotFoundError" in done.stderr or "Cannot find module" in done.stderr):
        return None
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def _problems(true: dict[str, object], found: dict[str, object], ending: str) -> list[str]:
    if "error" in found:
        return [found["error"]]
    carried, problems = CARRIED[ending], []
    if ending != "obj" and found["meshes"] != true["meshes"]:
        problems.append(f"{found['meshes']} meshes of {true['meshes']}")
    off = max(abs(a - b) for a, b in zip(found["box_mm"], true["box_mm"], strict=True))
    if off > _BOX_MM:
        problems.append(f"another size or expression: {off:.1f} mm")
    for name in ("faces", "regions"):
        if name in carried and found[name] != true[name]:
            problems.append(f"{found[name]} {name} of {true[name]}")
    if "keys" in carried:
        lacking = set(true["keys"]) - set(found["keys"])
        if lacking:
            problems.append(f"no {', '.join(sorted(lacking))}")
        if abs(found["values"].get("jawOpen", 0.0) - true["jawOpen"]) > _VALUE:
            problems.append(f"jawOpen is at {found['values'].get('jawOpen')}, not {true['jawOpen']:.3f}")
        if abs(found["jaw_mm"] - true["jaw_mm"]) > _JAW_MM:
            problems.append(f"jawOpen moves {found['jaw_mm']:.1f} mm, not {true['jaw_mm']:.1f}")
    if "joints" in carried and (len(found["joints"]) != true["joints"] or (found["weights"] or 0) > _WEIGHT):
        problems.append(f"{len(found['joints'])} bones of {true['joints']}, weights off by {found['weights']}")
    if len(found["pictures"]) < _PICTURES:
        problems.append(f"{len(found['pictures'])} pictures of {_PICTURES}")
    return problems


def _told(found: dict[str, object]) -> tuple[object, ...]:
    if "error" in found:
        return (None,) * 7
    values, bones = found["values"], found["joints"]
    return (
        found["meshes"], found["faces"], len(found["keys"]), len(values), len(bones), found["regions"],
        len(found["pictures"]),
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("folder", type=Path, metavar="RESULT_FOLDER")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    parser.add_argument("--packages", type=Path, help="folder with ufbx, pygltflib, usd-core and trimesh")
    parser.add_argument("--node", type=Path, help="folder with node_modules/three")
    parser.add_argument("--density", choices=("2k", "8k", "20k"), help="of a head for game engines instead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
