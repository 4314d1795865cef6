# SPDX-License-Identifier: GPL-3.0-or-later
"""The prior of people who look alike: its file, what it says of photos, and how the fit takes it."""

from dataclasses import replace

import numpy as np
import pytest
from skimage.data import astronaut

from blender_tests.made_up import assert_same
from facedetail_addon.core.assets.shipped import find_weights, register_weights
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.identity.prior import (
    FILE_NAME,
    IdentityReader,
    IdentityRegression,
    load_identity_regression,
    save_identity_regression,
)
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.pipeline import fit, observe
from facedetail_addon.settings import DRAFT, NO_DETAIL, Settings

SETTINGS = Settings(resolution=512, detail=NO_DETAIL, quality=DRAFT)
PEOPLE = slice(None, None, 7)


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load(SETTINGS)


@pytest.fixture(scope="module")
def regression() -> IdentityRegression:
    return load_identity_regression()


@pytest.fixture(scope="module")
def people(data_dir, models) -> list[tuple[Observation, Observation]]:
    """Both portraits of some people, whom the regression has not learned from."""
    names = sorted(path.name for path in (data_dir / "london" / "neutral").glob("*.jpg"))[PEOPLE]
    folders = [data_dir / "london" / kind for kind in ("neutral", "smiling")]
    return [tuple(observe(read_photo(folder / name), models, SETTINGS) for folder in folders) for name in names]


def test_the_file_comes_back_and_damage_is_told(regression, tmp_path):
    path = tmp_path / FILE_NAME
    with pytest.raises(AssetError, match=FILE_NAME):
        load_identity_regression(tmp_path)
    save_identity_regression(path, regression)
    register_weights(path)
    assert_same(load_identity_regression(tmp_path), regression)
    assert path.read_bytes() == find_weights(FILE_NAME).read_bytes()
    bad = {
        "slopes": regression.slopes[1:],
        "smile": regression.smile[1:],
        "mean": np.full_like(regression.mean, np.inf),
    }
    for name, values in bad.items():
        save_identity_regression(path, replace(regression, **{name: values}))
        register_weights(path)
        with pytest.raises(AssetError, match="wrong shapes"):
            load_identity_regression(tmp_path)
    path.write_bytes(b"no archive")
    with pytest.raises(AssetError, match="damaged"):
        load_identity_regression(tmp_path)


def test_faces_unlike_all_that_were_learned_from_say_no_more_than_the_farthest(regression):
    away = regression.mean + 100 * regression.axes[0] / np.linalg.norm(regression.axes[0]) ** 2
    nearer = regression.mean + 3 * regression.axes[0] / np.linalg.norm(regression.axes[0]) ** 2
    np.testing.assert_allclose(regression.alpha(away), regression.alpha(nearer), atol=0.02)
    assert np.abs(regression.alpha(away)).max() < 3.5


def test_a_face_that_is_turned_away_says_less_and_then_nothing(models):
    reader, picture = models.identity_reader, astronaut()
    landmarks = models.landmarker.find(picture)[0]
    said = [reader.alpha_prior(picture, replace(landmarks, yaw_deg=yaw)) for yaw in (0.0, -20.0, 45.0, -60.0)]
    assert said[0].dtype == np.float32 and np.isfinite(said[0]).all() and np.abs(said[0]).max() > 0.1
    assert_same(said[1], said[0])
    np.testing.assert_allclose(said[2], said[0] / 2, atol=1e-6)
    assert not said[3].any()
    assert not reader.alpha_prior(picture, replace(landmarks, seen=False)).any()


def test_other_heads_have_none(model):
    assert IdentityReader.load(replace(model, mean=model.mean * np.float32(1.01))) is None


def test_both_photos_of_a_person_say_the_same_and_people_differ(people):
    first, second = (np.array([pair[kind].alpha_prior for pair in people]) for kind in (0, 1))
    apart = np.linalg.norm(first[:, None] - second[None], axis=2)
    others = apart[~np.eye(len(apart), dtype=bool)]
    assert np.median(np.diag(apart)) < 0.6 * np.median(others)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two (N, K), each about its mean."""
    return float(np.corrcoef((one - one.mean(0)).ravel(), (other - other.mean(0)).ravel())[0, 1])


def test_it_knows_something_of_people_it_has_not_seen(people, models):
    """Of what is fitted to them without it, and not to others."""
    neutral = [pair[0] for pair in people]
    said = np.array([observation.alpha_prior for observation in neutral])
    alpha = np.array([fit((replace(one, alpha_prior=None),), models, SETTINGS).alpha for one in neutral])
    assert agreement(said, alpha) > 0.25 > agreement(np.roll(said, 1, axis=0), alpha)


def test_smiles_do_not_change_the_head_at_rest(people, models):
    """In the mean over people; both heads as their photos show them differ by more."""
    heads = [[fit((one,), models, SETTINGS) for one in pair] for pair in people]
    rest, shown = (
        np.linalg.norm(np.mean([getattr(one, name) - getattr(other, name) for other, one in heads], axis=0))
        for name in ("alpha", "alpha_shown")
    )
    assert rest < 0.95 * shown


def test_the_head_as_in_the_photo_smiles_more_than_the_models_smile(people, models):
    neutral, smiling = (fit((one,), models, SETTINGS) for one in people[0])
    for head, least, most in ((neutral, 0.0, 0.3), (smiling, 0.1, 3.0)):
        made = models.model.vertices(head.alpha, head.pose.beta, head.scale)
        assert least <= np.linalg.norm(head.pose.vertices - made, axis=1).max() < most


def test_the_fit_goes_towards_it_where_the_photo_says_little(people, models):
    observation = people[0][0]
    free = fit((replace(observation, alpha_prior=None),), models, SETTINGS)
    none = fit((replace(observation, alpha_prior=np.zeros(len(free.alpha), np.float32)),), models, SETTINGS)
    assert_same(none, free)
    late = np.zeros(len(free.alpha), np.float32)
    late[-10:] = 1.0  # modes that landmarks hardly see
    drawn = fit((replace(observation, alpha_prior=late),), models, SETTINGS).alpha - free.alpha
    assert drawn[-10:].mean() > 0.4 and np.abs(drawn[:10]).mean() < 0.2
    pair = [replace(one, alpha_prior=part) for one, part in zip(people[0], (late, None), strict=True)]
    one_tells = fit(pair, models, SETTINGS).alpha
    assert (
        one_tells[-10:].mean()
        > fit([replace(one, alpha_prior=None) for one in pair], models, SETTINGS).alpha[-10:].mean()
    )
