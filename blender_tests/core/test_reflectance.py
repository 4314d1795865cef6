# SPDX-License-Identifier: GPL-3.0-or-later
"""How skin reflects, texel by texel: slopes are right, known skin comes back, and what a photo does not tell stays."""

import time
from dataclasses import replace

import numpy as np
import pytest

from blender_tests.core.test_estimate_light import Studio, lamp
from blender_tests.made_up import assert_same
from facedetail_addon.core.colour import to_linear, to_srgb8
from facedetail_addon.core.lighting.types import LightEstimate
from facedetail_addon.core.refine.reflectance import SIDE, find_reflectance, with_reflectance
from facedetail_addon.core.refine.texels import TexelProblem
from facedetail_addon.core.refine.types import ALL_TERMS, Reflectance
from facedetail_addon.core.rendering.lobes import lamp_reflection, lobe_on_disc, sky_reflection, sky_visibility
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.shade import shade
from facedetail_addon.core.rendering.stage import COUNT, LightStage
from facedetail_addon.core.skin.gloss import skin_gloss
from facedetail_addon.core.skin.types import SkinMaps
from facedetail_addon.core.uv.atlas import make_atlas

SIZE = SIDE  # texels of the maps


class Stopped(Exception):
    """What an artist's Esc raises."""


class Shining(Studio):
    """A dark head under three lamps whose forehead shines and whose cheeks are matt."""

    def __init__(self, model):
        super().__init__(model)
        self.atlas = self.fine = make_atlas(model, SIZE)
        self.gloss = skin_gloss(model)
        x, y, z = model.skin.of(model.mean).T
        self.change = (0.6 * np.exp(-(((y - 55) / 25) ** 2)) - 0.6 * np.exp(-((y / 30) ** 2))) * (z > 0)
        self.rougher = 0.08 * np.cos(x / 18) * (z > 0)
        strength = np.zeros((COUNT, 3), np.float32)
        strength[[0, 4, 8, 10]] = 2.0, 2.0, 2.0
        self.stage = LightStage(strength, np.full(3, 0.3, np.float32))
        self.radiance = lamp((0.3, 0.3, 0.9), 0.6, level=0.9)
        self.albedo = 0.35 * self.basis.albedo(np.zeros(len(self.basis.modes), np.float32))
        self.shading, _ = shade(self.transfer, self.radiance, self.albedo)

    def shine(self, roughness: np.ndarray) -> np.ndarray:
        """(V, 3) of a level of 0.5, in the mean of lamps and harmonics, as the solve has it."""
        skin = self.model.skin
        points, camera = skin.of(self.fit.vertices), self.fit.perspective.position()
        normals, nodes = vertex_normals(points, skin.triangles()), np.linspace(0.25, 0.7, 6)
        where = points, normals, camera, sky_visibility(self.transfer.diffuse)
        sharp, _ = lamp_reflection(*where, self.stage, nodes)
        both = (sharp + sky_reflection(*where, self.radiance, nodes)) / 2
        at = (roughness - nodes[0]) / (nodes[1] - nodes[0])
        low = at.astype(int).clip(0, 4)
        part, rows = (at - low)[:, None], np.arange(len(at))
        return both[low, rows] * (1 - part) + both[low + 1, rows] * part

    def shown(self, level: np.ndarray, roughness: np.ndarray):
        """The photo in canonical UV, and its light, of skin with such a level and roughness."""
        colour = (self.albedo * self.shading + self.shine(roughness) * (2 * level)[:, None]).astype(np.float32)
        picture, confidence = np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((SIZE, SIZE), np.float32)
        here = self.fine.covered
        picture[here] = to_srgb8(self.fine.texels(colour).clip(0, 1))
        confidence[here] = self.fine.texels(self.seen.astype(np.float32)[:, None])[:, 0]
        usual = self.shine(self.gloss.roughness) * (2 * self.gloss.specular)[:, None]
        light = LightEstimate(
            self.radiance, np.zeros(3, np.float32), self.shading, usual.astype(np.float32), 0.05, False
        )
        return replace(self.of(colour), color=picture, confidence=confidence), light

    def on_texels(self, values: np.ndarray) -> np.ndarray:
        """(V,) values of the skin's vertices to the covered texels."""
        return self.atlas.texels(values.astype(np.float32)[:, None])[:, 0]

    def painted(self) -> SkinMaps:
        albedo = np.zeros((SIZE, SIZE, 3), np.uint8)
        albedo[self.fine.covered] = to_srgb8(self.fine.texels(self.albedo.astype(np.float32)))
        grey = np.full((SIZE, SIZE), 128, np.uint8)
        return SkinMaps(albedo, grey, grey, np.ones((SIZE, SIZE), np.float32))

    def found(self, level, roughness, skin: SkinMaps | None = None, **how) -> Reflectance:
        seen, light = self.shown(level, roughness)
        bare = (~self.model.in_region("socket")).astype(np.float32)
        relief = np.ones((SIZE, SIZE), np.float32)
        rest = self.stage, skin or self.painted(), self.gloss, bare, self.model, self.atlas, relief
        return find_reflectance(self.fit, seen, self.transfer, light, *rest, **how)


@pytest.fixture(scope="module")
def studio(model) -> Shining:
    return Shining(model)


@pytest.fixture(scope="module")
def known(studio) -> tuple[np.ndarray, np.ndarray, Reflectance]:
    """True level and roughness of the skin's vertices, and what was found of them."""
    level = (studio.gloss.specular * np.exp(studio.change)).clip(0.2, 1)
    roughness = (studio.gloss.roughness + studio.rougher).clip(0.3, 0.68)
    return level, roughness, studio.found(level, roughness)


def test_slopes_are_those_of_the_model():
    rng = np.random.default_rng(5)
    count = 40
    problem = TexelProblem(
        colour=rng.uniform(0.1, 0.8, (count, 3)), diffuse=rng.uniform(0.05, 0.6, (count, 3)),
        weight=np.ones(count), sigma=np.ones(count), clipped=np.zeros(count, bool), tint=np.array([0.6, 1.0, 1.3]),
        nodes=np.linspace(0.25, 0.7, 6), reflection=np.log(rng.uniform(0.01, 0.2, (6, count, 3))),
        share=rng.uniform(0.03, 0.2, (6, count)), roughness=rng.uniform(0.42, 0.45, count),
        lowest=np.full((count, 3), -1.0), highest=np.ones((count, 3)), precision=(),
    )  # fmt: skip
    values = rng.uniform(-0.1, 0.1, (count, 3)) * [1, 1, 0.1]
    residual, jacobian = problem.linearised(values)
    for column in range(3):
        step = np.zeros(3)
        step[column] = 1e-6
        numeric = (residual - problem.linearised(values + step)[0]) / 1e-6
        np.testing.assert_allclose(jacobian[:, :, column], numeric, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("roughness", [0.3, 0.5, 0.65])
def test_a_lobe_lies_on_the_whole_sphere(roughness):
    whole = lobe_on_disc(roughness, np.pi + 1e-3)
    np.testing.assert_allclose(whole, 1, atol=1e-6)
    disc = lobe_on_disc(roughness, np.radians(18))
    assert (np.diff(disc) <= 1e-3).all(), "the further from the mirror direction, the less"
    assert disc[0] > lobe_on_disc(0.9, np.radians(18))[0]


@pytest.mark.parametrize("name", ["specular", "roughness"])
def test_known_skin_comes_back_better_than_what_is_expected(studio, known, name):
    """There is nothing wrong with a drawn photo's light and shape, so it may count for more. Two unknowns of one
    reflection: roughness is told where the level is as expected, and then weakly."""
    level = known[0] if name == "specular" else studio.gloss.specular
    found = studio.found(level, known[1], terms=replace(ALL_TERMS, photo=10.0))
    face = studio.on_texels((studio.seen > 0.9) & studio.model.in_region("forehead", "cheeks", "nose", "chin")) > 0.99
    true, usual = known[0 if name == "specular" else 1], getattr(studio.gloss, name)
    true, usual = studio.on_texels(true)[face], studio.on_texels(usual)[face]
    change = getattr(found, name)[studio.atlas.covered][face] - usual
    assert np.corrcoef(change, true - usual)[0, 1] > 0.8
    least = {"specular": 0.4, "roughness": 0.95}[name]
    assert np.sqrt(np.mean((change + usual - true) ** 2)) < least * np.sqrt(np.mean((usual - true) ** 2))


def test_the_light_that_creases_were_painted_in_is_no_shine(studio, known):
    """Skin painted darker because there was more light there than had been estimated."""
    level, roughness, expected = known
    lighter = np.full((64, 64, 3), 0.3, np.float32)
    painted = studio.painted()
    darker = to_srgb8(to_linear(painted.albedo) * np.exp(-lighter[0, 0]))
    skin = replace(painted, albedo=darker, creases=lighter)
    face = studio.on_texels(studio.seen > 0.9) > 0.99
    found, misled = (studio.found(level, roughness, one) for one in (skin, replace(skin, creases=None)))
    errors = [np.abs(one.specular - expected.specular)[studio.atlas.covered][face].mean() for one in (found, misled)]
    assert errors[0] < 0.01 and errors[1] > 5 * errors[0]


def test_what_the_photo_does_not_tell_stays_as_expected(studio, known):
    _, _, found = known
    behind = studio.on_texels((studio.seen == 0) & (studio.model.skin.of(studio.model.mean)[:, 2] < -40)) > 0.99
    for name in ("specular", "roughness"):
        usual = studio.on_texels(getattr(studio.gloss, name))[behind]
        np.testing.assert_allclose(getattr(found, name)[studio.atlas.covered][behind], usual, atol=0.02)
    assert np.abs(found.pigment[studio.atlas.covered][behind]).max() < 0.01


def test_expected_skin_stays_as_expected(studio):
    found = studio.found(studio.gloss.specular, studio.gloss.roughness)
    face, painted = studio.on_texels(studio.seen > 0.9) > 0.99, studio.painted()
    usual = studio.on_texels(studio.gloss.specular)[face]
    off = np.abs(np.log(found.specular[studio.atlas.covered][face] / usual))
    assert np.median(off) < 0.03 and np.percentile(off, 98) < 0.2
    after = with_reflectance(painted, found, studio.fine)
    assert np.abs(to_linear(after.albedo) - to_linear(painted.albedo))[studio.fine.covered].max() < 0.02


def test_terms_can_be_left_out(studio, known):
    level, roughness, found = known
    without = studio.found(level, roughness, terms=replace(ALL_TERMS, photo=0.0))
    place = studio.atlas.covered
    usual = studio.atlas.texels(np.column_stack([studio.gloss.specular, studio.gloss.roughness]))
    np.testing.assert_allclose(np.column_stack([without.specular[place], without.roughness[place]]), usual, atol=1e-3)
    assert np.abs(found.specular - without.specular).max() > 0.1


def test_the_same_again_and_it_stops_at_once(studio, known):
    level, roughness, found = known
    looked = []

    def going_on(done: float) -> None:
        looked.append((time.perf_counter(), done))
        if len(looked) == 12:
            raise Stopped

    with pytest.raises(Stopped):
        studio.found(level, roughness, going_on=going_on)
    times, done = np.array(looked).T
    assert (np.diff(done) >= 0).all()
    looked.clear()
    again = studio.found(level, roughness, going_on=lambda done: looked.append((time.process_time(), done)))
    assert_same(again, found)
    with_reflectance(studio.painted(), again, studio.fine, lambda done: looked.append((time.process_time(), done)))
    assert np.diff([at for at, _ in looked]).max() < 0.5


def test_skin_that_shines_all_over_shines_where_nobody_looked(studio):
    """Beyond what lamps that are too wide ask for."""
    usual = studio.gloss.specular
    found = studio.found((1.9 * usual).clip(0, 1), studio.gloss.roughness)
    place = studio.atlas.covered
    behind = studio.on_texels((studio.seen == 0) & (studio.model.skin.of(studio.model.mean)[:, 2] < -40)) > 0.99
    face = studio.on_texels(studio.seen > 0.9) > 0.99
    usual = studio.on_texels(usual)
    assert 1.2 < np.median(found.specular[place][behind] / usual[behind]) < 1.9
    off = np.log(found.specular[place][face] / (1.9 * usual[face]).clip(0, 1))
    assert np.median(np.abs(off)) < 0.5 * np.log(1.9)
