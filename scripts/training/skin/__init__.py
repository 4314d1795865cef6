# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural skin in canonical UV: relief, and pigment that is no relief."""
