# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose face a photo shows, as numbers, and what such faces are usually shaped like."""
