# SPDX-License-Identifier: GPL-3.0-or-later
"""How well light and skin are told apart."""
