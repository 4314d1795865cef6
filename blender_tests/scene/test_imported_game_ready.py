# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of imported face models become game-ready with the built-in head's quads, as far as they have skin."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from blender_tests.scene.test_imported_head import adapted, face_only
from scripts.benchmark.correspondence.known_heads import kit_head

__all__ = ["face_only"]  # a fixture


@pytest.fixture(scope="module")
def kit(model, data_dir):
    return adapted(kit_head(model, data_dir, None), model)


def points_of(item) -> np.ndarray:
    keys = item.data.shape_keys
    found = np.empty(3 * len(item.data.vertices), np.float32)
    keys.reference_key.points.foreach_get("co", found)
    return found.reshape(-1, 3)


@pytest.mark.parametrize("which", ["face_only", "kit"])
def test_they_get_the_built_in_quads_where_they_have_skin(blender, reconstruction_of, request, which):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.export.material import is_clear
    from facedetail_addon.scene.game.build import make_game_head

    model = request.getfixturevalue(which)
    head = build_scene(reconstruction_of(model, expression={"jawOpen": 0.4}), model)
    game = make_game_head(head, "8k", blender.context.scene, blender.context.view_layer)
    skin = game.skin.data
    assert all(len(polygon.vertices) == 4 for polygon in skin.polygons)
    if which == "face_only":
        assert 1500 < len(skin.polygons) < 7000
    else:
        assert 7000 < len(skin.polygons) < 8200
    shown = {name for name, part in head.parts.items() if not (part.hide_render or is_clear(part))}
    assert set(game.parts) == shown >= {"skin", "teeth_upper"}
    distance, _ = cKDTree(points_of(head.skin)).query(points_of(game.skin))
    assert np.percentile(distance, 95) < 0.004, "on the head's own skin"
    opened = [np.empty(3 * len(one.skin.data.vertices), np.float32) for one in (head, game)]
    for one, found in zip((head, game), opened, strict=True):
        one.keys.key_blocks["jawOpen"].points.foreach_get("co", found)
    most = [
        np.linalg.norm(found.reshape(-1, 3) - points_of(one.skin), axis=1).max()
        for one, found in zip((head, game), opened, strict=True)
    ]
    assert most[1] == pytest.approx(most[0], rel=0.15)
