# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrinkles and pores: from the unwrapped photo and its light to displacement in millimetres."""
