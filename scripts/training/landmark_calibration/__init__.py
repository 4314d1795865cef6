# SPDX-License-Identifier: GPL-3.0-or-later
"""What the landmarker's points say about the built-in face model, measured on synthetic heads."""
