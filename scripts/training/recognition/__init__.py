# SPDX-License-Identifier: GPL-3.0-or-later
"""dlib's face recognition network, converted."""
