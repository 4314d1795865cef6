# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of heads with known relief, light and pigment."""
