# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and shade as a term of the fit: derivatives, elimination, and heads that come nearer to the truth."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from blender_tests.core.test_proxy_fit import face_distance
from facedetail_addon.core.fit.lids import with_lids_in_place
from facedetail_addon.core.fit.photometric.photo import BlurredPhoto
from facedetail_addon.core.fit.photometric.pigment import pigment_modes
from facedetail_addon.core.fit.photometric.term import PhotometricTerm, Photometry, photometric_terms
from facedetail_addon.core.fit.refine import notices
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.geometry.gradients import surface_gradient
from facedetail_addon.core.lighting.estimate import estimate_light
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import Photo
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.pipeline import fit, observe, refine, transfer_of
from facedetail_addon.core.uv.unwrap import unwrap
from facedetail_addon.settings import DRAFT, NO_DETAIL, Settings
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import sample_head

SETTINGS = Settings(resolution=512, detail=NO_DETAIL)
SIZE = 512
PEOPLE = 4
STEP = 1e-3


@dataclass(frozen=True)
class Person:
    """A drawn head: its true neutral shape, what its picture says, and the fit without light and shade."""

    neutral: np.ndarray
    photo: Observation
    head: HeadFit


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load(SETTINGS)


@pytest.fixture(scope="module")
def people(models) -> list[Person]:
    painter, model, found = make_painter(models.model), models.model, []
    for number in range(PEOPLE):
        rng = np.random.default_rng((31, number))
        sample = sample_head(rng, model, size=SIZE, yaw_deg=(0.0, 25.0)[number % 2])
        picture, _ = render_head(painter, model.vertices(sample.alpha, 0.4 * sample.beta), sample.camera, rng)
        photo = observe(Photo(picture, Path(f"drawn {number}.png"), sample.camera.focal_px, ()), models, SETTINGS)
        found.append(Person(model.vertices(sample.alpha), photo, fit((photo,), models, SETTINGS)))
    return found


@pytest.fixture(scope="module")
def look(people, models) -> Photometry:
    """Of the first."""
    photo, pose = people[0].photo, people[0].head.pose
    unwrapped = unwrap(photo.pixels, pose, models.model, models.coarse_atlas)
    transfer = transfer_of(pose, models, 3, directions=128)
    light = estimate_light(unwrapped, transfer, models.basis, models.coarse_atlas)
    return Photometry(photo.pixels, unwrapped, transfer, light, models.basis)


@pytest.fixture(scope="module")
def term(look, people, models) -> PhotometricTerm:
    return photometric_terms(0, models.prepared.photometric, look, people[0].head.pose, 1.0)[0]


@pytest.fixture(scope="module")
def values(people) -> np.ndarray:
    """(α, β) of the fit, away from the bounds of nothing in particular."""
    return np.append(people[0].head.identity, people[0].head.pose.beta).astype(np.float64)


@pytest.fixture(scope="module")
def nuisances(term) -> np.ndarray:
    return term.lit.first + 0.02 * np.random.default_rng(2).normal(size=len(term.lit.first))


def of_one_colour(term: PhotometricTerm) -> PhotometricTerm:
    """The same skin in a photo on which it does not matter where it looks."""
    flat = np.zeros_like(term.photo.values)
    flat[..., :3] = 0.3
    return replace(term, photo=BlurredPhoto(flat, term.photo.origin, term.photo.scale))


def alike(found: np.ndarray, truth: np.ndarray, least: float) -> bool:
    """In direction and length."""
    cosine = (found * truth).sum() / np.sqrt((found**2).sum() * (truth**2).sum())
    return cosine > least and abs(np.log(np.std(found) / np.std(truth))) < 1 - least


def by_differences(term, camera, values, nuisances, column, step) -> np.ndarray:
    """(N, 3) of log model − log photo, by one of the unknowns."""
    ahead, behind = values.copy(), values.copy()
    ahead[column] += step
    behind[column] -= step
    one, other = (term.compared(at, camera, nuisances)[0].residual for at in (ahead, behind))
    return (other - one) / (2 * step)


COLUMNS = (0, 3, 20, 55, 80)


@pytest.mark.parametrize("column", COLUMNS)
def test_turning_normals_change_the_model_as_derived(term, people, values, nuisances, column):
    camera, flat = people[0].head.pose.perspective, of_one_colour(term)
    rows = flat.compared(values, camera, nuisances)[1][..., column]
    assert alike(rows, by_differences(flat, camera, values, nuisances, column, 0.02), 0.96)


@pytest.mark.parametrize("column", COLUMNS)
def test_moving_vertices_change_the_photo_as_derived(term, people, values, nuisances, column):
    """By long steps: places in the photo are rounded to 1/32 of its pixels."""
    camera, flat = people[0].head.pose.perspective, of_one_colour(term)
    rows = term.compared(values, camera, nuisances)[1] - flat.compared(values, camera, nuisances)[1]
    both = [by_differences(one, camera, values, nuisances, column, 0.2) for one in (term, flat)]
    assert alike(rows[..., column], both[0] - both[1], 0.92)


def test_nuisances_change_the_model_as_derived(term, people, values, nuisances):
    camera, lit = people[0].head.pose.perspective, term.lit
    design = term.compared(values, camera, nuisances)[0].design
    gammas, lights = len(lit.gamma), lit.radiance.size
    for column in (0, 5, gammas, gammas + 4, gammas + lights - 1, gammas + lights, len(nuisances) - 1):
        ahead, behind = nuisances.copy(), nuisances.copy()
        ahead[column] += STEP
        behind[column] -= STEP
        one, other = (np.log(term.compared(values, camera, at)[0].total) for at in (ahead, behind))
        assert alike(design[..., column], (one - other) / (2 * STEP), 0.99), column


def test_elimination_is_the_joint_step(term, people, values, nuisances):
    camera, lit = people[0].head.pose.perspective, term.lit
    start = lit.without_pigment(nuisances)
    shaded, rows = term.compared(values, camera, start)
    own, right = lit.own_equations(shaded, start)
    across, ridge = lit.gram(shaded, rows, shaded.design), np.eye(len(values))
    joint = np.block([[lit.gram(shaded, rows) + ridge, across], [across.T, own]])
    step = np.linalg.solve(joint, np.append(lit.gram(shaded, rows, shaded.residual), right))
    found = term.linearised(values, camera, nuisances)
    solved = np.linalg.solve(found.equations.quadratic + ridge, found.equations.linear + values)
    np.testing.assert_allclose(solved - values, step[: len(values)], atol=1e-6)
    np.testing.assert_allclose(found.at(solved) - start, step[len(values) :], atol=1e-6)


def test_the_judge_has_found_the_best_light(term, people, values):
    """Many more steps change nothing that counts; a wrong head is explained worse."""
    camera, lit = people[0].head.pose.perspective, term.lit
    nuisances = lit.first
    for _ in range(30):
        shaded, _ = term.compared(values, camera, nuisances)
        nuisances = nuisances + np.linalg.solve(*lit.own_equations(shaded, nuisances))
    settled = term.compared(values, camera, nuisances)[0].robust
    best = np.average(1 - np.sqrt(settled), weights=lit.weight * lit.sigma**2)
    found = term.misfit(values, camera)
    assert 0 < found < 0.5 and found == pytest.approx(best, rel=0.01)
    worse = values + 0.8 * np.random.default_rng(1).normal(size=len(values))
    assert term.misfit(worse, camera) > 1.1 * found


def with_lids(one, models):
    """A person's fit with its lids on the landmarks, which lie a millimetre higher on drawn heads than in photos."""
    return with_lids_in_place(one.head, (one.photo,), models.model, models.calibration)


def test_refined_heads_are_nearer_to_the_truth(people, models):
    fitted = np.array(
        [face_distance(models.model, with_lids(one, models).vertices_neutral, one.neutral) for one in people]
    )
    refined = [refine((one.photo,), one.head, models, SETTINGS) for one in people]
    found = np.array(
        [
            face_distance(models.model, head.vertices_neutral, one.neutral)
            for head, one in zip(refined, people, strict=True)
        ]
    )
    assert any(head is not one.head for head, one in zip(refined, people, strict=True))
    assert found.mean() < 0.985 * fitted.mean(), (fitted, found)


def test_wrong_heads_are_led_back(people, models):
    rng, model, before, after = np.random.default_rng(5), models.model, [], []
    for one in people[:3]:
        alpha = one.head.alpha + rng.normal(0, 2, len(one.head.alpha)).astype(np.float32)
        pose = replace(one.head.pose, vertices=model.vertices(alpha, one.head.pose.beta))
        wrong = replace(one.head, alpha=alpha, vertices_neutral=model.vertices(alpha), poses=(pose,))
        found = refine((one.photo,), wrong, models, SETTINGS)
        assert found is not wrong and notices(wrong, found) == ()
        before.append(face_distance(model, wrong.vertices_neutral, one.neutral))
        after.append(face_distance(model, found.vertices_neutral, one.neutral))
    assert np.mean(after) < 0.8 * np.mean(before), (before, after)


def test_noise_instead_of_a_face_changes_nothing(people, models):
    one = people[0]
    noise = np.random.default_rng(6).integers(0, 256, one.photo.pixels.shape).astype(np.uint8)
    found = refine((replace(one.photo, pixels=noise),), one.head, models, SETTINGS)
    np.testing.assert_array_equal(found.vertices_neutral, with_lids(one, models).vertices_neutral)
    assert [notice.code for notice in notices(one.head, found)] == ["not_refined"]


def test_drafts_and_imported_models_stay_as_fitted_and_photos_without_pixels_tell_of_lids_alone(people, models):
    one = people[0]
    assert refine((one.photo,), one.head, models, replace(SETTINGS, quality=DRAFT)) is one.head
    imported = replace(models, prepared=replace(models.prepared, photometric=None))
    assert refine((one.photo,), one.head, imported, SETTINGS) is one.head
    assert refine((one.photo,), one.head, replace(models, prepared=None), SETTINGS) is one.head
    found = refine((replace(one.photo, pixels=None),), one.head, models, SETTINGS)
    np.testing.assert_array_equal(found.vertices_neutral, with_lids(one, models).vertices_neutral)


def test_two_photos_refine_one_head(people, models):
    photos = tuple(one.photo for one in people[:2])
    head = fit(photos, models, SETTINGS)
    found = refine(photos, head, models, SETTINGS)
    assert len(found.poses) == 2 and np.isfinite(found.vertices_neutral).all()
    again = refine(photos, head, models, SETTINGS)
    np.testing.assert_array_equal(again.vertices_neutral, found.vertices_neutral)


def test_pigment_has_the_variance_of_its_waves(model):
    """σ² K² / (K² + κ²) of Matérn's field of order 1 lies in waves longer than 2π / K."""
    modes = pigment_modes(model.skin.of(model.mean))[~model.in_region("socket")]
    kappa_squared, most_squared = 8 / 20.0**2, (2 * np.pi / 60.0) ** 2
    expected = 0.1**2 * most_squared / (most_squared + kappa_squared)
    assert np.square(modes).sum(1).mean() == pytest.approx(expected, rel=0.15)
    assert abs(modes.mean(0)).max() < 0.02, "no mode is a brightness of all"


def test_gradients_of_linear_fields_are_exact():
    """On a tilted plane of uneven triangles: the field's slope without its part along the normal."""
    rng = np.random.default_rng(3)
    side = 6
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 2, indexing="ij"), -1).reshape(-1, 2) * 2.0
    flat = np.column_stack([grid + rng.uniform(-0.5, 0.5, grid.shape), np.zeros(len(grid))])
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    corner = np.arange(side * side).reshape(side, side)
    a, b, c, d = (x.ravel() for x in (corner[:-1, :-1], corner[1:, :-1], corner[:-1, 1:], corner[1:, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32)
    slope, vertices = rng.normal(size=3), flat @ turn.T
    found = np.stack([matrix @ (vertices @ slope) for matrix in surface_gradient(vertices, triangles)], 1)
    normal = turn[:, 2]
    np.testing.assert_allclose(found, np.broadcast_to(slope - normal * (slope @ normal), found.shape), atol=1e-5)
