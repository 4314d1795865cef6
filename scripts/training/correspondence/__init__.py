# SPDX-License-Identifier: GPL-3.0-or-later
"""The correspondence network: where the points of the canonical head are in a photo, and how sure that is.

What it learns from, dressed heads in real skin, also measures the face mesh's landmarks. The network itself is the
product's, :mod:`facedetail_addon.core.observe.correspondence`.
"""
