# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and skin of heads that were lit by a known light, with skin of the basis and with bad photos."""

from dataclasses import replace

import numpy as np
import pytest

from blender_tests.core.unwrap_scene import camera_at, fit_of
from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.lighting.estimate import estimate_light, notices, prior_direction_of
from facedetail_addon.core.rendering.environment import environment_image, image_directions
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.shade import shade
from facedetail_addon.core.rendering.transfer import light_transfer
from facedetail_addon.core.skin.basis import load_basis
from facedetail_addon.core.skin.gloss import skin_gloss
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import UnwrappedPhoto


class Studio:
    """The mean head before a camera, its transfer, and photos of it that cost nothing."""

    def __init__(self, model, bands: int = 3):
        self.model, self.basis, self.atlas = model, load_basis(model), make_atlas(model, 128)
        self.fit = fit_of(model, camera_at(10))
        triangles = model.triangles()
        camera = self.fit.perspective.position()
        self.transfer = light_transfer(
            self.fit.vertices, triangles, model.skin.stop, camera, skin_gloss(model), bands, 200
        )
        skin = model.skin.of(self.fit.vertices)
        towards = (camera - skin) / np.linalg.norm(camera - skin, axis=1, keepdims=True)
        facing = (vertex_normals(skin, model.skin.triangles()) * towards).sum(axis=1)
        self.seen = np.clip((facing - 0.3) / 0.3, 0, 1) * ~model.in_region("socket")

    def photo(self, radiance: np.ndarray, gamma: np.ndarray) -> UnwrappedPhoto:
        albedo = self.basis.albedo(gamma)
        shading, gloss = shade(self.transfer, radiance, albedo)
        return self.of((albedo * shading + gloss).clip(0, 1))

    def of(self, colour: np.ndarray) -> UnwrappedPhoto:
        empty = np.zeros((1, 1, 3), np.uint8)
        clipped = (colour.max(axis=1) >= 0.98).astype(np.float32)
        return UnwrappedPhoto(
            empty, empty[..., 0], empty, empty[..., 0], colour.astype(np.float32), self.seen.astype(np.float32), clipped
        )

    def estimate(self, seen: UnwrappedPhoto):
        prior_direction = prior_direction_of(self.fit.perspective.rotation)
        return estimate_light(seen, self.transfer, self.basis, self.atlas, prior_direction)


@pytest.fixture(scope="module")
def studio(model) -> Studio:
    return Studio(model)


def lamp(direction, share: float, level: float = 0.8, tint=(1.0, 1.0, 1.0), bands: int = 3) -> np.ndarray:
    """(B², 3) light: even, and a share of a soft lamp."""
    radiance = np.zeros((bands**2, 3))
    direction = np.asarray(direction, float) / np.linalg.norm(direction)
    radiance[0] = np.sqrt(4 * np.pi)
    radiance[1:4] = share * radiance[0, 0] * direction[[1, 2, 0], None]
    return (radiance * level * np.asarray(tint)).astype(np.float32)


def direction_of(radiance: np.ndarray) -> np.ndarray:
    linear = (radiance[1:4] @ LUMINANCE)[[2, 0, 1]]
    return linear / np.linalg.norm(linear)


@pytest.mark.parametrize("direction", [(0.8, 0.3, 0.8), (-0.7, 0.5, 0.6), (0.1, 0.9, 0.7)])
@pytest.mark.parametrize("tone", [-1.0, 0.0, 0.8])
def test_light_of_skin_from_the_basis(studio, direction, tone):
    gamma = np.zeros(len(studio.basis.modes))
    gamma[0] = tone
    found = studio.estimate(studio.photo(lamp(direction, 0.6), gamma))
    true = np.asarray(direction) / np.linalg.norm(direction)
    assert np.degrees(np.arccos(direction_of(found.radiance) @ true)) < 8
    assert found.residual < 0.03 and not found.monochrome
    face = studio.seen > 0.9
    log = np.log(studio.basis.albedo(found.gamma) / studio.basis.albedo(gamma))[face] @ LUMINANCE
    assert abs(np.median(log)) < 0.45, "level is a guess, but not a wild one"
    assert np.std(log) < 0.05, "apart from the common factor the skin comes back"


def test_explains_the_photo_it_was_given(studio):
    """albedo · shading + gloss is the photo, whatever share of it is light."""
    seen = studio.photo(lamp((0.5, 0.5, 0.7), 0.5, level=0.6), np.zeros(len(studio.basis.modes)))
    found = studio.estimate(seen)
    again = studio.basis.albedo(found.gamma) * found.shading + found.gloss
    face = studio.seen > 0.9
    assert np.abs(again - seen.vertex_color)[face].mean() < 0.02 * seen.vertex_color[face].mean() + 0.003


def test_tinted_light_is_mostly_light(studio):
    gamma = np.zeros(len(studio.basis.modes))
    found = studio.estimate(studio.photo(lamp((0.2, 0.4, 0.9), 0.4, tint=(1.15, 1.0, 0.8)), gamma))
    tint = found.radiance[0] / found.radiance[0].mean()
    assert tint[0] > 1.04 and tint[2] < 0.95


def test_what_lies_behind_a_head_is_not_of_the_opposite_colour(studio):
    """Light before the face that is pinker than the rest: channel by channel, what is left behind is green."""
    even, front = lamp((0, 0, 1), 0.0, level=0.1), lamp((0.2, 0.4, 0.9), 0.95, level=0.6, tint=(1.15, 0.95, 1.05))
    found = studio.estimate(studio.photo(even + front, np.zeros(len(studio.basis.modes))))
    world = environment_image(found.radiance, 32)
    level = world @ LUMINANCE
    tint = world / level[..., None] / (found.radiance[0] / (found.radiance[0] @ LUMINANCE))
    behind = image_directions(32)[..., 2] < -0.7
    assert level[behind].mean() < 0.5 * level.mean(), "there is less light behind"
    assert np.abs(np.log(tint)).max() < 0.2


@pytest.mark.parametrize("seen", ["lamp", "skin"])
def test_two_lamps_of_different_colours_are_told_from_skin(studio, seen):
    """Where the photo shows it light may well change its colour from side to side."""
    red, blue = lamp((0.9, 0.1, 0.5), 0.9, 0.4, (1.3, 0.95, 0.7)), lamp((-0.9, 0.1, 0.5), 0.9, 0.4, (0.75, 0.97, 1.35))
    gamma = np.zeros(len(studio.basis.modes))
    found = studio.estimate(studio.photo(red + blue, gamma))
    if seen == "lamp":
        sides = found.radiance[3] / found.radiance[0]  # the band that goes from right to left
        assert sides[0] > sides[2] + 0.1, "red from the subject's left, blue from the right"
    else:
        face = studio.seen > 0.9
        log = np.log(studio.basis.albedo(found.gamma) / studio.basis.albedo(gamma))[face]
        assert np.std(log[:, 0] - log[:, 2]) < 0.06


def test_five_bands(model):
    studio = Studio(model, bands=5)
    found = studio.estimate(studio.photo(lamp((0.7, 0.4, 0.8), 0.6, bands=5), np.zeros(len(studio.basis.modes))))
    assert found.radiance.shape == (25, 3)
    true = np.array([0.7, 0.4, 0.8]) / np.linalg.norm([0.7, 0.4, 0.8])
    assert np.degrees(np.arccos(direction_of(found.radiance) @ true)) < 10


def codes(found, seen) -> set[str]:
    return {notice.code for notice in notices(found, seen)}


def bad_photos(studio: Studio) -> dict[str, tuple[np.ndarray, str]]:
    good = studio.photo(lamp((0.3, 0.5, 0.8), 0.5), np.zeros(len(studio.basis.modes))).vertex_color
    skin = studio.model.skin.of(studio.model.mean)
    half = np.where(skin[:, :1] > 0, 0.05, 1.0)
    rng = np.random.default_rng(2)
    glasses = np.where(rng.random((len(skin), 1)) < 0.65, rng.uniform(0.05, 3, (len(skin), 1)), 1.0)
    return {
        "saturated": (np.minimum(good * 6, 1), "overexposed"),
        "nearly black": (good * 0.01, "underexposed"),
        "no colours": (np.repeat(good @ LUMINANCE[:, None], 3, axis=1), "monochrome"),
        "red light": (good * [1.6, 0.3, 0.15], "coloured_light"),
        "half in shadow": (good * half, ""),
        "patches": (good * glasses, "light_uncertain"),
    }


@pytest.mark.parametrize("name", ["saturated", "nearly black", "no colours", "red light", "half in shadow", "patches"])
def test_bad_photos_stay_bounded_and_are_told(studio, name):
    colour, code = bad_photos(studio)[name]
    seen = studio.of(colour.clip(0, 1))
    found = studio.estimate(seen)
    for values in (found.radiance, found.gamma, found.shading, found.gloss):
        assert np.isfinite(values).all()
    assert found.shading.min() > 0 and found.shading.max() < 20 and np.abs(found.gamma).max() < 8
    albedo = studio.basis.albedo(found.gamma)[studio.basis.known > 0.9]
    assert 0.01 < albedo.mean() < 0.8
    if code:
        assert code in codes(found, seen)
    if name == "no colours":
        assert np.ptp(found.radiance, axis=1).max() < 0.02 * np.abs(found.radiance).max()
    if name == "half in shadow":
        assert direction_of(found.radiance)[0] < -0.2, "light comes from the lit side"


def test_nothing_seen(studio):
    good = studio.photo(lamp((0, 0, 1), 0.3), np.zeros(len(studio.basis.modes)))
    unseen = replace(good, vertex_confidence=np.zeros_like(good.vertex_confidence))
    found = studio.estimate(unseen)
    assert np.isfinite(found.radiance).all() and not found.gamma.any()
    assert codes(found, unseen) == {"light_unseen"}


def test_good_photos_give_no_warning(studio):
    seen = studio.photo(lamp((0.2, 0.4, 0.9), 0.4), np.zeros(len(studio.basis.modes)))
    assert codes(studio.estimate(seen), seen) == set()


def test_same_photo_same_light(studio):
    seen = studio.photo(lamp((0.6, 0.2, 0.8), 0.5), np.zeros(len(studio.basis.modes)))
    one, other = studio.estimate(seen), studio.estimate(seen)
    np.testing.assert_array_equal(one.radiance, other.radiance)
    np.testing.assert_array_equal(one.gamma, other.gamma)
