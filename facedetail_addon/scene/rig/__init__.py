# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature for a head: neck, head, jaw and eyes."""
