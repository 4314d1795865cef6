# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the generators that complete skin: one on texels, one on the graph of vertices."""
