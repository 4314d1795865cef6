# SPDX-License-Identifier: GPL-3.0-or-later
"""The only writer of Blender's data."""
