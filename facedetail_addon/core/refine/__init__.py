# SPDX-License-Identifier: GPL-3.0-or-later
"""Mid-scale form of a fitted head, from its photo's light and shade."""
