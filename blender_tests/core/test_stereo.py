# SPDX-License-Identifier: GPL-3.0-or-later
"""Parallax: places of the skin that two photos show, how they are found, and what they say of the head's shape."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from blender_tests.core.test_proxy_fit import face_distance
from blender_tests.core.test_several_photos import Person, calibration, drawn  # noqa: F401 - fixtures
from blender_tests.core.unwrap_scene import camera_at, fit_of, photograph
from facedetail_addon.core.face_model.model import FACE_REGIONS
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.equations import NormalEquations
from facedetail_addon.core.fit.prepared import prepare
from facedetail_addon.core.fit.stereo import StereoTerm, stereo_term
from facedetail_addon.core.fit.types import HeadFit, SkinMatches
from facedetail_addon.core.matching import matches_between
from facedetail_addon.core.observe.types import CameraPrior, Observation
from facedetail_addon.core.rendering.normals import vertex_normals

_NOISE_PX = 0.3


@pytest.fixture(scope="module")
def prepared(model, calibration):  # noqa: F811
    return prepare(model, calibration)


def places(model, person: Person, rng: np.random.Generator, slide: int = 1) -> SkinMatches:
    """What both photos of a person show, each named by a vertex that lies beside it."""
    skin, triangles = model.skin, model.skin.triangles()
    rows = np.flatnonzero(model.in_region(*FACE_REGIONS))[::7]
    for vertices, camera in zip(person.posed, person.cameras, strict=True):
        posed = skin.of(vertices)
        towards = camera.position() - posed[rows]
        facing = (vertex_normals(posed, triangles)[rows] * towards).sum(1) / np.linalg.norm(towards, axis=1)
        rows = rows[facing > 0.5]
    beside = {int(a): int(b) for a, b in triangles[:, :2]}
    named = np.array([beside.get(int(row), int(row)) for row in rows]) if slide else rows
    first, second = (
        camera.project(skin.of(vertices)[rows].astype(np.float64)) + rng.normal(0, _NOISE_PX, (len(rows), 2))
        for vertices, camera in zip(person.posed, person.cameras, strict=True)
    )
    return SkinMatches((0, 1), named, first, second, np.ones(len(rows)))


def test_places_that_two_photos_show_bring_the_head_nearer_to_the_truth(model, calibration, prepared, drawn):  # noqa: F811
    before, after = [], []
    for number, person in enumerate(drawn[:4]):
        head = fit_dense(person.photos, model, calibration, prepared=prepared)
        before.append(face_distance(model, head.vertices_neutral, person.neutral))
        matches = places(model, person, np.random.default_rng(number))
        for _ in range(2):
            terms = [stereo_term(matches, head, prepared)]
            head = fit_dense(person.photos, model, calibration, prepared=prepared, start=head, extra=terms)
        after.append(face_distance(model, head.vertices_neutral, person.neutral))
    assert np.mean(after) < 0.75 * np.mean(before), (before, after)
    assert all(late < early for early, late in zip(before, after, strict=True))


def exact_term(model, prepared, person: Person, alpha: np.ndarray, betas: list[np.ndarray]) -> tuple:
    """The term of exact places about the true head, and the true unknowns."""
    poses = tuple(
        replace(fit_of(model, camera), vertices=vertices, beta=beta)
        for vertices, camera, beta in zip(person.posed, person.cameras, betas, strict=True)
    )
    head = HeadFit(alpha, person.neutral, poses)
    matches = places(model, person, np.random.default_rng(0), slide=0)
    exact = [
        camera.project(model.skin.of(vertices)[matches.rows].astype(np.float64))
        for vertices, camera in zip(person.posed, person.cameras, strict=True)
    ]
    term = stereo_term(replace(matches, first_px=exact[0], second_px=exact[1]), head, prepared)
    return term, np.concatenate([alpha, [0.0], *betas]).astype(np.float64)


@pytest.fixture
def exact(model, prepared):
    """A head of which everything is known, from the front and from the side."""
    rng = np.random.default_rng(3)
    alpha = rng.normal(0, 1, len(model.identity_basis)).astype(np.float32)
    betas = [np.zeros(len(model.expression_names), np.float32), np.zeros(len(model.expression_names), np.float32)]
    betas[1][model.expression_names.index("jawOpen")] = 0.4
    posed = tuple(model.vertices(alpha, beta) for beta in betas)
    cameras = (camera_at(0.0), camera_at(35.0))
    return exact_term(model, prepared, Person(model.vertices(alpha), posed, cameras, ()), alpha, betas), cameras


def _known(strength: float) -> tuple[NormalEquations, NormalEquations]:
    return tuple(NormalEquations(strength * np.eye(6), np.zeros(6)) for _ in range(2))


def _pull(term: StereoTerm, values: np.ndarray, identities: int, cameras, known) -> np.ndarray:
    equations = term.equations(values, identities, cameras, known)
    return equations.linear - equations.quadratic @ values


def test_the_true_head_is_pulled_nowhere_and_another_back_to_it(model, exact):
    (term, truth), cameras = exact
    identities, known = len(model.identity_basis) + 1, _known(1e9)
    assert np.abs(_pull(term, truth, identities, cameras, known)).max() < 1e-2
    rng = np.random.default_rng(1)
    for _ in range(3):
        away = truth + 0.02 * rng.normal(size=len(truth))
        equations = term.equations(away, identities, cameras, known)
        pull = equations.linear - equations.quadratic @ away
        expected = equations.quadratic @ (truth - away)
        assert np.linalg.norm(pull - expected) < 0.05 * np.linalg.norm(expected), "linear near the truth"


def test_places_named_by_points_beside_them_say_the_same(model, prepared, exact):
    (term, truth), cameras = exact
    slid = replace(term, points=term.points.only(np.roll(np.arange(len(term.weights)), 1)))
    near = np.linalg.norm(slid.points.base - term.points.base, axis=1) < 6
    kept = np.flatnonzero(near)
    assert len(kept) > 20
    slid = StereoTerm(
        term.views, slid.points.only(kept), term.tangents[kept], term.first_px[kept], term.second_px[kept],
        term.weights[kept], term.px_per_mm,
    )  # fmt: skip
    identities = len(model.identity_basis) + 1
    _, targets, _ = slid.for_camera(truth, identities, cameras)
    where = cameras[1].project(slid.points.posed(truth[:identities], truth[-len(model.expression_names) :]))
    beside = np.linalg.norm(slid.second_px - where, axis=1)
    left = np.linalg.norm(targets - where, axis=1)
    assert np.median(left) < 0.15 * np.median(beside), "a slide along the skin is no parallax"


def test_a_cameras_error_bends_no_head(model, exact):
    (term, truth), cameras = exact
    identities = len(model.identity_basis) + 1
    turned = replace(cameras[1], rotation=Rotation.from_rotvec([0, 0.02, 0]).as_matrix() @ cameras[1].rotation)
    free, sure = (
        np.linalg.norm(_pull(term, truth, identities, (cameras[0], turned), _known(strength))[:identities])
        for strength in (1e-6, 1e9)
    )
    assert free < 0.05 * sure


def _speckled(model) -> np.ndarray:
    """(V_skin, 3) skin with spots of a few millimetres."""
    rng = np.random.default_rng(5)
    rest = model.skin.of(model.mean)
    waves = rng.normal(size=(60, 3)) * 0.55
    value = np.sin(rest @ waves.T + rng.uniform(0, 6.3, 60)).sum(1) / np.sqrt(30)
    return (np.float32([190, 130, 105]) * np.exp(0.12 * value)[:, None]).clip(0, 255).astype(np.float32)


def test_places_are_found_although_the_second_camera_is_wrong(model, atlas):
    colours, size = _speckled(model), (640, 720)
    true = [fit_of(model, camera_at(yaw, size)) for yaw in (0.0, 30.0)]
    photos = [photograph(model, pose, colours) for pose in true]
    camera = true[1].perspective
    wrong = replace(camera, rotation=Rotation.from_euler("y", 2.5, degrees=True).as_matrix() @ camera.rotation)
    poses = (true[0], replace(true[1], perspective=wrong))
    head = HeadFit(np.zeros(len(model.identity_basis), np.float32), model.mean, poses)
    observations = [Observation(None, CameraPrior.centred(size, None), pixels=photo) for photo in photos]
    (found,) = matches_between(observations, head, model, atlas)
    assert found.views == (0, 1)
    at = model.skin.of(model.mean)[found.rows].astype(np.float64)
    px_per_mm = camera.focal_px / 800
    missed = np.linalg.norm(found.second_px - camera.project(at), axis=1) / px_per_mm
    before = np.linalg.norm(wrong.project(at) - camera.project(at), axis=1) / px_per_mm
    assert np.median(before) > 1.5
    assert np.median(missed) < 0.5
    assert np.average(missed > 1.5, weights=found.weights) < 0.1


def test_photos_from_the_same_side_are_not_compared(model, atlas):
    pose = fit_of(model, camera_at(0.0))
    photo = photograph(model, pose, _speckled(model))
    head = HeadFit(np.zeros(len(model.identity_basis), np.float32), model.mean, (pose, pose))
    both = [Observation(None, CameraPrior.centred(pose.perspective.image_size, None), pixels=photo)] * 2
    assert matches_between(both, head, model, atlas) == ()
