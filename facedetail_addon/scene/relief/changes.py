# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender evaluates an object anew whenever something of it is set, be it to what it was."""

import struct

import bpy


def assign(owner: bpy.types.bpy_struct, name: str, value: object) -> None:
    """Set a property where that changes it."""
    if getattr(owner, name) != (_as_float32(value) if isinstance(value, float) else value):
        setattr(owner, name, value)


def _as_float32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]
