# SPDX-License-Identifier: GPL-3.0-or-later
"""How fluently a head plays, and how long a step of a relief slider takes.

    python -m scripts.benchmark.speed.frames RESULT_FOLDER [--highest 3]

The head of a result folder with two keyed sliders: frames a second of ``frame_set``, evaluation, and the normals and
triangles that a view draws, at Subdivision levels 1 and 2 and posed; then seconds of a step of *Strength* at each level
up to the highest, by evaluation alone and as it is dragged in a window. Nothing is drawn. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

import facedetail_addon
from facedetail_addon.jobs.job import load_result
from facedetail_addon.scene.build.scene import build_steps
from facedetail_addon.scene.head_object import HeadObject
from facedetail_addon.scene.posing import pose, unpose
from facedetail_addon.scene.relief.adaptive import subdivision_of
from facedetail_addon.scene.relief.displacement import Relief, drag_relief, set_relief
from facedetail_addon.scene.relief.dragged import end_all_drags
from facedetail_addon.scene.steps import run_through

KEYED = ("jawOpen", "mouthSmileLeft")
_FRAMES, _STEPS = 5, 4


def frame_rates(head: HeadObject) -> dict[str, float]:
    """Frames a second at levels 1 and 2, and posed from level 2."""
    _key(head)
    subdivision = subdivision_of(head.skin)
    found = {}
    for level in (1, 2):
        subdivision.levels = level
        found[f"level{level}_fps"] = _rate(head, _FRAMES)
    pose(head)
    found["posed_fps"] = _rate(head, 20 * _FRAMES)
    unpose(head)
    return found


def strength_steps(head: HeadObject, highest: int) -> dict[str, float]:
    """Milliseconds of a step of *Strength* at each level from 2 on, and how far vertices are from where they belong.

    ``set``: all is evaluated. ``first`` and ``drag``: of a drag, its first step and a later one.
    """
    found = {}
    for level in range(2, highest + 1):
        relief = Relief(viewport_level=level)
        set_relief(head, relief)
        _draw(head)
        spent = [_step(head, set_relief, replace(relief, strength=1 + 0.1 * number)) for number in range(1, _STEPS)]
        wanted = _points(head)
        found[f"level{level}_set_ms"] = statistics.median(spent)
        found[f"level{level}_first_ms"] = _step(head, drag_relief, relief)
        spent = [_step(head, drag_relief, replace(relief, strength=1 + 0.1 * number)) for number in range(1, _STEPS)]
        found[f"level{level}_drag_ms"] = statistics.median(spent)
        found[f"level{level}_off_mm"] = 1000 * float(np.abs(_points(head) - wanted).max())
        end_all_drags()
    return found


def _step(head: HeadObject, show: Callable[[HeadObject, Relief], None], relief: Relief) -> float:
    begun = time.perf_counter()
    show(head, relief)
    _draw(head)
    return 1000 * (time.perf_counter() - begun)


def _points(head: HeadObject) -> np.ndarray:
    mesh = head.skin.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    return points


def _key(head: HeadObject) -> None:
    for name in KEYED:
        key = head.keys.key_blocks[name]
        for frame, value in ((1, 0.0), (200, 1.0)):
            key.value = value
            key.keyframe_insert("value", frame=frame)


def _rate(head: HeadObject, frames: int) -> float:
    scene = bpy.context.scene
    scene.frame_set(1)
    _draw(head)
    begun = time.perf_counter()
    for frame in range(2, 2 + frames):
        scene.frame_set(frame)
        _draw(head)
    return frames / (time.perf_counter() - begun)


def _draw(head: HeadObject) -> None:
    """What a view needs of the head's meshes."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for part in head.parts.values():
        mesh = part.evaluated_get(depsgraph).to_mesh()
        len(mesh.corner_normals)
        len(mesh.loop_triangles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--highest", type=int, default=3)
    options = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facedetail_addon.register()
    found = load_result(options.folder, options.folder)
    head = run_through(build_steps(found.record, found.model, found.pictures))
    figures = {**frame_rates(head), **strength_steps(head, options.highest)}
    for name, value in figures.items():
        print(f"{name:24} {value:.4g}")
    print(json.dumps(figures), flush=True)
    os._exit(0)  # Blender's module may wait for itself in C's exit handlers


if __name__ == "__main__":
    main()
