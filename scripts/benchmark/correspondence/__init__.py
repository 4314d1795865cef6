# SPDX-License-Identifier: GPL-3.0-or-later
"""How well external heads are matched to the built-in head."""
