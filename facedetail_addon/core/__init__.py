# SPDX-License-Identifier: GPL-3.0-or-later
"""The inference core: plain functions between frozen dataclasses, no Blender anywhere.

Lengths are millimetres in the head frame (right-handed, +X to the subject's left, +Y up, +Z out of the face);
image coordinates are pixels, x right, y down, the centre of the first pixel at (0.5, 0.5).
"""
