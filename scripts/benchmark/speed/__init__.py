# SPDX-License-Identifier: GPL-3.0-or-later
"""How long FaceDetail takes, how much memory, and for how long it holds Blender."""
