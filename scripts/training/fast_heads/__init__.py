# SPDX-License-Identifier: GPL-3.0-or-later
"""Grey aligned crops of random faces, hundreds a second on one core."""
