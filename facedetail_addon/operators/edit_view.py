# SPDX-License-Identifier: GPL-3.0-or-later
"""The 3D view in which a head's fit is edited: it looks through the photo's camera and shows the photo alone.

All that is changed for it is the view's and the scene's camera, and goes back when editing ends and before a file is
saved.
"""

from dataclasses import dataclass, field

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d

from ..scene.camera import show_size

_HIDDEN = ("mesh", "curve", "surf", "meta", "font", "curves", "pointcloud", "volume", "armature", "lattice", "light",
           "light_probe", "speaker", "empty", "grease_pencil")  # fmt: skip
"""Kinds of objects that would stand before the photo."""


_FILLED = 0.75  # of the region, by the head
_ZOOMS = (-30.0, 600.0)


@dataclass(frozen=True)
class Frame:
    """Where a region shows the photo: its left, bottom, right and top edge, and (width, height) of the photo."""

    left: float
    bottom: float
    right: float
    top: float
    size: tuple[int, int]

    @property
    def scale(self) -> float:
        """Pixels of the region for one of the photo."""
        return (self.right - self.left) / self.size[0]

    def to_photo(self, x: float, y: float) -> tuple[float, float]:
        """A place of the region as one of the photo."""
        return (
            (x - self.left) / (self.right - self.left) * self.size[0],
            (self.top - y) / (self.top - self.bottom) * self.size[1],
        )


@dataclass
class EditView:
    """One region of a window.

    Attributes:
        window, area, region: where it is. frame: where the photo was drawn last.
    """

    window: bpy.types.Window
    area: bpy.types.Area
    region: bpy.types.Region
    frame: Frame | None = None
    _kept: list[tuple[object, str, object]] = field(default_factory=list)

    @classmethod
    def of(cls, context: bpy.types.Context) -> "EditView | None":
        """The view that a click came from, else the largest of the window; None where there is none."""
        area = context.area if context.area is not None and context.area.type == "VIEW_3D" else None
        if area is None:
            views = [one for one in context.window.screen.areas if one.type == "VIEW_3D"]
            area = max(views, key=lambda one: one.width * one.height, default=None)
        if area is None:
            return None
        region = next(one for one in area.regions if one.type == "WINDOW")
        return cls(context.window, area, region)

    @property
    def is_there(self) -> bool:
        """Whether the window still shows it: not another workspace, editor or full screen."""
        try:
            return any(area == self.area for area in self.window.screen.areas) and self.area.type == "VIEW_3D"
        except ReferenceError:
            return False

    def show(self, scene: bpy.types.Scene, camera: bpy.types.Object, size: tuple[int, int]) -> None:
        """Look through a camera at its photo."""
        space = self.area.spaces.active
        for kind in _HIDDEN:
            self._set(space, f"show_object_viewport_{kind}", False)
        self._set(space, "use_local_camera", False)
        self._set(space, "lock_camera", False)
        self._set(space.overlay, "show_overlays", True)
        self._set(space.region_3d, "view_perspective", "CAMERA")
        for name in ("view_camera_zoom", "view_camera_offset"):
            kept = getattr(space.region_3d, name)
            self._kept.append((space.region_3d, name, kept if isinstance(kept, float) else tuple(kept)))
        self._set(space.shading, "type", "SOLID")
        self._set(scene, "camera", camera)
        self._set(camera.data, "show_background_images", True)
        for name in ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y"):
            self._set(scene.render, name, getattr(scene.render, name))
        show_size(scene, size)
        self.redraw()

    def restore(self) -> None:
        """As it was before."""
        for owner, name, value in reversed(self._kept):
            try:
                setattr(owner, name, value)
            except (ReferenceError, TypeError):  # deleted meanwhile
                continue
        self._kept.clear()

    def zoom_to(self, low: np.ndarray, high: np.ndarray) -> None:
        """Fill what is seen of the region with a part of the photo; once it was drawn.

        Args:
            low, high: (2,) corners of the part, pixels of the photo.
        """
        frame, region_3d = self.frame, self.area.spaces.active.region_3d
        if frame is None:
            return
        width, height = self.region.width, self.region.height
        left, right = (self._covered(kind) for kind in ("TOOLS", "UI"))
        room = np.array([max(width - left - right, 1), height])
        before = _zoom_factor(region_3d.view_camera_zoom)
        factor = before * (_FILLED * room / ((high - low) * frame.scale)).min()
        zoom = min(max(_zoom_of(factor), _ZOOMS[0]), _ZOOMS[1])
        factor = _zoom_factor(zoom)
        beside = ((low + high) / 2 - np.array(frame.size) / 2) * [1, -1] * frame.scale * factor / before
        beside[0] += (right - left) / 2
        region_3d.view_camera_zoom = zoom
        region_3d.view_camera_offset = (beside / (2 * factor * np.array([width, height]))).clip(-1, 1).tolist()
        self.redraw()

    def _covered(self, kind: str) -> int:
        """How much of the region's width another one lies on."""
        over = [one.width for one in self.area.regions if one.type == kind and one.width > 1]
        return max(over, default=0) if bpy.context.preferences.system.use_region_overlap else 0

    def measured(self, scene: bpy.types.Scene, size: tuple[int, int]) -> Frame | None:
        """Where the region shows the photo now; kept as ``frame``. While the region is drawn."""
        camera, region_3d = scene.camera, self.area.spaces.active.region_3d
        if camera is None or camera.type != "CAMERA":
            self.frame = None
            return None
        corners = [
            location_3d_to_region_2d(self.region, region_3d, camera.matrix_world @ corner)
            for corner in camera.data.view_frame(scene=scene)
        ]
        if any(corner is None for corner in corners):
            self.frame = None
            return None
        x, y = [corner.x for corner in corners], [corner.y for corner in corners]
        self.frame = Frame(min(x), min(y), max(x), max(y), size)
        return self.frame if max(x) - min(x) > 1 and max(y) - min(y) > 1 else None

    def has_mouse(self, event: bpy.types.Event) -> bool:
        """Whether the mouse is over the photo's region, and over no sidebar or header that lies on it."""
        x, y = event.mouse_x, event.mouse_y
        others = [one for one in self.area.regions if one.type != "WINDOW" and one.width > 1 and one.height > 1]
        return _holds(self.region, x, y) and not any(_holds(one, x, y) for one in others)

    def photo_place(self, event: bpy.types.Event) -> tuple[float, float] | None:
        """The place of the photo under the mouse; None before it was drawn."""
        if self.frame is None:
            return None
        return self.frame.to_photo(event.mouse_x - self.region.x, event.mouse_y - self.region.y)

    def redraw(self) -> None:
        """Draw it again."""
        if self.is_there:
            self.region.tag_redraw()

    def redraw_panel(self) -> None:
        """Draw the sidebar again."""
        if self.is_there:
            for region in self.area.regions:
                if region.type == "UI":
                    region.tag_redraw()

    def _set(self, owner: object, name: str, value: object) -> None:
        if hasattr(owner, name):  # kinds of objects differ from version to version
            self._kept.append((owner, name, getattr(owner, name)))
            setattr(owner, name, value)


def _zoom_factor(zoom: float) -> float:
    """How large Blender shows a camera's frame at a zoom; 1 at 29."""
    return (2**0.5 + zoom / 50) ** 2 / 4


def _zoom_of(factor: float) -> float:
    return 50 * (2 * factor**0.5 - 2**0.5)


def _holds(region: bpy.types.Region, x: int, y: int) -> bool:
    return region.x <= x < region.x + region.width and region.y <= y < region.y + region.height
