# SPDX-License-Identifier: GPL-3.0-or-later
"""Building, measuring and training: ``python -m scripts.…`` from the root of the repository."""
