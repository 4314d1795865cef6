# SPDX-License-Identifier: GPL-3.0-or-later
"""The correspondence network: where the points of the canonical head are in a photo, and how sure that is.

What it learns from, dressed heads in real skin, also measures the face mesh's landmarks. Its weights do not ship yet:
after 4,500 steps its points of turned heads are too far off to be of use to the fit.
"""
