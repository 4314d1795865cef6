# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a head for looking at it."""
