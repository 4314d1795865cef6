# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of wrinkles and pores is found."""
