# SPDX-License-Identifier: GPL-3.0-or-later
"""How the built-in head gets its topology: source surface, rings, remeshing, UV."""
