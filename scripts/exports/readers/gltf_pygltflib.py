# SPDX-License-Identifier: GPL-3.0-or-later
"""What pygltflib finds in a GLB file, as JSON: python gltf_pygltflib.py FILE."""

import json
import sys

import numpy as np
from pygltflib import GLTF2

_KINDS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def main(path: str) -> dict[str, object]:
    file = GLTF2().load(path)

    def values(index: int) -> np.ndarray:
        accessor = file.accessors[index]
        view = file.bufferViews[accessor.bufferView]
        begin = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        width, kind = _WIDTHS[accessor.type], np.dtype(_KINDS[accessor.componentType])
        data = file.binary_blob()[begin : begin + accessor.count * width * kind.itemsize]
        return np.frombuffer(data, kind).reshape(accessor.count, width)

    mesh = max(
        file.meshes, key=lambda one: sum(file.accessors[part.attributes.POSITION].count for part in one.primitives)
    )
    names = mesh.extras.get("targetNames", [])
    points, jaw, faces, weights, regions = [], [0.0], 0, None, set()
    for part in mesh.primitives:
        place = values(part.attributes.POSITION).astype(float)
        for name, target, value in zip(names, part.targets or [], mesh.weights or [], strict=True):
            offset = values(target["POSITION"] if isinstance(target, dict) else target.POSITION)
            place = place + value * offset
            if name == "jawOpen":
                jaw.append(np.linalg.norm(offset, axis=1).max())
        points.append(place)
        faces += file.accessors[part.indices].count // 3
        if part.attributes.WEIGHTS_0 is not None:
            off = np.abs(values(part.attributes.WEIGHTS_0).sum(axis=1) - 1).max()
            weights = max(weights or 0.0, float(off))
        region = getattr(part.attributes, "_REGION", None)
        if region is not None:
            regions |= set(np.unique(values(region)).tolist())
    box = np.ptp(np.concatenate(points), axis=0) * 1000
    joints = [file.nodes[joint].name for joint in file.skins[0].joints] if file.skins else []
    return {
        "meshes": len(file.meshes),
        "faces": faces,
        "keys": sorted(names),
        "values": {name: round(v, 4) for name, v in zip(names, mesh.weights or [], strict=True) if abs(v) > 1e-4},
        "jaw_mm": float(max(jaw)) * 1000,
        "joints": sorted(joints),
        "weights": None if weights is None else round(weights, 4),
        "regions": len(regions - {-1.0}),
        "pictures": sorted(image.name for image in file.images),
        "box_mm": sorted(np.round(box, 1).tolist()),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
