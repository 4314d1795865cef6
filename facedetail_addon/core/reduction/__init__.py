# SPDX-License-Identifier: GPL-3.0-or-later
"""A head with fewer faces: what it takes over from the whole one, and a normal map of what it lacks."""
