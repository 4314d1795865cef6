# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity prior: how heads of people who look alike are shaped, learned from fits to portraits."""
