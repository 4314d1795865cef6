# SPDX-License-Identifier: GPL-3.0-or-later
"""The first picture of a reconstruction: photo, overlay, clay, relief, the head in the photo's light, its skin."""

import cv2
import numpy as np

from ..face_model.model import FaceModel
from .preview_frame import Frame, trace_frame
from .preview_panels import (
    RAKING_LIGHTS,
    SOFT_LIGHTS,
    Appearance,
    clay,
    paint_of,
    relit,
    surface_of,
    textured,
    with_relief,
)
from .record import Reconstruction

_MARGIN = 0.10  # of the head's size, around it
_WIRE, _FOUND, _FITTED = (120, 235, 255), (90, 255, 120), (255, 80, 60)  # sRGB of edges and of both sets of landmarks
_WIRE_SHARE = 0.42  # of the edges over the photo
_SUBPIXELS = 4  # fractional bits of OpenCV's drawing
_FINER = 2  # times as large is what lines are drawn on


def render_preview(reconstruction: Reconstruction, model: FaceModel, height: int = 768) -> np.ndarray:
    """Photo | mesh and landmarks | clay | with its relief, lit from the side | in the photo's light | its albedo.

    All through the photo's camera, cropped to the head.

    Args:
        reconstruction: of one face. model: the face model it was made with. height: of the picture in px.

    Returns:
        (height, W, 3) uint8 sRGB.
    """
    record, pose = reconstruction.record, reconstruction.record.pose
    box = head_box(reconstruction, model)
    width = int(np.clip(round(height * (box[2] - box[0]) / (box[3] - box[1])), height // 4, height * 2))
    size = (width, height)
    frame = trace_frame(pose.vertices, model, pose.perspective, size, box)
    surface = surface_of(frame, reconstruction.skin_light)
    appearance = appearance_of(reconstruction)
    paint = paint_of(appearance, frame)
    photo = _crop(appearance.photo, box, size)
    panels = [
        photo,
        _overlay(photo, record.observation.landmarks.sparse_px, pose.landmarks68_mm, frame),
        clay(surface, frame, SOFT_LIGHTS),
        clay(with_relief(surface, reconstruction.maps["normal"], frame), frame, RAKING_LIGHTS),
        relit(appearance, paint, frame, reconstruction.skin_light),
        textured(paint, frame),
    ]
    gap = np.full((height, max(2, height // 192), 3), 255, np.uint8)
    return np.concatenate([panels[0]] + [x for panel in panels[1:] for x in (gap, panel)], axis=1)


def appearance_of(reconstruction: Reconstruction) -> Appearance:
    """What a reconstruction's head is painted with."""
    return Appearance(
        albedo=reconstruction.maps["albedo"],
        eyes=reconstruction.record.eyes,
        radiance=reconstruction.record.light.radiance,
        photo=reconstruction.maps["photo"],
        photo_camera=reconstruction.record.pose.perspective,
    )


def head_box(reconstruction: Reconstruction, model: FaceModel) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 in photo px around the head without the neck, with a margin, as far as the photo reaches."""
    height, width = reconstruction.maps["photo"].shape[:2]
    pose = reconstruction.record.pose
    px = pose.perspective.project(model.skin.of(pose.vertices)[_head_mask(model)])
    low, high = px.min(axis=0), px.max(axis=0)
    margin = _MARGIN * (high - low).max()
    low, high = (low - margin).clip(0, (width, height)), (high + margin).clip(0, (width, height))
    if (high - low).min() < 1:
        return 0.0, 0.0, float(width), float(height)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _head_mask(model: FaceModel) -> np.ndarray:
    """(V_skin,) bool: without neck and sockets; everything where the model knows of nothing else."""
    outside = model.in_region("neck", "socket")
    return ~outside if not outside.all() else ~np.zeros_like(outside)


def _crop(photo: np.ndarray, box: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """The box of the photo, (h, w, 3) uint8, averaged down or enlarged smoothly."""
    scale = np.array([size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])])
    reduction = min(1.0, float(scale.max()))
    if reduction < 1:
        smaller = np.maximum(np.round(np.array(photo.shape[1::-1]) * reduction), 1).astype(int)
        box = tuple(np.array(box) * np.tile(smaller / photo.shape[1::-1], 2))
        photo = cv2.resize(photo, (int(smaller[0]), int(smaller[1])), interpolation=cv2.INTER_AREA)
    matrix = np.array([[(box[2] - box[0]) / size[0], 0, 0], [0, (box[3] - box[1]) / size[1], 0]])
    matrix[:, 2] = np.array(box[:2]) + (matrix[:, 0] + matrix[:, 1]) / 2 - 0.5
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _overlay(photo: np.ndarray, found_px: np.ndarray, fitted_mm: np.ndarray, frame: Frame) -> np.ndarray:
    """Visible edges of the skin and both sets of landmarks (found: dots, fitted: rings) over the cropped photo."""
    width, height = frame.size
    fine = cv2.resize(photo, (width * _FINER, height * _FINER), interpolation=cv2.INTER_LINEAR)
    skin = frame.model.skin
    corners = _fixed_point(frame.pixel_positions(frame.camera.project(frame.vertices[: skin.stop])))
    faces = skin.faces[_visible_faces(frame)]
    quads = faces[:, 3] >= 0
    outlines = [*corners[faces[quads]], *corners[faces[~quads, :3]]]
    wire = cv2.polylines(fine.copy(), outlines, True, _WIRE, 1, cv2.LINE_AA, _SUBPIXELS)
    fine = cv2.addWeighted(fine, 1 - _WIRE_SHARE, wire, _WIRE_SHARE, 0)
    radius = max(3, fine.shape[0] // 300)
    for point in _fixed_point(frame.pixel_positions(frame.camera.project(fitted_mm))):
        cv2.circle(fine, point.tolist(), (radius + 2) << _SUBPIXELS, _FITTED, 2, cv2.LINE_AA, _SUBPIXELS)
    for point in _fixed_point(frame.pixel_positions(found_px)):
        cv2.circle(fine, point.tolist(), radius << _SUBPIXELS, _FOUND, -1, cv2.LINE_AA, _SUBPIXELS)
    return cv2.resize(fine, frame.size, interpolation=cv2.INTER_AREA)


def _visible_faces(frame: Frame) -> np.ndarray:
    """(F,) bool: faces of the skin of which pixels show a triangle."""
    faces = frame.model.skin.faces
    shown = np.zeros(len(frame.triangles), bool)
    shown[frame.hits.triangle] = True
    shown = shown[frame.part == 0]
    visible = shown[: len(faces)].copy()
    visible[faces[:, 3] >= 0] |= shown[len(faces) :]
    return visible


def _fixed_point(points: np.ndarray) -> np.ndarray:
    """(N, 2) positions in the final picture to int32 for OpenCV's drawing functions in the finer one."""
    return np.round(((points + 0.5) * _FINER - 0.5) * (1 << _SUBPIXELS)).astype(np.int32)
