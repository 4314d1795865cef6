# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: check, start a job, build a scene, report."""
