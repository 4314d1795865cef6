# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the shipped weights come from: a room for each, named as its model card, and what they share."""
