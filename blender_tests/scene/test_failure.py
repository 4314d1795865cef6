# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong leaves the scene as it was; what goes right does not disturb what the artist has."""

import dataclasses

import pytest

KINDS = (
    "objects", "collections", "meshes", "cameras", "materials", "worlds", "node_groups", "images", "actions",
    "shape_keys", "curves", "lights", "texts", "scenes", "textures",
)  # fmt: skip


def census(bpy) -> dict[str, list[str]]:
    return {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in KINDS}


def scene_settings(scene) -> tuple:
    render, view = scene.render, scene.view_settings
    return (
        scene.camera, scene.world, render.resolution_x, render.resolution_y, render.resolution_percentage,
        view.view_transform, view.look, view.exposure, scene.world.use_fake_user,
        [(item.name, item.hide_render, item.hide_viewport) for item in scene.objects if item.type == "LIGHT"],
    )  # fmt: skip


@pytest.fixture
def furnished(blender):
    """A scene as an artist has it: a camera, a world, a size, and an object with a name that ours would like too."""
    blender.ops.wm.read_factory_settings(use_empty=False)
    scene = blender.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1234, 567, 50
    scene.objects["Cube"].name = "made up skin"
    return scene


def broken_model(model):
    """The last part lacks its UV coordinates, so the build fails near its end."""
    last = model.parts[-1]
    broken = dataclasses.replace(last, uv=last.uv[:1])
    return dataclasses.replace(model, parts=(*model.parts[:-1], broken))


def test_failure_in_the_middle(blender, furnished, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    before, settings = census(blender), scene_settings(furnished)
    with pytest.raises(IndexError):
        build_scene(reconstruction_of(model), broken_model(model))
    assert census(blender) == before
    assert scene_settings(furnished) == settings


def test_failure_gives_an_older_head_its_sun_back(blender, furnished, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.rollback import undone_on_failure

    build_scene(reconstruction_of(model), model, light="sun")
    before, settings = census(blender), scene_settings(furnished)
    with pytest.raises(KeyboardInterrupt), undone_on_failure(furnished):
        build_scene(reconstruction_of(model), model, light="sun")
        assert scene_settings(furnished) != settings
        raise KeyboardInterrupt
    assert census(blender) == before
    assert scene_settings(furnished) == settings


def test_failure_after_the_scene_is_set_up(blender, furnished, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.rollback import undone_on_failure

    build_scene(reconstruction_of(model), model, scene=furnished, use_light=False)
    before, settings = census(blender), scene_settings(furnished)
    with pytest.raises(KeyboardInterrupt), undone_on_failure(furnished):
        build_scene(reconstruction_of(model), model, light="sun")
        assert scene_settings(furnished) != settings
        raise KeyboardInterrupt
    assert census(blender) == before
    assert scene_settings(furnished) == settings


def test_reconstruction_of_another_model(blender, model, reconstruction_of):
    from facedetail_addon.core.errors import OutputError
    from facedetail_addon.scene.build.scene import build_scene

    other = dataclasses.replace(model, mean=model.mean[:-1])
    with pytest.raises(OutputError, match="another face model"):
        build_scene(reconstruction_of(model), other)


def test_artists_camera_and_light_stay_when_asked(furnished, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    settings = scene_settings(furnished)
    collection = build_scene(reconstruction_of(model), model, use_camera=False, use_light=False).collection
    assert scene_settings(furnished) == settings
    assert collection.name == "FaceDetail made up"
    assert furnished.objects["made up skin"].data.name == "Cube"


def test_two_heads_in_one_scene(blender, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    first = build_scene(reconstruction_of(model), model).collection
    second = build_scene(reconstruction_of(model), model).collection
    assert first != second
    assert set(first.objects).isdisjoint(second.objects)
    second_skin = next(item for item in second.objects if "skin" in item.name)
    for item in second.objects:
        if item.type == "MESH" and item.data.shape_keys and item.data.shape_keys.animation_data:
            for curve in item.data.shape_keys.animation_data.drivers:
                assert curve.driver.variables[0].targets[0].id == second_skin.data.shape_keys


def test_build_given_up_after_any_step(blender, furnished, model, reconstruction_of):
    """Esc while the scene is built, and another file or the end of Blender: they close the steps."""
    from facedetail_addon.core.result.pictures import encode_pictures
    from facedetail_addon.scene.build.scene import build_steps

    made = reconstruction_of(model)
    pictures = encode_pictures(made.maps)
    total = sum(1 for _ in build_steps(made.record, model, pictures))
    assert total > 60  # a pause after each shape key
    blender.ops.wm.read_factory_settings(use_empty=False)
    scene = blender.context.scene
    before, settings = census(blender), scene_settings(scene)
    for stop in (1, 2, total // 2, total):
        steps = build_steps(made.record, model, pictures, scene=scene, light="sun")
        for _ in range(stop):
            next(steps)
        assert census(blender) != before
        steps.close()
        assert census(blender) == before
        assert scene_settings(scene) == settings
