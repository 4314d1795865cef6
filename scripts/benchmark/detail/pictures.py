# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of relief: as grey maps, and on the head beside the photo."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear, to_srgb8
from facedetail_addon.core.detail.normal_map import flat_detail
from facedetail_addon.core.detail.space import BOX, SIDE, VALUE_UNIT
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.result.preview import head_box, render_preview
from facedetail_addon.core.result.preview_frame import trace_frame
from facedetail_addon.core.result.preview_panels import RAKING_LIGHTS, clay, surface_of, with_relief
from facedetail_addon.core.result.record import Reconstruction

MEDIUM_WHITE_MM, FINE_WHITE_MM = 0.4, 0.1
_VALUE_WHITE = 3.0
_PANEL_PX = 1200  # height of the head; the face is cut out of it
_ABOVE, _BESIDE = 0.45, 0.06  # of the landmarks' extent: the forehead, and a margin
_PANELS = 6  # of a preview
_PHOTO, _RAKING, _RELIT = 0, 3, 4
_DARK = 60
_LINED_PX = 900  # height of a lined face's pictures
_OUTLINE = (90, 150, 230)


def grey(values: np.ndarray, white: float) -> np.ndarray:
    """(H, W) to uint8: 0 is middle grey, ``white`` is white, −white is black."""
    return (127.5 + values * np.float32(127.5 / white)).clip(0, 255).astype(np.uint8)


def write_skin(
    path: Path, value: np.ndarray, truth: np.ndarray, ours: np.ndarray, linear: np.ndarray, where: np.ndarray
) -> None:
    """Photo's fine brightness | true relief | ours | linear shape from shading, dark where nothing is compared.

    Args:
        path: without suffix. value, truth, ours, linear: (H, W). where: (H, W) bool.
    """
    shown = [grey(value, _VALUE_WHITE), *(grey(relief, MEDIUM_WHITE_MM) for relief in (truth, ours, linear))]
    rows, columns = (np.flatnonzero(where.any(axis=axis)) for axis in (1, 0))
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    _write(path.with_suffix(".png"), np.hstack([np.where(where, one, np.uint8(_DARK))[part] for one in shown]))


def write_photo(folder: Path, name: str, found: Reconstruction, model: FaceModel, change: np.ndarray) -> None:
    """Photo | smooth clay in raking light | the same with relief | skin with relief in the photo's light; and maps.

    Args:
        name: of the pictures. change: (H, W) over BOX, what the relief makes of the value channel.
    """
    albedo = found.maps["albedo"]
    flat = {"albedo": _shaded(albedo, change), "normal": flat_detail(albedo.shape[0]).normal}
    shaded = replace(found, maps={**found.maps, **flat})
    detailed, plain = (_panels(render_preview(one, model, _PANEL_PX)) for one in (found, shaded))
    face = _face(found, model, detailed[_PHOTO].shape)
    strip = [panel[face] for panel in (detailed[_PHOTO], plain[_RAKING], detailed[_RAKING], plain[_RELIT])]
    _write(folder / f"{name}.png", np.hstack(strip)[..., ::-1])
    x0, y0, x1, y1 = (edge * len(albedo) // SIDE for edge in BOX)
    for kind, white in (("medium", MEDIUM_WHITE_MM), ("fine", FINE_WHITE_MM)):
        _write(folder / f"{name}_{kind}.png", grey(found.maps[f"displacement_{kind}"][y0:y1, x0:x1], white))


def write_lined(
    path: Path, found: Reconstruction, model: FaceModel, relief: np.ndarray, regions: dict[str, np.ndarray]
) -> None:
    """Photo | clay in raking light with relief | map of the relief with the regions' outlines.

    Args:
        relief: (H, W) mm over BOX. regions: (H, W) bool by name.
    """
    pose, photo = found.record.pose, found.maps["photo"]
    marks = found.record.observation.landmarks.sparse_px.astype(np.float64)
    low, high = marks.min(axis=0), marks.max(axis=0)
    low = low - (high - low) * [0, _ABOVE]
    square = Region((low + high) / 2, float((high - low).max()) * (1 + 2 * _BESIDE))
    corners = square.to_photo(np.array([[0.0, 0.0], [1.0, 1.0]])).ravel()
    frame = trace_frame(pose.vertices, model, pose.perspective, (_LINED_PX, _LINED_PX), tuple(corners))
    raked = clay(with_relief(surface_of(frame), found.maps["normal"], frame), frame, RAKING_LIGHTS)
    shown = cv2.cvtColor(grey(relief, MEDIUM_WHITE_MM), cv2.COLOR_GRAY2RGB)
    for region in regions.values():
        outlines, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(shown, outlines, -1, _OUTLINE, 2)
    width = round(_LINED_PX * shown.shape[1] / shown.shape[0])
    cells = [square.crop(photo, _LINED_PX, cv2.BORDER_REPLICATE), raked, cv2.resize(shown, (width, _LINED_PX))]
    _write(path, np.hstack(cells)[..., ::-1])


def _shaded(albedo: np.ndarray, change: np.ndarray) -> np.ndarray:
    """(R, R, 3) uint8 albedo times what the relief makes of the light: to first order the same as tipped normals."""
    side = albedo.shape[0]
    x0, y0, x1, y1 = (edge * side // SIDE for edge in BOX)
    factor = np.exp(cv2.resize(change, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) * np.float32(VALUE_UNIT))
    out = albedo.copy()
    out[y0:y1, x0:x1] = to_srgb8(to_linear(albedo[y0:y1, x0:x1]) * factor[..., None])
    return out


def _face(found: Reconstruction, model: FaceModel, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a panel that show the face without scalp and neck."""
    x0, y0, x1, y1 = head_box(found, model)
    at = (found.record.observation.landmarks.sparse_px - [x0, y0]) * [shape[1] / (x1 - x0), shape[0] / (y1 - y0)]
    low, high = at.min(axis=0), at.max(axis=0)
    extent = high - low
    low -= extent * [_BESIDE, _ABOVE]
    high += extent * _BESIDE
    (left, top), (right, bottom) = (edge.clip(0, shape[1::-1]).astype(int) for edge in (low, high))
    return slice(top, bottom), slice(left, right)


def _panels(preview: np.ndarray) -> list[np.ndarray]:
    """The pictures of which a preview is a row; all are equally wide, with gaps between them."""
    gap = max(2, preview.shape[0] // 192)
    width = (preview.shape[1] + gap) // _PANELS - gap
    return [preview[:, k * (width + gap) :][:, :width] for k in range(_PANELS)]


def _write(path: Path, picture: np.ndarray) -> None:
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"{path} could not be written")
