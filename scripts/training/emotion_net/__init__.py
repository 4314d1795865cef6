# SPDX-License-Identifier: GPL-3.0-or-later
"""Emotion-Net, trained on FER2013."""
