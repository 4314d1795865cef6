# SPDX-License-Identifier: GPL-3.0-or-later
"""The correspondence network: where the points of the canonical head are in a photo, and how sure that is."""
