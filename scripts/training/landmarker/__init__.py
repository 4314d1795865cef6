# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's face detector and face mesh, converted."""
