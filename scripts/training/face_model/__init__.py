# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in head: how it gets its topology (source surface, rings, remeshing, UV) and its modes."""
