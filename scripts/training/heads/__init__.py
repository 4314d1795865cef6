# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic photos of heads with known shape."""
