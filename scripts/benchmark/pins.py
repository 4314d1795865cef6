# SPDX-License-Identifier: GPL-3.0-or-later
"""How much nearer pins bring heads to the truth, and how often a second a head follows them.

    FACEDETAIL_DATA=… python -m scripts.benchmark.pins [--quick]

Painted heads of known shape, from the front and turned by 25°, on which the landmarker errs as it does. Pins are put
on the corners of eyes and mouth, nose, brows and jaw where the picture truly has them, 4, 8 and 16 of them. *mean mm*:
distance of the true face at rest to the fitted one, after a similarity over seven landmarks. *outline mm*: between the
two heads' outlines in the picture, from the brows to the chin. *other side mm*: how far the right half of the head
moves, in space, when a place on the left is dragged by 5 mm. The last line is JSON. ``--quick``: two heads.
"""

import argparse
import time

import cv2
import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.pin_places import PinSurface
from facedetail_addon.core.fit.pinned import PinnedFit, PinnedStart, prepare_pins, refit
from facedetail_addon.core.fit.pins import Pin, PinnedEdit
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.types import CameraPrior, Observation
from scripts.benchmark.geometry.__main__ import _load as load_tools
from scripts.benchmark.geometry.measure import SIZE, Subject, Tools, _subjects, skin_to_scan
from scripts.benchmark.geometry.now import SEVEN_OF_68
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table
from scripts.training.landmark_calibration.embedding import visible_skin

YAWS, HEADS, QUICK_HEADS = (0, 25), 12, 1
PLACES = (8, 30, 36, 45, 48, 54, 4, 12, 19, 24, 2, 14, 27, 57, 39, 42)
"""Of iBUG's 68, in the order in which they are pinned."""
COUNTS = (0, 4, 8, 16)
_DRAGGED, _DRAG_MM = (13, 11, 54, 24), 5.0
_ASIDE_MM = 12.0
_BROWS, _CHIN = (17, 27), 8
_REPEATS = 30


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Lines and figures."""
    tools, _ = load_tools(data_folder("the heads of known shape"), None, None)
    builtin, surface = tools.builtin, PinSurface.of(tools.builtin.model)
    errors = {count: [] for count in COUNTS}
    outlines = {count: [] for count in COUNTS}
    others, per_second = [], []
    for yaw in YAWS:
        for subject, _ in _subjects(tools, yaw, QUICK_HEADS if options.quick else HEADS):
            observation = Observation(
                subject.landmarks, CameraPrior.centred((SIZE, SIZE), subject.sample.camera.focal_px)
            )
            head = fit_dense([observation], builtin.model, builtin.calibration, prepared=builtin.prepared)
            start = prepare_pins((observation,), head, builtin.prepared, surface=surface)
            for count in COUNTS:
                fit = refit(start, PinnedEdit(_true_pins(surface, tools.reference, subject, count)))
                errors[count].append(_error(tools, subject, fit))
                outlines[count].append(_outline_mm(tools, subject, fit))
            others.append([_other_side_mm(start, number) for number in _DRAGGED])
            per_second.append(_refits_a_second(start, _true_pins(surface, tools.reference, subject, COUNTS[-1])))
        progress(f"yaw {yaw}° done")
    rows = [(count, f"{np.mean(errors[count]):.3f}", f"{np.mean(outlines[count]):.3f}") for count in COUNTS]
    figures = {
        "mean_mm": {str(count): round(float(np.mean(errors[count])), 3) for count in COUNTS},
        "outline_mm": {str(count): round(float(np.mean(outlines[count])), 3) for count in COUNTS},
        "nearer": {str(count): int((np.array(errors[count]) < errors[0]).sum()) for count in COUNTS[1:]},
        "heads": len(others),
        "other_side_mm": round(float(np.mean(others)), 3),
        "other_side_most_mm": round(float(np.max(others)), 3),
        "refits_a_second": round(float(np.median(per_second)), 1),
    }
    lines = table(("pins", "mean mm", "outline mm"), rows)
    lines.append(f"Other side: {figures['other_side_mm']} mm in the mean, {figures['other_side_most_mm']} mm at most.")
    lines.append(f"{figures['refits_a_second']} refits a second with {COUNTS[-1]} pins.")
    return lines, figures


def _true_pins(surface: PinSurface, reference: FaceModel, subject: Subject, count: int) -> tuple[Pin, ...]:
    marks = reference.landmarks68.points(subject.posed).astype(np.float64)
    px = subject.sample.camera.project(marks)
    return tuple(pin_on_landmark(surface, number, px[number]) for number in PLACES[:count])


def pin_on_landmark(surface: PinSurface, number: int, px: np.ndarray) -> Pin:
    """A pin on one of iBUG's landmarks of the face model, dropped at a pixel."""
    place = surface.model.landmarks68
    part, uv = surface.place_of(place.vertices[number], place.weights[number])
    return Pin(0, uv, (float(px[0]), float(px[1])), part)


def _error(tools: Tools, subject: Subject, fit: PinnedFit) -> float:
    reference = tools.reference
    marks = reference.landmarks68.points(subject.neutral)[list(SEVEN_OF_68)]
    scan = subject.neutral[np.unique(visible_skin(reference))], marks
    return float(skin_to_scan(scan, tools.builtin.model, fit.head().vertices_neutral).mean())


def _outline_mm(tools: Tools, subject: Subject, fit: PinnedFit) -> float:
    """Area between both outlines, from the brows to the chin, over their length."""
    camera, model = subject.sample.camera, tools.builtin.model
    marks = camera.project(tools.reference.landmarks68.points(subject.posed).astype(np.float64))
    rows = slice(int(marks[slice(*_BROWS), 1].min()), int(marks[_CHIN, 1]))
    truth = _silhouette(tools.reference, subject.posed, camera)[rows]
    found = _silhouette(model, fit.posed(0), fit.cameras[0])[rows]
    px_per_mm = camera.focal_px / camera.translation[2]
    return float((truth != found).sum() / (2 * len(truth)) / px_per_mm)


def _silhouette(model: FaceModel, posed: np.ndarray, camera: PerspectiveCamera) -> np.ndarray:
    picture = np.zeros((SIZE, SIZE), np.uint8)
    drawn = camera.project(model.skin.of(posed).astype(np.float64))
    for triangle in np.round(drawn[model.skin.triangles()] * 16).astype(np.int32):
        cv2.fillConvexPoly(picture, triangle, 1, shift=4)
    return picture > 0


def _other_side_mm(start: PinnedStart, number: int) -> float:
    """How far the face's right side moves, at most, where a landmark on its left is dragged outwards."""
    model, camera, posed = start.model, start.cameras[0], start.automatic.poses[0].vertices
    at = model.landmarks68.points(posed)[number].astype(np.float64)
    pin = pin_on_landmark(start.surface, number, camera.project(at[None] + [[_DRAG_MM, 0, 0]])[0])
    moved = np.linalg.norm(refit(start, PinnedEdit((pin,))).posed(0) - posed, axis=1)
    return float(moved[model.skin.rows][model.mean[model.skin.rows, 0] < -_ASIDE_MM].max())


def _refits_a_second(start: PinnedStart, pins: tuple[Pin, ...]) -> float:
    """While the last pin is dragged, with the vertices that a view draws."""
    points = refit(start, PinnedEdit(pins)).points
    began = time.perf_counter()
    for step in range(_REPEATS):
        moved = pins[-1].moved((pins[-1].px[0] + step, pins[-1].px[1]))
        refit(start, PinnedEdit((*pins[:-1], moved)), points).posed(0)
    return _REPEATS / (time.perf_counter() - began)


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "two heads", jobs=False)
    benchmark(run, parser)
