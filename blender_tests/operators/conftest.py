# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests of heads with the add-on switched on."""

import pytest


@pytest.fixture
def add_on(blender):
    import facedetail_addon

    facedetail_addon.register()
    yield
    blender.ops.wm.read_factory_settings(use_empty=True)
    facedetail_addon.unregister()


@pytest.fixture
def build(blender, add_on, model, reconstruction_of):
    """The function that builds a head and selects it."""
    from facedetail_addon.scene.build.scene import build_scene

    def made(name: str = "made up.png"):
        head = build_scene(reconstruction_of(model, expression={"jawOpen": 0.3}, photo_name=name), model)
        head.select(blender.context.view_layer)
        return head

    return made


@pytest.fixture
def player(blender):
    """The function that starts and stops playback as a click in a window does."""

    def window():
        return blender.context.window_manager.windows[0]  # another after another file

    def click() -> None:
        area, screen = window().screen.areas[0], window().screen
        with blender.context.temp_override(window=window(), screen=screen, area=area):
            blender.ops.screen.animation_play()

    yield click
    if window().screen.is_animation_playing:
        click()
