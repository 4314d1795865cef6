# SPDX-License-Identifier: GPL-3.0-or-later
"""On which devices Cycles renders: the artist's choice in the preferences, for another Blender too."""

from dataclasses import dataclass

import bpy

_CPU, _GPU, _NONE = "CPU", "GPU", "NONE"


@dataclass(frozen=True)
class Devices:
    """What Cycles renders on.

    Attributes:
        device: of the scene: ``CPU`` or ``GPU``.
        kind: of the graphics cards in the preferences: ``CUDA``, ``METAL``, …; ``NONE``: none.
        ids: of the devices that are switched on there.
    """

    device: str = _CPU
    kind: str = _NONE
    ids: tuple[str, ...] = ()


def chosen_devices(scene: bpy.types.Scene) -> Devices:
    """The artist's choice; the processor where Cycles is switched off or no graphics card is wanted."""
    preferences = _preferences()
    if preferences is None or not hasattr(scene, "cycles") or scene.cycles.device != _GPU:
        return Devices()
    kind = preferences.compute_device_type
    return Devices(_GPU, kind, tuple(item.id for item in preferences.devices if item.type in (kind, _CPU) and item.use))


def use_devices(scene: bpy.types.Scene, devices: Devices) -> None:
    """Render a scene on another Blender's devices. What this one does not have is left out."""
    preferences = _preferences()
    if devices.device == _CPU or preferences is None:
        return
    try:
        preferences.compute_device_type = devices.kind
    except TypeError:  # this Blender knows no such cards
        return
    preferences.get_devices_for_type(devices.kind)  # makes the list; asking for every kind may crash with a bad driver
    for item in preferences.devices:
        item.use = item.id in devices.ids
    scene.cycles.device = devices.device


def _preferences() -> bpy.types.AddonPreferences | None:
    addon = bpy.context.preferences.addons.get("cycles")
    return addon and addon.preferences
