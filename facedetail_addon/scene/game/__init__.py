# SPDX-License-Identifier: GPL-3.0-or-later
"""A head for game engines: fewer faces, plain materials, a baked normal map, an armature."""
