# SPDX-License-Identifier: GPL-3.0-or-later
"""How well it does: each prints Markdown tables and, as its last line, one JSON object."""
