# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads for other programs."""
