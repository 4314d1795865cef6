# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceDetail: one photo of a face becomes a posed, textured head.

Nothing here needs Blender until ``register()`` runs, so that the core can be used from plain Python.
"""


def register() -> None:
    """Make operators, panel, preferences and the command known to Blender.

    Where packages are missing that the add-on itself imports, there is only a panel that says so.
    """
    from . import requirements
    from .ui import requirements as notice

    if requirements.blender_problem() is not None:
        notice.register_notice()
        return
    from . import registration

    registration.register()


def unregister() -> None:
    """Take everything back and end the worker process."""
    from .ui import requirements as notice

    if notice.notice_is_registered():
        notice.unregister_notice()
        return
    from . import registration

    registration.unregister()
