# SPDX-License-Identifier: GPL-3.0-or-later
"""Form from shading: what is there comes back, paint and hair do not become form, nothing is made of nothing."""

from dataclasses import replace

import numpy as np
import pytest

from blender_tests.core.test_estimate_light import Studio, lamp
from blender_tests.made_up import assert_same
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.geometry.mesh_fields import mesh_laplacian, vertex_areas
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.masks.types import MASK_SIDE, PhotoMasks
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.pipeline import fit, observe, refine
from facedetail_addon.core.refine.form import Form, find_form, held_back, notices, with_form
from facedetail_addon.core.refine.prior import form_prior, matern_precision
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.settings import Settings

BUMP_MM, BUMP_WIDTH_MM = 1.0, 6.0
FOREHEAD = np.array([0.0, 55.0])


@pytest.fixture(scope="module")
def studio(model) -> Studio:
    return Studio(model)


@pytest.fixture(scope="module")
def lit(studio):
    """A light from the side, the photo of the mean head in it, and what is estimated of it."""
    radiance = lamp((0.8, 0.2, 0.4), 0.8)
    photo = studio.photo(radiance, np.zeros(len(studio.basis.modes)))
    return radiance, photo, studio.estimate(photo)


def bump(studio: Studio) -> np.ndarray:
    """(V_skin,) mm of a swelling on the forehead."""
    skin = studio.model.skin.of(studio.model.mean)
    beside = np.linalg.norm(skin[:, :2] - FOREHEAD, axis=1)
    return BUMP_MM * np.exp(-((beside / BUMP_WIDTH_MM) ** 2)) * (skin[:, 2] > 0)


def colours(studio: Studio, light, height: np.ndarray, stain: np.ndarray | None = None) -> np.ndarray:
    """(V_skin, 3) of the mean head with heights on it in an estimated light, with a stain of (V_skin, 3) log albedo."""
    skin, triangles = studio.model.skin.of(studio.fit.vertices), studio.model.skin.triangles()
    normals = vertex_normals(skin, triangles)
    raised = vertex_normals(skin + normals * height[:, None].astype(np.float32), triangles)
    vector = np.einsum("vkb,bc->vkc", studio.transfer.vector, light.radiance)
    change = np.einsum("vk,vkc->vc", raised - normals, vector) * studio.transfer.transmission[:, None]
    albedo = studio.basis.albedo(light.gamma) * (1 if stain is None else np.exp(stain))
    return (albedo * np.maximum(light.shading + change, 1e-3) + light.gloss).clip(0, 1)


def found(studio: Studio, light, colour: np.ndarray, masks: PhotoMasks | None = None) -> Form:
    prior = form_prior(studio.model, studio.atlas)
    return find_form(
        studio.fit, studio.of(colour), studio.transfer, light, studio.basis, masks, studio.model, studio.atlas, prior
    )


def test_a_swelling_comes_back(studio, lit):
    _, _, light = lit
    truth = bump(studio)
    form = found(studio, light, colours(studio, light, truth))
    near = np.linalg.norm(studio.model.skin.of(studio.model.mean)[:, :2] - FOREHEAD, axis=1) < 3 * BUMP_WIDTH_MM
    near &= studio.model.skin.of(studio.model.mean)[:, 2] > 0
    assert np.corrcoef(form.height_mm[near], truth[near])[0, 1] > 0.65  # across the light heights cannot be seen
    assert 0.3 * BUMP_MM < np.ptp(form.height_mm[near]) < 1.4 * BUMP_MM
    assert form.explained > 0.5


def test_nothing_is_made_of_nothing(studio, lit):
    _, _, light = lit
    form = found(studio, light, colours(studio, light, np.zeros(studio.model.skin.stop)))
    assert np.abs(form.height_mm).max() < 0.02


def test_paint_is_less_form_than_shade_is(studio, lit):
    """A brown stain and a grey one of the same luminance: shade has no colour, pigment has."""
    _, _, light = lit
    dark = -0.3 * bump(studio)[:, None]
    grey = found(studio, light, colours(studio, light, np.zeros(len(dark)), dark * np.ones(3)))
    brown = found(studio, light, colours(studio, light, np.zeros(len(dark)), dark * np.array([0.6, 1.1, 1.4])))
    assert np.abs(brown.height_mm).max() < 0.9 * np.abs(grey.height_mm).max()


def test_hair_is_left_alone(studio, lit):
    _, _, light = lit
    camera = studio.fit.perspective
    width, height = camera.image_size
    whole = Region(np.array([width / 2, height / 2]), float(max(width, height)), 0.0)
    everywhere = np.ones((MASK_SIDE, MASK_SIDE), np.float32)
    masks = PhotoMasks(whole, (width, height), everywhere, everywhere, everywhere)
    form = found(studio, light, colours(studio, light, bump(studio)), masks)
    assert not form.height_mm.any()
    bald = replace(masks, hair=np.zeros_like(everywhere))
    assert found(studio, light, colours(studio, light, bump(studio)), bald).height_mm.any()


def test_eyes_lips_and_what_is_hidden_keep_their_shape(studio, lit):
    _, _, light = lit
    rng = np.random.default_rng(1)
    noisy = colours(studio, light, np.zeros(studio.model.skin.stop)) * np.exp(
        rng.normal(size=(studio.model.skin.stop, 3))
    )
    form = found(studio, light, noisy.clip(0, 1))
    assert np.isfinite(form.height_mm).all()
    assert np.abs(form.height_mm).max() < 4
    assert not form.height_mm[studio.model.in_region("socket", "scalp", "ears", "neck")].any()


def test_noise_keeps_the_unrefined_form(studio, lit, model):
    """Vertices that were held back tell; so the head stays smooth, and a notice says why."""
    _, _, light = lit
    noise = np.exp(0.3 * np.random.default_rng(2).normal(size=(studio.model.skin.stop, 1)))
    flat = np.zeros(studio.model.skin.stop)
    head = HeadFit(np.zeros(len(model.identity_basis), np.float32), model.vertices(), (studio.fit,))
    kept = with_form(head, found(studio, light, (colours(studio, light, flat) * noise).clip(0, 1)), model)
    assert kept is head
    assert [notice.code for notice in notices(kept, model)] == ["no_form"]
    assert notices(with_form(head, Form(bump(studio).astype(np.float32), 0.5), model), model) == ()


def test_some_skin_is_held_back_in_squares(studio):
    points = studio.model.skin.of(studio.fit.vertices)
    held = held_back(points, studio.fit)
    assert_same(held, held_back(points, studio.fit))
    assert 0.05 < held.mean() < 0.25


def test_the_head_is_raised_along_its_normals_in_every_pose(studio, model):
    head = HeadFit(np.zeros(3, np.float32), model.mean.copy(), (studio.fit,))
    height = bump(studio).astype(np.float32)
    raised = with_form(head, Form(height, 0.0), model)
    normals = vertex_normals(model.skin.of(model.mean), model.skin.triangles())
    for before, after in ((model.mean, raised.vertices_neutral), (studio.fit.vertices, raised.pose.vertices)):
        moved = after - before
        assert not moved[model.skin.stop :].any()
        np.testing.assert_allclose(model.skin.of(moved), normals * height[:, None], atol=1e-4)
    assert with_form(head, Form(np.zeros_like(height), 0.0), model) is head


def test_precision_has_the_promised_deviation_and_range():
    side, step, sigma, reach = 41, 2.0, 0.7, 16.0
    x, y = np.meshgrid(np.arange(side) * step, np.arange(side) * step)
    vertices = np.column_stack([x.ravel(), y.ravel(), np.zeros(side * side)]).astype(np.float32)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    triangles = np.concatenate([
        np.column_stack([corner, corner + 1, corner + side]),
        np.column_stack([corner + 1, corner + side + 1, corner + side]),
    ])  # fmt: skip
    precision = matern_precision(
        mesh_laplacian(vertices, triangles), vertex_areas(vertices, triangles), reach, np.full(len(vertices), sigma)
    )
    covariance = np.linalg.inv(precision.toarray())
    middle = side // 2 * side + side // 2
    assert np.sqrt(covariance[middle, middle]) == pytest.approx(sigma, rel=0.08)
    away = middle + round(reach / step)
    correlation = covariance[middle, away] / np.sqrt(covariance[middle, middle] * covariance[away, away])
    assert 0.05 < correlation < 0.2


def test_a_face_that_light_explains_badly_has_folds(data_dir):
    """Glasses, a smile, brown skin that shines: most of it is an outlier beside the usual noise."""
    models = Models.load(Settings(resolution=512))
    observation = observe(read_photo(data_dir / "official_portraits" / "17.jpg"), models, Settings())
    fitted = fit((observation,), models, Settings())
    head = refine((observation,), fitted, models, Settings())
    assert notices(head, models.model) == ()
