# SPDX-License-Identifier: GPL-3.0-or-later
"""Skins of people without their photos' light, in canonical UV, for what is learned from them."""
