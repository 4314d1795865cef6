# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads that artists have changed: something removed or replaced, duplicates, Cycles switched off."""

import pytest

from blender_tests.scene.relief_scene import geometry, shading, show
from facedetail_addon import names

MODES = (names.ADAPTIVE, names.NORMAL_MAP, names.DISPLACE)


@pytest.fixture
def no_cycles(blender):
    """Blender without the Cycles add-on."""
    blender.ops.preferences.addon_disable(module="cycles")
    yield
    blender.ops.preferences.addon_enable(module="cycles")


def nodes_of(skin):
    return skin.material_slots[0].material.node_tree.nodes


def remove(nodes, *wanted: str) -> None:
    for name in wanted:
        nodes.remove(nodes[name])


def test_what_the_artist_made_or_removed_stays_so(head):
    root, skin = head
    tree = skin.material_slots[0].material.node_tree
    own = tree.nodes.new("ShaderNodeBump")
    socket = tree.nodes["Principled BSDF"].inputs["Normal"]
    tree.links.new(own.outputs["Normal"], socket)
    skin.modifiers.remove(skin.modifiers[names.MEDIUM_MODIFIER])
    remove(tree.nodes, "Relief Displacement")
    for mode in MODES:
        show(root, mode=mode)
        assert socket.links[0].from_node == own
        assert shading(skin) == (True, False)
        assert names.MEDIUM_MODIFIER not in skin.modifiers


@pytest.mark.parametrize(
    "change",
    [
        lambda skin: remove(nodes_of(skin), "Principled BSDF"),
        lambda skin: remove(nodes_of(skin), "Material Output"),
        lambda skin: nodes_of(skin).clear(),
        lambda skin: skin.data.materials.clear(),
        lambda skin: setattr(skin.material_slots[0], "material", None),
        lambda skin: setattr(skin.material_slots[0].material, "use_nodes", False),
        lambda skin: skin.modifiers.remove(skin.modifiers["Subdivision"]),
        lambda skin: skin.__setitem__(names.FINE_LEVEL_PROPERTY, "fine"),
    ],
    ids=["shader", "output", "all nodes", "slots", "material", "use of nodes", "subdivision", "level"],
)
def test_sliders_go_on_without_what_was_removed(head, change):
    root, skin = head
    change(skin)
    for mode in MODES:
        show(root, mode=mode, strength=0.5, render_level=5)
    assert skin.modifiers[names.MEDIUM_MODIFIER].strength == pytest.approx(0.0005)
    assert geometry(skin)[names.MEDIUM_MODIFIER] == (True, True)


def test_a_level_made_something_else_leaves_pores_to_shading(head):
    root, skin = head
    skin[names.FINE_LEVEL_PROPERTY] = "fine"
    show(root, viewport_level=5, render_level=5)
    assert geometry(skin)[names.FINE_MODIFIER] == (False, False)
    assert shading(skin) == (True, False)


def test_the_output_is_displaced_where_the_shader_was_removed(head):
    root, skin = head
    remove(nodes_of(skin), "Principled BSDF")
    show(root, mode=names.ADAPTIVE)
    assert nodes_of(skin)["Material Output"].inputs["Displacement"].is_linked


def test_the_artists_own_material_stays_as_it_is(blender, head):
    root, skin = head
    ours, own = skin.material_slots[0].material, blender.data.materials.new("own")
    own.use_nodes, own.displacement_method = True, "DISPLACEMENT"
    skin.material_slots[0].material = own
    for mode in MODES:
        show(root, mode=mode)
        assert own.displacement_method == "DISPLACEMENT"
        assert (len(own.node_tree.nodes), len(own.node_tree.links)) == (2, 1)
    skin.data.materials.append(ours)
    show(root, mode=names.ADAPTIVE)
    assert ours.node_tree.nodes["Material Output"].inputs["Displacement"].is_linked, "found in whichever slot it is"


def test_the_artists_own_displacement_stays_as_it_is(head):
    root, skin = head
    material = skin.material_slots[0].material
    tree = material.node_tree
    own = tree.nodes.new("ShaderNodeDisplacement")
    tree.links.new(own.outputs["Displacement"], tree.nodes["Material Output"].inputs["Displacement"])
    material.displacement_method = "DISPLACEMENT"
    for mode in MODES:
        show(root, mode=mode)
        assert tree.nodes["Material Output"].inputs["Displacement"].links[0].from_node == own
        assert material.displacement_method == "DISPLACEMENT"


@pytest.fixture(params=[False, True], ids=["Shift D", "Alt D"])
def duplicate(blender, head, request):
    """The root and the skin of the head's duplicate as Blender makes it; with Alt D it has the same meshes."""
    from facedetail_addon.scene.head_object import HeadObject

    for item in (head[0], *head[0].children):
        item.select_set(True)
    blender.ops.object.duplicate(linked=request.param)
    root = next(item for item in blender.context.selected_objects if item.type == "EMPTY")
    skin = HeadObject(root).skin
    assert skin.material_slots[0].material == head[1].material_slots[0].material
    assert (skin.data == head[1].data) == request.param
    return root, skin


def test_a_duplicate_shows_its_relief_otherwise(head, duplicate):
    show(duplicate[0], mode=names.ADAPTIVE)
    assert (shading(head[1]), shading(duplicate[1])) == ((True, False), (False, True))
    assert geometry(head[1])[names.MEDIUM_MODIFIER] == (True, True)
    assert geometry(duplicate[1])[names.MEDIUM_MODIFIER] == (False, False)
    show(head[0], mode=names.NORMAL_MAP, strength=0.5)
    show(duplicate[0], mode=names.NORMAL_MAP, strength=2)
    weights = [nodes_of(skin)["Relief Normals"].inputs[1].default_value[0] for skin in (head[1], duplicate[1])]
    assert weights[1] == 4 * weights[0]


def test_a_duplicate_gets_one_material_of_its_own_and_shares_the_rest(blender, head, duplicate):
    before, shared = set(blender.data.materials), head[1].material_slots[0].material
    for mode in (*MODES, *MODES):
        show(duplicate[0], mode=mode)
        show(head[0], mode=mode)
    made = set(blender.data.materials) - before
    assert made == {duplicate[1].material_slots[0].material}
    assert head[1].material_slots[0].material == shared
    eyes = [next(item for item in root.children if "eye_left" in item.name) for root in (head[0], duplicate[0])]
    assert eyes[0].material_slots[0].material == eyes[1].material_slots[0].material
    blender.ops.object.delete()
    count = len(blender.data.materials)
    show(head[0], mode=names.ADAPTIVE)
    assert len(blender.data.materials) == count


def test_heads_are_built_and_shown_without_cycles(blender, no_cycles, head):
    from facedetail_addon.scene.head_object import HeadObject

    root, skin = head
    assert not hasattr(skin, "cycles")
    assert HeadObject.of(skin).skin == skin
    show(root, mode=names.NORMAL_MAP)
    assert shading(skin) == (True, False)
    show(root)
    assert geometry(skin)[names.MEDIUM_MODIFIER] == (True, True)
    show(root, mode=names.ADAPTIVE)
    assert shading(skin) == (False, True), "engines that displace without Cycles do so"


def test_adaptive_without_cycles_is_told_and_works_once_it_is_back(blender, registered, head, no_cycles):
    from facedetail_addon.ui.relief import relief_texts

    root, skin = head
    settings, scene = root.facedetail_relief, blender.context.scene
    settings.mode = names.ADAPTIVE
    assert relief_texts(settings, scene) == ("Adaptive needs the Cycles add-on", "Pores: shading")
    blender.ops.preferences.addon_enable(module="cycles")
    assert relief_texts(settings, scene) == ("Adaptive subdivision is off", "Pores: shading")
    settings.mode = names.ADAPTIVE
    assert relief_texts(settings, scene) == ("Pores: geometry in Cycles",)
    assert skin.cycles.use_adaptive_subdivision


def test_pictures_without_cycles_are_an_error_that_names_it(blender, no_cycles, head, tmp_path):
    from facedetail_addon.core.errors import OutputError
    from facedetail_addon.scene.head_object import HeadObject
    from facedetail_addon.scene.render import render_scene

    with pytest.raises(OutputError, match="Cycles"):
        render_scene(tmp_path / "render.png", HeadObject(head[0]), samples=1)
    assert not (tmp_path / "render.png").exists()
