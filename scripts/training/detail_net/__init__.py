# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deep Facial Detail Net and its training set."""
