# SPDX-License-Identifier: GPL-3.0-or-later
"""The albedo basis, learned from flat-lit portraits."""
