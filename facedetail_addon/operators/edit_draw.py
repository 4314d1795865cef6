# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn over the photo while a fit is edited: the head, its handles, and the pins."""

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix

from ..core.editing import EditBase, Shown
from ..core.fit.pin_notices import REACHED_PX
from .edit_view import Frame

WIRE, CLAY_AND_WIRE, CLAY = "WIRE", "BOTH", "CLAY"
_CLAY = np.float32([0.80, 0.77, 0.74])
_WIRE, _DENSE_PX = (0.25, 0.85, 1.0), 9.0
"""Edges shorter than so many pixels of the screen are drawn fainter: else they are a fog."""
_DARK, _FAINT_DARK = (0.02, 0.02, 0.02, 0.9), (0.02, 0.02, 0.02, 0.45)
_PIN, _GRABBED = (1.0, 0.93, 0.35, 1.0), (1.0, 0.55, 0.1, 1.0)
_PULLED, _HIDDEN = (1.0, 0.25, 0.2, 1.0), (0.6, 0.6, 0.6, 1.0)
_HANDLE = (1.0, 1.0, 1.0, 0.6)
_PIN_RADIUS, _HANDLE_RADIUS, _RING, _LINE = 5.0, 2.2, 1.6, 1.3
"""Points of the screen."""
_CORNERS = 16
_SAMPLE = 50  # of how many edges one is measured
_NEARER = -2e-3  # of the wire than of the clay, in depth


class EditDrawing:
    """Batches of one head, made again when it moves; and an image of it, drawn again when the view moves, too.

    Args:
        base: what is edited.
    """

    def __init__(self, base: EditBase):
        model = base.model
        self._triangles = np.ascontiguousarray(model.solid_triangles(), np.int32)
        self._edges = _edges(model.skin.faces)
        self._eyes = np.zeros(len(model.mean), bool)
        for part in model.eyes.values():
            self._eyes[part.rows] = True
        self._clay = self._wire = self._shown = self._key = self._picture = None

    def draw(
        self, shown: Shown, frame: Frame, region: bpy.types.Region, look: str, opacity: float, grabbed: int | None
    ) -> None:
        """Draw all of it over a region whose photo lies in a frame."""
        scale = bpy.context.preferences.system.ui_scale
        self._draw_head(shown, frame, region, look, opacity)
        gpu.state.blend_set("ALPHA")
        _dots(_on_region(shown.handles, frame), _HANDLE_RADIUS * scale, _RING * scale, _FAINT_DARK, _HANDLE)
        dropped, placed = _on_region(shown.dropped, frame), _on_region(shown.placed, frame)
        pulled = np.linalg.norm(shown.dropped - shown.placed, axis=1) > REACHED_PX
        _lines(dropped[pulled], placed[pulled], _LINE * scale, _RING * scale)
        for which, colour in self._groups(shown, pulled, grabbed):
            _dots(dropped[which], _PIN_RADIUS * scale, _RING * scale, _DARK, colour)
        gpu.state.blend_set("NONE")

    def free(self) -> None:
        """Give the memory of the graphics card back; where it draws."""
        if self._picture is not None:
            self._picture.free()
            self._picture = None

    @staticmethod
    def _groups(shown: Shown, pulled: np.ndarray, grabbed: int | None) -> list[tuple[np.ndarray, tuple]]:
        held = shown.pins == (-1 if grabbed is None else grabbed)
        plain = ~(held | pulled | shown.hidden)
        return [(plain, _PIN), (pulled & ~held, _PULLED), (shown.hidden & ~held, _HIDDEN), (held, _GRABBED)]

    def _draw_head(self, shown: Shown, frame: Frame, region: bpy.types.Region, look: str, opacity: float) -> None:
        if opacity <= 0:
            return
        self._follow(shown)
        key = (id(shown), frame, region.width, region.height, look)
        if key != self._key:
            self._render(shown, frame, (region.width, region.height), look)
            self._key = key
        _picture_over(self._picture.texture_color, region.width, region.height, opacity)

    def _follow(self, shown: Shown) -> None:
        """Batches of the head as it is now."""
        if shown is self._shown:
            return
        colours = np.ones((len(shown.drawn), 4), np.float32)
        colours[:, :3] = shown.shade[:, None] * np.where(self._eyes[:, None], np.float32(0.95), _CLAY)
        self._clay = batch_for_shader(
            gpu.shader.from_builtin("SMOOTH_COLOR"), "TRIS", {"pos": shown.drawn, "color": colours},
            indices=self._triangles,
        )  # fmt: skip
        self._wire = batch_for_shader(
            gpu.shader.from_builtin("UNIFORM_COLOR"), "LINES", {"pos": shown.drawn}, indices=self._edges
        )
        self._shown = shown

    def _wire_strength(self, shown: Shown, frame: Frame) -> float:
        some = shown.drawn[self._edges[::_SAMPLE], :2]
        length = np.linalg.norm(some[:, 0] - some[:, 1], axis=1).mean() * frame.scale
        return float(np.clip(length / _DENSE_PX, 0.12, 0.85))

    def _render(self, shown: Shown, frame: Frame, size: tuple[int, int], look: str) -> None:
        """The head into a picture as large as the region."""
        if self._picture is None or (self._picture.width, self._picture.height) != size:
            self.free()
            self._picture = gpu.types.GPUOffScreen(*size)
        near, far = float(shown.drawn[:, 2].min()) - 1, float(shown.drawn[:, 2].max()) + 1
        with self._picture.bind():
            gpu.state.active_framebuffer_get().clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)
            gpu.state.depth_test_set("LESS_EQUAL")
            gpu.state.depth_mask_set(True)
            gpu.state.blend_set("NONE")
            with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
                gpu.matrix.load_matrix(Matrix.Identity(4))
                gpu.matrix.load_projection_matrix(_projection(frame, size, near, far, 0.0))
                shader = gpu.shader.from_builtin("SMOOTH_COLOR")
                if look == WIRE:
                    gpu.state.color_mask_set(False, False, False, False)
                self._clay.draw(shader)
                gpu.state.color_mask_set(True, True, True, True)
                if look != CLAY:
                    gpu.state.depth_mask_set(False)
                    gpu.state.blend_set("ALPHA")
                    gpu.matrix.load_projection_matrix(_projection(frame, size, near, far, _NEARER))
                    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
                    shader.bind()
                    shader.uniform_float("color", (*_WIRE, self._wire_strength(shown, frame)))
                    self._wire.draw(shader)
            gpu.state.depth_mask_set(False)
            gpu.state.depth_test_set("NONE")


def _projection(frame: Frame, size: tuple[int, int], near: float, far: float, nearer: float) -> Matrix:
    """From pixels of the photo and depth in mm to the region's clip space."""
    (width, height), (photo_width, photo_height) = size, frame.size
    across, down = (frame.right - frame.left) / photo_width, (frame.top - frame.bottom) / photo_height
    return Matrix(
        (
            (2 * across / width, 0, 0, 2 * frame.left / width - 1),
            (0, -2 * down / height, 0, 2 * frame.top / height - 1),
            (0, 0, 2 / (far - near), -(far + near) / (far - near) + nearer),
            (0, 0, 0, 1),
        )
    )


def _on_region(px: np.ndarray, frame: Frame) -> np.ndarray:
    """(N, 2) places of the photo on the region."""
    width, height = frame.size
    x = frame.left + px[:, 0] / width * (frame.right - frame.left)
    y = frame.top - px[:, 1] / height * (frame.top - frame.bottom)
    return np.stack([x, y], axis=1).astype(np.float32)


def _dots(places: np.ndarray, radius: float, ring: float, dark: tuple, light: tuple) -> None:
    """Light discs in dark rings, to be seen on any photo."""
    if len(places):
        _fill(_discs(places, radius + ring), dark)
        _fill(_discs(places, radius), light)


def _discs(places: np.ndarray, radius: float) -> np.ndarray:
    """(N · 16 · 3, 2) corners of triangles."""
    angles = np.linspace(0, 2 * np.pi, _CORNERS + 1, dtype=np.float32)
    around = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    slices = np.stack([np.zeros_like(around[:-1]), around[:-1], around[1:]], axis=1)
    return (places[:, None, None] + slices).reshape(-1, 2)


def _lines(begins: np.ndarray, ends: np.ndarray, width: float, ring: float) -> None:
    """What is left of pulls."""
    if len(begins):
        _fill(_bars(begins, ends, width / 2 + ring), _DARK)
        _fill(_bars(begins, ends, width / 2), _PULLED)


def _bars(begins: np.ndarray, ends: np.ndarray, half: float) -> np.ndarray:
    along = ends - begins
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    side = half * np.stack([-along[:, 1], along[:, 0]], axis=1)
    corners = begins + side, begins - side, ends + side, ends + side, begins - side, ends - side
    return np.stack(corners, axis=1).reshape(-1, 2)


def _fill(corners: np.ndarray, colour: tuple) -> None:
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    places = np.zeros((len(corners), 3), np.float32)
    places[:, :2] = corners
    batch = batch_for_shader(shader, "TRIS", {"pos": places})
    shader.bind()
    shader.uniform_float("color", colour)
    batch.draw(shader)


def _picture_over(texture: "gpu.types.GPUTexture", width: int, height: int, opacity: float) -> None:
    shader = gpu.shader.from_builtin("IMAGE_COLOR")
    places = [(0, 0), (width, 0), (width, height), (0, height)]
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    indices = [(0, 1, 2), (0, 2, 3)]
    batch = batch_for_shader(shader, "TRIS", {"pos": places, "texCoord": corners}, indices=indices)
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_sampler("image", texture)
    shader.uniform_float("color", (1.0, 1.0, 1.0, opacity))
    batch.draw(shader)


def _edges(faces: np.ndarray) -> np.ndarray:
    """(N, 2) int32 of the skin's faces, each once."""
    pairs = []
    for first in range(4):
        after = (first + 1) % 4
        begin, end = faces[:, first], np.where(faces[:, after] < 0, faces[:, 0], faces[:, after])
        pairs.append(np.stack([begin, end], axis=1)[begin >= 0])
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0).astype(np.int32)
