# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin's relief: as geometry, as true displacement in Cycles, or as shading, each with the same sliders.

Heights are millimetres along the smooth normal. So adaptive displacement and the medium Displace modifier show them;
the fine modifier, and that of unseen skin after it, go along the normals of the mesh that the medium one has displaced:
the nearest a modifier can do. What is geometry is never shading as well, and the other way round.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import bpy
import numpy as np

from ...core.face_model.model import FaceModel
from ...names import (
    ADAPTIVE,
    DISPLACE,
    FINE_LEVEL_PROPERTY,
    FINE_MODIFIER,
    GROWTH_PROPERTY,
    MEDIUM_MODIFIER,
    NORMAL_MAP,
    UNSEEN_MODIFIER,
    WRINKLE_MODIFIER,
)
from ..head_object import HeadObject
from ..posing import is_posed, unposed
from ..space import METRES_PER_MM
from ..units import measured_scale, mesh_scale
from .adaptive import allow_adaptive, subdivision_of, switch_adaptive
from .changes import assign
from .density import default_level, fine_level
from .dragged import begin_drag, end_drag, go_on_dragging
from .material import own_relief_material
from .nodes import ReliefImages, ReliefWeights, add_relief_nodes, weigh_relief
from .order import put_rigs_first
from .posed import drop_pose_nodes
from .wrinkles import add_wrinkles

_SAME_SCALE = 0.01
"""Less than this is a change of shape, as by sculpting."""


@dataclass(frozen=True)
class Relief:
    """How a head shows its relief.

    Attributes:
        mode: ``DISPLACE``: by modifiers; ``ADAPTIVE``: by displacement in Cycles with adaptive subdivision (without the
            Cycles add-on by displacement as far as the mesh is fine enough); ``NORMAL_MAP``: by shading alone.
        strength: of all relief, 1 as found in the photo. medium, fine: of wrinkles and folds, and of pores and lines.
        unseen: of what is put where the photo shows no skin; shown as fine relief is.
        viewport_level, render_level: of the skin's Subdivision.
    """

    mode: str = DISPLACE
    strength: float = 1.0
    medium: float = 1.0
    fine: float = 1.0
    unseen: float = 1.0
    viewport_level: int = 2
    render_level: int = 3


def add_relief(head: HeadObject, model: FaceModel, images: ReliefImages, shares: Mapping[str, np.ndarray]) -> None:
    """Give a head its relief: modifiers, material nodes; shown as ``Relief()`` says, at levels that make the skin about
    as fine as the built-in one.

    Args:
        head: its skin has the face model's material and a Subdivision modifier; it remembers from which level on its
            mesh can carry the fine relief.
        model: the face model of it.
        shares: of the relief that belongs to the photo's expression, as :func:`add_wrinkles` takes them.
    """
    skin = head.skin
    uv_map = skin.data.uv_layers[0].name
    fades = add_wrinkles(skin, model, shares, images.medium.name.replace("medium relief", "wrinkles"))
    shown = ((MEDIUM_MODIFIER, images.medium), (FINE_MODIFIER, images.fine), (UNSEEN_MODIFIER, images.unseen))
    for name, image in shown:
        if image is not None:
            _add_displace(skin, name, uv_map, image, WRINKLE_MODIFIER if fades else "")
    add_relief_nodes(skin.material_slots[0].material.node_tree, images, uv_map, fades=fades)
    skin[FINE_LEVEL_PROPERTY] = fine_level(model)
    relief = Relief(
        viewport_level=default_level(model, Relief.viewport_level),
        render_level=default_level(model, Relief.render_level),
    )
    set_relief(head, relief)
    _show_on_sliders(head, relief)


def relief_skin(head: HeadObject) -> bpy.types.Object | None:
    """The skin of a head that was built with relief; None where there is none to show."""
    skin = head.skin
    return skin if skin is not None and FINE_LEVEL_PROPERTY in skin else None


def known_fine_level(skin: bpy.types.Object) -> int | None:
    """The Subdivision level from which on a skin can carry the fine relief; None where the artist has changed it."""
    level = skin[FINE_LEVEL_PROPERTY]
    return level if isinstance(level, int) else None


def set_relief(head: HeadObject, relief: Relief) -> None:
    """Show the relief of a head otherwise; called again with the same choice it changes nothing.

    What the artist has removed (a modifier, a node, a material) stays away, and a material of the artist's own stays as
    it is. A duplicate that still shares the skin's material gets its own. A head without relief has nothing to show.
    """
    skin = relief_skin(head)
    if skin is not None:
        end_drag(skin)
        with unposed(head):
            show_relief(skin, relief)


def follow_applied_scale(item: bpy.types.Object) -> None:
    """After a scale has been applied to the mesh of a head (Ctrl A), relief and materials are as large as it is."""
    before, now = mesh_scale(item), measured_scale(item)
    if abs(now / before - 1) < _SAME_SCALE:
        return
    item[GROWTH_PROPERTY] = now - 1.0
    for modifier in item.modifiers:
        if modifier.name in (MEDIUM_MODIFIER, FINE_MODIFIER, UNSEEN_MODIFIER):
            modifier.strength *= now / before


def show_relief(skin: bpy.types.Object, relief: Relief) -> None:
    """As :func:`set_relief`, for a skin with relief."""
    medium, fine, unseen = (relief.strength * part for part in (relief.medium, relief.fine, relief.unseen))
    displace = relief.mode == DISPLACE
    level = known_fine_level(skin)
    reached = np.inf if level is None else level
    # One material serves viewport and render, so the render's level says whether fine relief is geometry or shading.
    fine_is_geometry = displace and relief.render_level >= reached
    put_rigs_first(skin)
    _set_subdivision(skin, relief)
    _set_displace(skin, MEDIUM_MODIFIER, medium, viewport=displace, render=displace)
    shown = fine_is_geometry and relief.viewport_level >= reached
    for name, factor in ((FINE_MODIFIER, fine), (UNSEEN_MODIFIER, unseen)):
        _set_displace(skin, name, factor, viewport=shown, render=fine_is_geometry)
    if relief.mode == NORMAL_MAP:
        weights = ReliefWeights(normal=medium, normal_fine=fine - medium, normal_unseen=unseen)
    elif relief.mode == ADAPTIVE:
        weights = ReliefWeights(medium=medium, fine=fine, unseen=unseen)
    elif fine_is_geometry:
        weights = ReliefWeights()
    else:
        weights = ReliefWeights(normal_fine=fine, normal_unseen=unseen)
    material = own_relief_material(skin)
    if material is not None:
        drop_pose_nodes(material)
        weigh_relief(material, weights)
    for scene in skin.users_scene:
        allow_adaptive(scene, skin, relief.mode == ADAPTIVE)


def drag_relief(head: HeadObject, relief: Relief) -> None:
    """As :func:`set_relief`, for one of many steps in which only strengths change, until :func:`end_drag`.

    In views the mesh is the same to a ten-thousandth of a millimetre, but nothing is subdivided anew. Where the fine
    relief is geometry in views, or the head is posed, it is :func:`set_relief` itself.
    """
    skin = relief_skin(head)
    if skin is None or is_posed(head) or relief.mode != DISPLACE or not begin_drag(skin):
        set_relief(head, relief)
        return
    show_relief(skin, relief)
    go_on_dragging(skin)


def _show_on_sliders(head: HeadObject, relief: Relief) -> None:
    """A model of another fineness has other levels than the sliders' defaults; without the add-on there are none."""
    sliders = head.relief_settings
    if sliders is not None and relief != Relief():
        sliders.viewport_level, sliders.render_level = relief.viewport_level, relief.render_level


def _add_displace(skin: bpy.types.Object, name: str, uv_map: str, image: bpy.types.Image, weights: str) -> None:
    texture = bpy.data.textures.new(image.name, "IMAGE")
    texture.image = image
    texture.extension = "EXTEND"
    texture.use_clamp = False  # heights below zero are heights too
    modifier = skin.modifiers.new(name, "DISPLACE")
    modifier.texture = texture
    modifier.texture_coords = "UV"
    modifier.uv_layer = uv_map
    modifier.mid_level = 0.0
    modifier.direction = "NORMAL"
    modifier.vertex_group = weights


def _set_displace(skin: bpy.types.Object, name: str, factor: float, *, viewport: bool, render: bool) -> None:
    modifier = skin.modifiers.get(name)
    if modifier is None:
        return
    assign(modifier, "strength", METRES_PER_MM * factor * mesh_scale(skin))
    assign(modifier, "show_viewport", viewport and factor > 0)
    assign(modifier, "show_render", render and factor > 0)


def _set_subdivision(skin: bpy.types.Object, relief: Relief) -> None:
    """Levels, and its place: before what displaces its vertices, or the last where Cycles is to subdivide further."""
    subdivision = subdivision_of(skin)
    if subdivision is None:
        return
    adaptive = relief.mode == ADAPTIVE
    assign(subdivision, "levels", relief.viewport_level)
    assign(subdivision, "render_levels", relief.render_level)
    switch_adaptive(skin, subdivision, adaptive)
    order = [modifier.name for modifier in skin.modifiers]
    place = order.index(subdivision.name)
    if adaptive:
        skin.modifiers.move(place, len(order) - 1)
        return
    displaced = [order.index(name) for name in (MEDIUM_MODIFIER, FINE_MODIFIER, UNSEEN_MODIFIER) if name in order]
    if displaced and place > min(displaced):
        skin.modifiers.move(place, min(displaced))
