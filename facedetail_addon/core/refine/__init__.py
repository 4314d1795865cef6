# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing a head's picture with the photo, so that the head can be made more like the person."""
