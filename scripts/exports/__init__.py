# SPDX-License-Identifier: GPL-3.0-or-later
"""Exported heads, read back by programs that are not Blender."""
