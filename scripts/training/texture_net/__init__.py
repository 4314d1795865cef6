# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the generators that complete skin: on texels, from a latent code, on the graph of vertices."""
