# SPDX-License-Identifier: GPL-3.0-or-later
"""How a 3D view shows the head: by one click, and after a reconstruction."""

import pytest

from facedetail_addon import names


@pytest.fixture
def screen(blender):
    """A screen with a 3D view, the add-on switched on."""
    import facedetail_addon

    facedetail_addon.register()
    yield blender.context.window_manager.windows[0].screen
    facedetail_addon.unregister()


@pytest.fixture
def view(screen):
    area = max((a for a in screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    return area, area.spaces.active


def test_one_click_changes_the_view_and_the_panel_shows_which(blender, view, build):
    from blender_tests.operators.recording_layout import draw
    from facedetail_addon.operators.view import shown_view

    build()
    area, space = view
    for choice in (names.CLAY, names.SKIN, names.RENDERED, names.SKIN, names.CLAY):
        with blender.context.temp_override(window=blender.context.window_manager.windows[0], area=area):
            assert blender.ops.facedetail.view(view=choice) == {"FINISHED"}
        assert shown_view(space.shading) == choice
    shown = [button.view for button in draw("FACEDETAIL_PT_result").buttons if hasattr(button, "view")]
    assert shown == [names.CLAY, names.SKIN, names.RENDERED]
    space.shading.type = "WIREFRAME"
    assert shown_view(space.shading) == ""
    with pytest.raises(RuntimeError, match="3D views"):
        blender.ops.facedetail.view()


@pytest.fixture
def build(blender, model, reconstruction_of):
    """The function that builds a head and selects it, as a reconstruction does."""
    from facedetail_addon.scene.build.scene import build_scene

    def make(photo_name: str = "made up.png"):
        made = build_scene(reconstruction_of(model, photo_name=photo_name), model)
        made.select(blender.context.view_layer)
        return made

    return make


def seen_alone(bpy, space) -> set[str]:
    """Objects that a view in Local View shows."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return {item.name for item in bpy.context.scene.objects if item.evaluated_get(depsgraph).local_view_get(space)}


def test_a_head_in_a_cube_is_shown_alone_and_the_panel_leads_back(blender, screen, view, build):
    from blender_tests.operators.recording_layout import draw
    from facedetail_addon.operators.view import look_at_new_head

    area, space = view
    window = blender.context.window_manager.windows[0]
    blender.ops.mesh.primitive_cube_add()
    first = build()
    look_at_new_head(window, first)
    assert seen_alone(blender, space) == {first.root.name, *(item.name for item in first.objects)}
    assert [item.name for item in blender.context.selected_objects] == ["made up skin"], "as before"
    assert blender.context.active_object == first.skin
    panel = draw("FACEDETAIL_PT_result", local_view=space.local_view)
    assert "Local View" in " ".join(panel.of("label")) and "view3d.localview" in panel.of("operator")
    assert "view3d.localview" not in draw("FACEDETAIL_PT_result").of("operator")
    second = build("second.png")
    look_at_new_head(window, second)
    seen = seen_alone(blender, space)
    assert {"made up skin", "second skin", "second camera"} <= seen and "Cube" not in seen
    with blender.context.temp_override(window=window, area=area):
        assert blender.ops.facedetail.light(light=names.SUN_LIGHT) == {"FINISHED"}
    assert {item.name for item in second.objects if item.type == "LIGHT"} <= seen_alone(blender, space)
    region = next(region for region in area.regions if region.type == "WINDOW")
    with blender.context.temp_override(window=window, area=area, region=region):
        blender.ops.view3d.localview(frame_selected=False)


def test_what_is_not_in_the_way_stays_in_view(blender, screen, view, build):
    from facedetail_addon.operators.view import is_covered, look_at_new_head
    from facedetail_addon.scene.frames import in_world

    layer, window = blender.context.view_layer, blender.context.window_manager.windows[0]
    blender.ops.mesh.primitive_cube_add(location=(0, 3, 0))
    cube = blender.context.active_object
    build("another.png")
    head = build()
    assert not is_covered(head, layer), "a cube behind it, and a head beside it"
    look_at_new_head(window, head)
    assert view[1].local_view is None
    cube.location, cube.scale = in_world(head.camera).translation, (0.1, 0.1, 0.1)
    assert is_covered(head, layer), "before the camera"
    cube.hide_set(True)
    assert not is_covered(head, layer)


def test_a_new_head_is_seen_in_colour_through_its_camera(blender, screen, view, build):
    from facedetail_addon.operators.view import look_at_new_head

    space = view[1]
    shading = space.shading
    shading.type, shading.color_type, shading.light, shading.studio_light = "SOLID", "MATERIAL", "STUDIO", "Default"
    look_at_new_head(blender.context.window_manager.windows[0], build())
    assert (shading.color_type, space.region_3d.view_perspective) == ("TEXTURE", "CAMERA")
    assert shading.studio_light == "paint.sl", "Blender's first light shows skin much darker than photos do"


def test_skin_is_in_bright_light_and_clay_is_not_but_the_artists_own_light_stays(blender, view):
    area, space = view
    shading = space.shading
    shading.type, shading.light = "SOLID", "STUDIO"

    def lights(first: str) -> list[str]:
        shading.studio_light = first
        found = []
        for choice in (names.SKIN, names.CLAY):
            with blender.context.temp_override(window=blender.context.window_manager.windows[0], area=area):
                blender.ops.facedetail.view(view=choice)
            found.append(shading.studio_light)
        return found

    assert lights("Default") == ["paint.sl", "Default"]
    assert lights("rim.sl") == ["rim.sl", "rim.sl"]


@pytest.mark.parametrize(("kind", "color"), [("SOLID", "SINGLE"), ("SOLID", "OBJECT"), ("WIREFRAME", "MATERIAL")])
def test_shading_that_the_artist_has_chosen_stays(blender, screen, view, build, kind, color):
    from facedetail_addon.operators.view import look_at_new_head

    shading = view[1].shading
    shading.type = "SOLID"
    shading.color_type = color
    shading.type = kind
    look_at_new_head(blender.context.window_manager.windows[0], build())
    shading.type = "SOLID"
    assert shading.color_type == color


def test_solid_views_show_eyes_and_the_skins_picture(blender, model, reconstruction_of):
    """They know no nodes: the skin's picture must be the active node, and what has none needs a colour."""
    from facedetail_addon.core.face_model.model import FILM
    from facedetail_addon.scene.build.material import SkinImages, make_material
    from facedetail_addon.scene.build.scene import build_scene

    objects = build_scene(reconstruction_of(model), model).collection.objects
    skin = next(item for item in objects if item.name.endswith(" skin")).active_material
    image = skin.node_tree.nodes.active.image
    assert image.name.endswith(" albedo")
    eye = next(item for item in objects if item.name.endswith("eye_left"))
    luminance = {slot.name.rsplit(" ", 1)[1]: sum(slot.material.diffuse_color[:3]) for slot in eye.material_slots}
    assert luminance["iris"] < 0.2 * luminance["sclera"]
    assert make_material("film", FILM, SkinImages(image, image, image)).diffuse_color[3] == 0
