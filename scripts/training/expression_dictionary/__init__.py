# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression dictionary of a face model."""
