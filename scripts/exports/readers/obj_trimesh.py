# SPDX-License-Identifier: GPL-3.0-or-later
"""What trimesh finds in an OBJ file, as JSON: python obj_trimesh.py FILE."""

import json
import sys
from pathlib import Path

import numpy as np
import trimesh


def main(path: str) -> dict[str, object]:
    scene = trimesh.load_scene(path, split_object=True, group_material=False)
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    groups = {line.removeprefix("g ").partition("_skin_")[2] or line for line in lines if line.startswith("g ")}
    largest = max(scene.geometry.values(), key=lambda one: len(one.vertices))
    materials = Path(path).with_suffix(".mtl").read_text(encoding="utf-8").splitlines()
    named = {line.split()[-1] for line in materials if line.lower().startswith(("map_", "norm"))}
    return {
        "meshes": len(scene.geometry),
        "faces": len(largest.faces),
        "keys": [],
        "values": {},
        "jaw_mm": 0.0,
        "joints": [],
        "weights": None,
        "regions": len({line for line in groups if "off" not in line}),
        "pictures": sorted(name for name in named if (Path(path).parent / name).is_file()),
        "box_mm": sorted(np.round(largest.extents * 1000, 1).tolist()),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
