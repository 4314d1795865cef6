# SPDX-License-Identifier: GPL-3.0-or-later
"""How near heads for game engines are to the head that they are made from.

    python -m scripts.benchmark.densities RESULT_FOLDER [RESULT_FOLDER …]

For each density: faces of the skin and of all parts; the outline from front, three quarters and side, how far that of
the reduced head lies from that of the whole one (both ways, 0.1 mm a pixel); how far the whole skin's vertices lie from
the reduced skin, without expression and with jaw, smile and blink; and by how much the shaded normals differ, without
and with the normal map, at rest and with jaw and smile. The last line is JSON.
"""

import argparse
from pathlib import Path

import bpy
import cv2
import numpy as np
from scipy.spatial import cKDTree

from facedetail_addon.core.face_model.densities import DENSITIES
from facedetail_addon.core.geometry.nearest import ClosestPoints
from facedetail_addon.core.reduction.baked import ShadedMesh, normal_differences
from facedetail_addon.jobs.job import load_result
from facedetail_addon.scene.build.scene import build_steps
from facedetail_addon.scene.export.material import relief_normals
from facedetail_addon.scene.game.build import make_game_head
from facedetail_addon.scene.game.parts import layout_of
from facedetail_addon.scene.game.shading import shaded_mesh
from facedetail_addon.scene.head_object import HeadObject
from facedetail_addon.scene.space import METRES_PER_MM
from facedetail_addon.scene.steps import run_through
from scripts.harness import benchmark, description, table

VIEWS = {"front": 0.0, "three quarters": 45.0, "side": 90.0}
"""Degrees about the vertical axis."""
POSES = {
    "neutral": {},
    "jaw": {"jawOpen": 1.0},
    "smile": {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6},
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
}
_PIXEL_MM = 0.1
_MARGIN_PX = 20
_HIDDEN = "socket"
_LONG_MM = 8.0


def measure(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    rows, figures = [], {}
    for folder in options.folders:
        for density in DENSITIES:
            found = _measured(Path(folder), density)
            figures |= {f"{Path(folder).name} {density} {name}": value for name, value in found.items()}
            rows.append((Path(folder).name, density, *found.values()))
    return table(("head", "density", *found), rows), figures


def _measured(folder: Path, density: str) -> dict[str, object]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    loaded = load_result(folder, None)
    head = run_through(build_steps(loaded.record, loaded.model, loaded.pictures))
    game = make_game_head(head, density, bpy.context.scene, bpy.context.view_layer)
    found: dict[str, object] = {
        "skin": len(game.skin.data.polygons),
        "all": sum(len(part.data.polygons) for part in game.parts.values()),
    }
    for name, sliders in POSES.items():
        whole, reduced = _posed(head, sliders), _posed(game, sliders)
        if name == "neutral":
            for view, degrees in VIEWS.items():
                found[f"outline {view} mm"] = _told(_outline_distances(whole, reduced, degrees))
        closest = ClosestPoints(reduced[0], reduced[1], _LONG_MM)
        shown = _seen(head)
        found[f"surface {name} mm"] = _told(closest.query(whole[0][shown]).distance)
    return found | _normals(head, game)


def _normals(head: HeadObject, game: HeadObject) -> dict[str, str]:
    relief = relief_normals(head.skin, head.skin.material_slots[0].material)
    baked = next(image for image in bpy.data.images if image.name.endswith("_Normal"))
    side = baked.size[0]
    pixels = np.empty(4 * side * side, np.float32)
    baked.pixels.foreach_get(pixels)
    mapped = 2 * pixels.reshape(side, side, 4)[::-1, :, :3] - 1
    found = {}
    for name in ("neutral", "jaw", "smile"):
        fine, coarse = (_shaded(one, POSES[name]) for one in (head, game))
        for text, normals in (("without map", None), ("with map", mapped)):
            angles = normal_differences(fine, coarse, relief, normals, side)
            found[f"normals {name} {text} deg"] = f"{angles.mean():.1f} / {np.percentile(angles, 95):.1f}"
    return found


def _shaded(head: HeadObject, sliders: dict[str, float]) -> ShadedMesh:
    points, _ = _posed(head, sliders)
    mesh = head.skin.data.copy()
    mesh.vertices.foreach_set("co", (points * METRES_PER_MM).astype(np.float32).ravel())
    mesh.update()
    found = shaded_mesh(mesh)
    bpy.data.meshes.remove(mesh)
    return found


def _posed(head: HeadObject, sliders: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) mm of the skin with an expression, and its triangles."""
    blocks = head.keys.key_blocks
    rest = _points(head.keys.reference_key)
    points = rest + sum(value * (_points(blocks[name]) - rest) for name, value in sliders.items())
    layout, _ = layout_of(head.skin.data)
    return points / METRES_PER_MM, layout.triangles()


def _points(key: bpy.types.ShapeKey) -> np.ndarray:
    found = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", found)
    return found.reshape(-1, 3).astype(np.float64)


def _seen(head: HeadObject) -> np.ndarray:
    """(V,) bool: not the inside of mouth and eye sockets."""
    group = head.skin.vertex_groups[_HIDDEN].index
    return np.array([all(one.group != group for one in vertex.groups) for vertex in head.skin.data.vertices])


def _outline_distances(
    whole: tuple[np.ndarray, np.ndarray], reduced: tuple[np.ndarray, np.ndarray], degrees: float
) -> np.ndarray:
    """mm from each point of one outline to the other, both ways."""
    angle = np.radians(degrees)
    across = np.array([np.cos(angle), np.sin(angle), 0.0])
    flat = [np.stack([points @ across, -points[:, 2]], axis=1) / _PIXEL_MM for points, _ in (whole, reduced)]
    low = np.floor(np.minimum(*(places.min(axis=0) for places in flat))) - _MARGIN_PX
    high = np.ceil(np.maximum(*(places.max(axis=0) for places in flat))) + _MARGIN_PX
    outlines = []
    for places, (_, triangles) in zip(flat, (whole, reduced), strict=True):
        drawn = np.zeros((high - low).astype(int)[::-1], np.uint8)
        for corners in np.round((places - low)[triangles] * 256).astype(np.int32):
            cv2.fillConvexPoly(drawn, corners, 255, cv2.LINE_8, 8)
        found, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outlines.append(max(found, key=len)[:, 0])
    first, second = outlines
    return np.concatenate([cKDTree(first).query(second)[0], cKDTree(second).query(first)[0]]) * _PIXEL_MM


def _told(distances: np.ndarray) -> str:
    """Mean, 95th percentile and largest."""
    return f"{distances.mean():.2f} / {np.percentile(distances, 95):.2f} / {distances.max():.2f}"


if __name__ == "__main__":
    arguments = description(__doc__)
    arguments.add_argument("folders", nargs="+", metavar="RESULT_FOLDER")
    benchmark(measure, arguments)
