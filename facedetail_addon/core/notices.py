# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings that an artist should see; they stop nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """A warning an artist should see. ``code`` is stable, e.g. ``yaw``, ``face_at_border``, ``small_face``."""

    code: str
    message: str
