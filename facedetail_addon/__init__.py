# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceDetail: one photo of a face becomes a posed, textured head.

Nothing here needs Blender until ``register()`` runs, so that the core can be used from plain Python.
"""


def register() -> None:
    """Make operators, panel, preferences and the command known to Blender."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Take everything back and end the worker process."""
    from . import registration

    registration.unregister()
