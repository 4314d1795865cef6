# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the fitted expression comes to the true one."""
