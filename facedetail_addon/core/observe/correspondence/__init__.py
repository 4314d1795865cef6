# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the points of the canonical head lie in a photo, each with its uncertainty."""
