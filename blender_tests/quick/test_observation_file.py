# SPDX-License-Identifier: GPL-3.0-or-later
"""``observation.npz``: what a photo said comes back exactly, damage is told, and what was not kept cannot be fitted."""

import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from blender_tests.conftest import make_reconstruction
from blender_tests.made_up import assert_same, changed
from facedetail_addon.core.errors import FaceDetailError, OutputError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.outline import outline_paths
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.sparse import fit_sparse
from facedetail_addon.core.observe.correspondence.types import POINTS, Correspondences
from facedetail_addon.core.observe.expression.types import ExpressionPrior
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.masks.types import LEVELS, MASK_SIDE, MASKS, PhotoMasks
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.observe.types import CameraPrior, Observation
from facedetail_addon.core.result.files import OBSERVATION_FILE, read_record, read_result, write_result
from facedetail_addon.core.result.observation_file import read_observation, write_observation
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.settings import EXPRESSION_SOURCES

EXPRESSIONS = 52


def made_up_masks(image_size: tuple[int, int]) -> PhotoMasks:
    """Levels without a pattern in a turned square."""
    levels = np.random.default_rng(4).integers(0, LEVELS + 1, (len(MASKS), MASK_SIDE, MASK_SIDE))
    masks = levels.astype(np.float32) / np.float32(LEVELS)
    return PhotoMasks(Region(np.array([70.1, 60.7]), 123.4567890123, -0.3), image_size, *masks)


def made_up_correspondences() -> Correspondences:
    """Numbers without a pattern, coefficients of another head than the result's."""
    rng = np.random.default_rng(14)
    shapes = {"points_px": (POINTS, 2), "sigma_px": POINTS, "rotation": (3, 3), "alpha": 9, "beta": 7}
    values = {name: rng.random(shape, dtype=np.float32) for name, shape in shapes.items()}
    sigmas = {f"{name}_sigma": 1 + values[name] for name in ("alpha", "beta")}
    return Correspondences(**values, **sigmas, rotation_sigma=0.1 + 0.2)


def observation(scores: bool, focal: bool, prior: bool, masks: bool, points: bool, shape: bool = True) -> Observation:
    """Numbers without a pattern, each of the kind that the pipeline writes."""
    rng = np.random.default_rng(12)
    landmarks = FaceLandmarks(
        mesh_px=rng.normal(300, 200, (478, 3)).astype(np.float32),
        sparse_px=rng.normal(300, 200, (68, 2)).astype(np.float32),
        box_px=rng.normal(300, 200, 4).astype(np.float32),
        score=0.1 + 0.2,
        rotation=3,
        yaw_deg=-23.4567890123,
        sparse_scores=rng.random(68).astype(np.float32) if scores else None,
    )
    camera = CameraPrior((641, 480), np.array([100.1, 400.7]), 1234.5678901234 if focal else None)
    root = rng.normal(size=(EXPRESSIONS, EXPRESSIONS))
    read = ExpressionPrior(rng.random(EXPRESSIONS).astype(np.float32), root @ root.T, 1.2345678901234)
    return Observation(
        landmarks,
        camera,
        expression_prior=read if prior else None,
        masks=made_up_masks((641, 480)) if masks else None,
        correspondences=made_up_correspondences() if points else None,
        alpha_prior=rng.normal(size=9).astype(np.float32) if shape else None,
    )


@pytest.mark.parametrize("shape", [False, True])
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("focal", [False, True])
@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("points", [False, True])
def test_everything_comes_back_exactly(tmp_path, scores, focal, prior, masks, points, shape):
    wanted = observation(scores, focal, prior, masks, points, shape)
    write_observation(tmp_path / "observation.npz", wanted)
    assert_same(Observation(**read_observation(tmp_path / "observation.npz", EXPRESSIONS)), wanted)


def test_it_is_kept_whether_the_landmarks_were_seen(tmp_path):
    path, seen = tmp_path / "observation.npz", observation(True, False, True, True, True)
    unseen = replace(seen, landmarks=replace(seen.landmarks, seen=False))
    write_observation(path, unseen)
    assert_same(Observation(**read_observation(path, EXPRESSIONS)), unseen)
    with np.load(path) as arrays:
        older = {name: arrays[name] for name in arrays.files if name != "seen"}
    np.savez(path, **older)
    assert_same(Observation(**read_observation(path, EXPRESSIONS)), seen)
    np.savez(path, **older, seen=np.array([False, True]))
    with pytest.raises(ValueError, match="seen"):
        read_observation(path, EXPRESSIONS)


@pytest.fixture(scope="module")
def made(model) -> Reconstruction:
    """With landmarks that know how sure they are, with both priors, masks and correspondences."""
    plain = make_reconstruction(model, (160, 120), yaw_deg=5.0, expression={"jawOpen": 0.4})
    scores = np.random.default_rng(2).random(68).astype(np.float32)
    landmarks = replace(plain.record.observation.landmarks, sparse_scores=scores)
    points = made_up_correspondences()
    return changed(plain, landmarks=landmarks, masks=made_up_masks((160, 120)), correspondences=points)


@pytest.fixture(scope="module")
def saved(made, model, tmp_path_factory) -> Path:
    return write_result(made, tmp_path_factory.mktemp("results"), model)


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_a_result_folder_keeps_the_observation(made, saved):
    assert_same(read_result(saved).record.observation, made.record.observation)


def edit(folder: Path, **values: object) -> None:
    """Write the file with other arrays; without those that are None."""
    path = folder / OBSERVATION_FILE
    with np.load(path, allow_pickle=False) as data:
        arrays = dict(data) | values
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


REQUIRED = ("mesh_px", "sparse_px", "box_px", "score", "rotation", "yaw_deg", "image_size", "center_px")
OPTIONAL = ("sparse_scores", "focal_px")
PRIOR = ("prior.beta_prior", "prior.precision", "prior.distance")
MASK_FIELDS = ("masks.values", "masks.region")
POINT_FIELDS = tuple(f"correspondences.{field.name}" for field in fields(Correspondences))
WHOLE = ("rotation", "image_size")


def _longer(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, array[:1]]) if array.ndim else np.stack([array, array])


def _with(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def spoil(array: np.ndarray) -> np.ndarray:
        out = array.astype(np.float64)
        out[(-1,) * out.ndim] = value
        return out

    return spoil


DAMAGE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "another shape": _longer,
    "one number": lambda array: array.ravel()[0] if array.ndim else array[None],
    "not a number": _with(np.nan),
    "infinite": _with(-np.inf),
    "beyond float32": _with(1e300),
    "text": lambda array: array.astype("U16"),
    "true or false": lambda array: array.astype(bool),
    "complex": lambda array: array.astype(np.complex64),
    "pickled": lambda array: array.astype(object),
}


def test_the_damaged_fields_are_all_there_are(folder):
    with np.load(folder / OBSERVATION_FILE, allow_pickle=False) as data:
        assert set(data.files) == {*REQUIRED, *OPTIONAL, *PRIOR, *MASK_FIELDS, *POINT_FIELDS}


@pytest.mark.parametrize("name", [*REQUIRED, *OPTIONAL, *PRIOR, *MASK_FIELDS, *POINT_FIELDS])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_in_any_field_names_the_file(folder, name, damage):
    with np.load(folder / OBSERVATION_FILE, allow_pickle=False) as data:
        value = data[name]
    edit(folder, **{name: DAMAGE[damage](value)})
    assert_refused(folder)


@pytest.mark.parametrize("name", [*REQUIRED, *PRIOR, *MASK_FIELDS, *POINT_FIELDS])
def test_a_missing_field_names_the_file(folder, name):
    edit(folder, **{name: None})
    assert_refused(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"image_size": np.array([160, 0])},
        {"image_size": np.array([160, -120])},
        {"image_size": np.array([160, 1 << 40])},
        {"image_size": np.array([160.0, 120.0])},
        {"rotation": np.int64(4)},
        {"rotation": np.int64(-1)},
        {"rotation": np.float64(1)},
        {"focal_px": np.float64(0)},
        {"focal_px": np.float64(-900)},
        {"masks.region": np.array([70.0, 60.0, 0.0, 0.0])},
        {"masks.values": np.zeros((3, 256, 256), np.uint16)},
        {"correspondences.sigma_px": np.zeros(POINTS, np.float32)},
        {"correspondences.alpha_sigma": -np.ones(9, np.float32)},
        {"correspondences.rotation_sigma": np.float64(0)},
        {"alpha_prior": np.full(50, np.nan, np.float32)},
        {"alpha_prior": np.zeros(50, np.int32)},
    ],
    ids=lambda values: " ".join(f"{name} {np.shape(value) or value}" for name, value in values.items()),
)
def test_values_that_cannot_be_name_the_file(folder, values):
    edit(folder, **values)
    assert_refused(folder)


def assert_refused(folder: Path) -> None:
    for read in (read_record, read_result):
        with pytest.raises(OutputError) as caught:
            read(folder)
        assert str(folder / OBSERVATION_FILE) in caught.value.message and caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(40)])
def test_a_file_of_another_kind_is_named(folder, content):
    (folder / OBSERVATION_FILE).write_bytes(content)
    assert_refused(folder)


def test_bytes_gone_wrong_never_give_another_error(folder):
    path = folder / OBSERVATION_FILE
    with np.load(path, allow_pickle=False) as data:
        np.savez_compressed(path, **dict(data))
    whole, rng, refused = path.read_bytes(), np.random.default_rng(6), 0
    for _ in range(150):
        data = bytearray(whole)
        for position in rng.integers(0, len(data), 4):
            data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            read_record(folder)
        except OutputError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"sparse_px": np.ones((68, 2), np.float32)}, "the landmarks are not those of the observation"),
        ({"image_size": np.array([161, 120])}, "does not belong to the photo of the observation"),
    ],
)
def test_the_observation_of_another_photo_is_told(folder, values, reason):
    edit(folder, **values)
    with pytest.raises(OutputError, match=reason) as caught:
        read_result(folder)
    assert str(folder) in caught.value.message and caught.value.remedy


def test_files_without_masks_are_read(made, folder):
    edit(folder, **dict.fromkeys(MASK_FIELDS))
    assert_same(read_record(folder).observation, replace(made.record.observation, masks=None, pixels=None))


def test_files_without_correspondences_are_read(made, folder):
    edit(folder, **dict.fromkeys(POINT_FIELDS))
    assert_same(read_record(folder).observation, replace(made.record.observation, correspondences=None, pixels=None))


@pytest.fixture
def without(folder) -> Path:
    """A result of today from which somebody has removed the file."""
    (folder / OBSERVATION_FILE).unlink()
    return folder


def test_a_result_without_the_file_is_read_and_has_no_mesh(made, without, model, tmp_path):
    back = read_result(without)
    assert back.record.observation.landmarks.mesh_px is None and back.record.observation.expression_prior is None
    assert_same(back.record.observation.landmarks.sparse_px, made.record.observation.landmarks.sparse_px)
    assert_same(back.record.fit, made.record.fit)
    again = write_result(back, tmp_path / "again", model)
    assert not (again / OBSERVATION_FILE).exists()
    assert_same(read_result(again), back)


@pytest.mark.parametrize("source", EXPRESSION_SOURCES)
def test_a_head_cannot_be_fitted_to_what_was_not_kept(made, without, model, source):
    kept, lost = made.record.observation, read_record(without).observation
    for photos in ((lost,), (kept, lost)):
        for fit in (
            lambda: fit_dense(photos, model, load_calibration(), expression=source),  # noqa: B023 - called at once
            lambda: fit_sparse(photos, model, outline=outline_paths(model), expression=source),  # noqa: B023
        ):
            with pytest.raises(FaceDetailError, match=r"made up\.png .*observation\.npz") as caught:
                fit()
            assert caught.value.remedy
