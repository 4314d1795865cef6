# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two photos of a person give the same head, and whether its outline lies on theirs."""
