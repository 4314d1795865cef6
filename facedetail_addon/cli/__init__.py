# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: many photos, their progress, and the manifest of what became of them."""
