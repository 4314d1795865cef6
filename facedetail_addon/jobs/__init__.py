# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process: its words, its starter and the process itself. No bpy here."""
