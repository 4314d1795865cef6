# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's segmentation of people and of hair, converted."""
