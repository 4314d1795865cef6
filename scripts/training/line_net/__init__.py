# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the network that tells lines of form from lines of paint, hair and light."""
