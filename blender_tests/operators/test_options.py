# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option is a property of Blender where it is offered there, and what is chosen comes back."""

import pytest

from blender_tests.operators.test_reconstruct import registered  # noqa: F401  fixture
from blender_tests.options import ALL, IDS, another, with_another
from facedetail_addon.jobs.last_result import key_of
from facedetail_addon.settings import OPERATOR, PANEL, Settings, options

every_option = pytest.mark.parametrize(("kind", "option"), ALL, ids=IDS)


@pytest.fixture
def properties_of(blender, registered):  # noqa: F811
    """The function that gives the properties of a place."""
    found = {
        OPERATOR: blender.ops.facedetail.reconstruct.get_rna_type().properties,
        PANEL: blender.context.scene.facedetail.bl_rna.properties,
    }
    return found.__getitem__


@every_option
@pytest.mark.parametrize("place", [OPERATOR, PANEL])
def test_it_is_a_property_where_it_is_offered(properties_of, kind, option, place):
    from facedetail_addon.operators.options import shown

    properties = properties_of(place)
    assert (option.name in properties) == (place in option.places)
    if place not in option.places:
        return
    made = properties[option.name]
    assert (made.name, made.description) == (option.label, option.help)
    assert made.default == shown(option, option.default)
    assert made.is_skip_save == (place == OPERATOR and not option.remembered)
    if option.choices:
        items = [(item.identifier, item.name, item.description) for item in made.enum_items]
        assert items == [(str(choice.value), choice.label, choice.description) for choice in option.choices]
    if option.minimum is not None:
        assert made.hard_min == (0 if option.word_for_none else option.minimum)
        assert option.maximum is None or made.hard_max == option.maximum
        assert option.soft_maximum is None or made.soft_max == shown(option, option.soft_maximum)


@pytest.mark.parametrize(("kind", "option"), [(kind, option) for kind, option in ALL if OPERATOR in option.places])
def test_what_is_chosen_comes_back(blender, registered, kind, option):  # noqa: F811
    from facedetail_addon.operators.options import chosen, shown, value_of

    for value in (option.default, another(option), *option.values):
        assert value_of(option, shown(option, value)) == value
    properties = blender.context.window_manager.operator_properties_last("facedetail.reconstruct")
    assert chosen(kind, properties) == kind()
    setattr(properties, option.name, shown(option, another(option)))
    try:
        assert chosen(kind, properties) == with_another(kind, option)
    finally:
        properties.property_unset(option.name)


@pytest.mark.parametrize("option", options(Settings), ids=lambda option: option.name)
def test_another_choice_is_another_result(tmp_path, option):
    photo = tmp_path / "photo.jpg"
    photo.touch()
    assert key_of(photo, settings=with_another(Settings, option)) != key_of(photo, settings=Settings())
    assert key_of(photo, settings=Settings()) == key_of(photo, settings=Settings())
