# SPDX-License-Identifier: GPL-3.0-or-later
"""What ufbx finds in an FBX file, as JSON: python fbx_ufbx.py FILE."""

import json
import os
import sys

import ufbx


def main(path: str) -> None:
    scene = ufbx.load_file(path)
    metres = scene.settings.unit_meters
    mesh = max(scene.meshes, key=lambda one: one.num_vertices)
    node = mesh.instances[0]
    points = [[p.x, p.y, p.z] for p in mesh.vertices]
    names, shapes = {}, {}
    for deformer in mesh.blend_deformers:
        for channel in deformer.channels:
            names[channel.name] = channel.weight
            shapes[channel.name] = channel.target_shape
    for name, weight in names.items():
        if weight:
            shape = shapes[name]
            for vertex, offset in zip(shape.offset_vertices, shape.position_offsets, strict=True):
                for axis, value in enumerate((offset.x, offset.y, offset.z)):
                    points[vertex][axis] += weight * value
    matrix = node.geometry_to_world
    world = [_moved(matrix, point) for point in points]
    box = [(max(column) - min(column)) * metres * 1000 for column in zip(*world, strict=True)]
    jaw = (
        [(o.x**2 + o.y**2 + o.z**2) ** 0.5 for o in shapes["jawOpen"].position_offsets] if "jawOpen" in shapes else [0]
    )
    scale = abs(_moved(matrix, [1, 0, 0])[0] - _moved(matrix, [0, 0, 0])[0]) or 1.0
    found = {
        "meshes": len(scene.meshes),
        "faces": mesh.num_faces,
        "keys": sorted(names),
        "values": {name: round(value, 4) for name, value in names.items() if abs(value) > 1e-4},
        "jaw_mm": max(jaw) * metres * 1000 * scale,
        "joints": sorted(node.name for node in scene.nodes if node.bone),
        "weights": _weights(mesh),
        "regions": 0,
        "pictures": sorted(
            texture.filename.replace("\\", "/").rpartition("/")[2] for texture in scene.textures if texture.content
        ),
        "box_mm": sorted(round(size, 1) for size in box),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # its objects may be freed in an order that it does not survive


def _moved(matrix: object, point: list[float]) -> list[float]:
    columns = (matrix.c0, matrix.c1, matrix.c2, matrix.c3)
    return [
        sum(getattr(column, axis) * value for column, value in zip(columns, [*point, 1.0], strict=True))
        for axis in ("x", "y", "z")
    ]


def _weights(mesh: object) -> float | None:
    """How far the weights of a vertex are from 1 together, at most; None without a rig."""
    if not len(mesh.skin_deformers):
        return None
    total = [0.0] * mesh.num_vertices
    for cluster in mesh.skin_deformers[0].clusters:
        for vertex, weight in zip(cluster.vertices, cluster.weights, strict=True):
            total[vertex] += weight
    return round(max(abs(one - 1) for one in total), 4)


if __name__ == "__main__":
    main(sys.argv[1])
