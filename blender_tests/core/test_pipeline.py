# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo to a reconstruction, with the real networks on a real photo."""

import dataclasses
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from blender_tests.made_up import assert_same, values_of
from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.detail.types import EXPRESSION_GROUPS, DetailMaps
from facedetail_addon.core.errors import AssetError, FaceModelError, NoFaceError, PhotoError
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import Observation
from facedetail_addon.core.pipeline import (
    Appearance,
    Relief,
    Stages,
    detail,
    fit,
    illuminate,
    observe,
    paint,
    reconstruct,
    refine,
    reflect,
)
from facedetail_addon.core.result.files import read_result, write_result
from facedetail_addon.core.result.maps import MAPS
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.core.skin.types import SkinMaps
from facedetail_addon.settings import DRAFT, EXPRESSION_SOURCES, FINE, PRIOR, Settings

SMALL = Settings(resolution=512)


def silent(_text: str, _done: float) -> None:
    """Progress nobody looks at."""


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load(SMALL)


@pytest.fixture(scope="module")
def smooth(models) -> Models:
    """For what is known before the relief is made."""
    return dataclasses.replace(models, detail_net=None)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope="module")
def astronaut_file(tmp_path_factory, astronaut) -> Path:
    path = tmp_path_factory.mktemp("photos") / "astronaut.png"
    Image.fromarray(astronaut).save(path)
    return path


@pytest.fixture(scope="module")
def progress() -> list[tuple[str, float]]:
    """What was told while the result was made."""
    return []


@pytest.fixture(scope="module")
def result(models, astronaut_file, progress) -> Reconstruction:
    return reconstruct(astronaut_file, models, SMALL, lambda text, done: progress.append((text, done)))


def face_size_px(result: Reconstruction) -> float:
    return float(np.ptp(result.record.observation.landmarks.sparse_px, axis=0).max())


def test_head_lies_on_the_face(result):
    """Both cameras put the head's landmarks on those found in the photo."""
    for camera in (result.record.pose.perspective, result.record.pose.affine):
        distance = np.linalg.norm(
            camera.project(result.record.pose.landmarks68_mm) - result.record.observation.landmarks.sparse_px, axis=1
        )
        assert np.median(distance) < 0.04 * face_size_px(result)


def test_head_is_a_sane_human_one(result):
    assert (
        np.abs(result.record.fit.alpha).max() < 4.5
        and result.record.pose.beta.min() >= 0
        and result.record.pose.beta.max() <= 1
    )
    eye_corners_mm = np.linalg.norm(result.record.pose.landmarks68_mm[36] - result.record.pose.landmarks68_mm[45])
    assert 75 < eye_corners_mm < 110
    distance_mm = np.linalg.norm(result.record.pose.perspective.position())
    assert 250 < distance_mm < 10_000 and result.record.pose.perspective.position()[2] > 0, (
        "the camera is in front of the face"
    )


def test_arrays_are_as_documented(result, models, astronaut):
    count, modes = len(models.model.mean), len(models.model.expression_names)
    shapes = {
        "photo": (512, 512, 3), "albedo": (512, 512, 3), "roughness": (512, 512), "specular": (512, 512),
        "confidence": (512, 512), "beta": (modes,), "gamma": (len(models.basis.modes),), "radiance": (9, 3),
        "mesh_px": (478, 3), "sparse_px": (68, 2), "landmarks68_mm": (68, 3),
        "vertices": (count, 3), "vertices_neutral": (count, 3),
        "displacement_medium": (512, 512), "displacement_fine": (512, 512), "displacement_unseen": (512, 512),
        "normal": (512, 512, 3), "normal_fine": (512, 512, 3), "normal_unseen": (512, 512, 3),
        **{f"expression_{name}": (128, 128) for name in EXPRESSION_GROUPS}, "hair": (512, 512),
    }  # fmt: skip
    stored = dict.fromkeys(("photo", "albedo", "roughness", "specular", "hair"), np.uint8)
    stored |= {f"expression_{name}": np.uint8 for name in EXPRESSION_GROUPS}
    stored |= dict.fromkeys(("normal", "normal_fine", "normal_unseen"), np.uint16)
    for name, shape in shapes.items():
        array = values_of(result)[name]
        kind = stored.get(name, np.float32)
        assert array.shape == shape and array.dtype == kind, name
        assert np.isfinite(array).all(), name
    np.testing.assert_array_equal(result.maps["photo"], astronaut)
    stages = {
        "photo",
        "landmarks",
        "expression",
        "masks",
        "correspondence",
        "identity",
        "proxy",
        "refine",
        "form",
        "unwrap",
        "light",
        "light_stage",
        "albedo",
        "eyes",
        "detail",
    }
    assert set(result.record.stage_seconds) == stages
    assert all(seconds > 0 for seconds in result.record.stage_seconds.values())
    codes = {notice.code for notice in result.record.notices}
    # Light and shade of so small a face help or do not by a hair's breadth, which processors round to either side.
    assert codes - {"not_refined"} == {"small_face", "low_detail"}


def test_seen_hair_keeps_its_strands_on_the_scalp(result, models):
    """Blond hair has another hue than skin, as scarves have; painted as short hair all of it is alike."""
    side = result.maps["hair"].shape
    albedo = cv2.resize(result.maps["albedo"], side, interpolation=cv2.INTER_AREA)
    luminance = cv2.GaussianBlur(to_linear(albedo) @ LUMINANCE, (0, 0), side[0] / 340)
    scalp = cv2.resize(models.atlas.picture(models.model.in_region("scalp").astype(np.float32)), side) > 0.9
    seen = scalp & (result.maps["hair"] > 150)
    assert seen.mean() > 0.01 and np.log(luminance[seen]).std() > 0.28


def test_stages_called_alone_make_what_the_whole_makes(result, models, astronaut_file):
    """And so the same photo gives the same result again, bit for bit."""
    observation = observe(read_photo(astronaut_file), models, SMALL)
    assert_same(observation, result.record.observation)
    head = refine([observation], fit([observation], models, SMALL), models, SMALL)
    assert_same(head, result.record.fit)
    light = illuminate(observation, head.pose, models, SMALL)
    assert_same(light.estimate.radiance, result.record.light.radiance)
    assert_same(light.estimate.gamma, result.record.light.gamma)
    assert_same(light.stage, result.record.light.stage)
    found = detail(observation, head, light, models)
    appearance = paint(observation, head.pose, light, models, relief=found)
    assert_same(appearance.eyes, result.record.eyes)
    skin, relief = appearance.skin, found.maps
    for name in ("albedo", "roughness", "specular", "confidence"):
        assert_same(getattr(skin, name), result.maps[name], name)
    for name in ("medium", "fine", "unseen"):
        assert_same(getattr(relief, name), result.maps[f"displacement_{name}"], name)
    for name in ("normal", "normal_fine", "normal_unseen"):
        assert_same(getattr(relief, name), result.maps[name], name)
    for index, name in enumerate(EXPRESSION_GROUPS):
        assert_same(found.shares[..., index], result.maps[f"expression_{name}"], name)


def test_fine_changes_how_skin_reflects(result, models):
    """Told every tenth of a second, so that it can be cancelled; and nothing where it was not asked for."""
    observation, pose, told = result.record.observation, result.record.pose, []
    light = illuminate(observation, pose, models, SMALL)
    maps = DetailMaps(**{one.name: result.maps["albedo"] for one in dataclasses.fields(DetailMaps)})
    relief = Relief(dataclasses.replace(maps, shading=np.ones((512, 512), np.float32)), np.zeros((1, 1, 1)), ())
    skin = SkinMaps(*(result.maps[name] for name in ("albedo", "roughness", "specular", "confidence")))
    painted = Appearance(skin, result.record.eyes)
    known = observation, pose, light, relief, painted, models
    assert reflect(*known, SMALL) is painted
    stage = Stages(lambda text, done: told.append((text, done)))
    fine = reflect(*known, dataclasses.replace(SMALL, quality=FINE), stage).skin
    assert set(stage.seconds) == {"reflectance"} and len(told) > 20
    assert [done for _, done in told] == sorted(done for _, done in told) and told[-1][1] <= 1
    assert_same(fine.confidence, skin.confidence)
    assert (fine.specular != skin.specular).any() and (fine.roughness != skin.roughness).any()
    change = np.abs(fine.albedo.astype(int) - skin.albedo)
    assert 0 < change.max() < 40 and change.mean() < 4


def test_a_draft_is_the_fit_alone(result, smooth, astronaut_file):
    draft = reconstruct(astronaut_file, smooth, dataclasses.replace(SMALL, quality=DRAFT), silent).record
    assert_same(draft.fit, fit(draft.observations, smooth, SMALL))
    assert "refine" not in draft.stage_seconds and "not_refined" not in {notice.code for notice in draft.notices}
    assert (draft.fit.vertices_neutral != result.record.fit.vertices_neutral).any()


def test_emotion_of_a_smile(result):
    assert result.record.observation.emotion.name == "happy" and result.record.observation.emotion.probability > 0.5
    assert result.record.observation.emotion.probabilities.sum() == pytest.approx(1, abs=1e-4)


@dataclasses.dataclass(frozen=True)
class Read:
    """A photo and the head fitted to it, as far as the expression's source matters."""

    observation: Observation
    head: HeadFit


def read(path: Path, models: Models, settings: Settings) -> Read:
    """The stages before the skin is looked at."""
    observation = observe(read_photo(path), models, settings)
    return Read(observation, fit([observation], models, settings))


@pytest.fixture(scope="module")
def by_source(smooth, astronaut_file) -> dict[str, Read]:
    return {
        source: read(astronaut_file, smooth, Settings(resolution=512, expression=source))
        for source in EXPRESSION_SOURCES
    }


def test_each_source_gives_its_own_expression(by_source, result):
    """Three finite heads that differ, with one and the same emotion, since that is of the photo."""
    assert result.record.expression_source == SMALL.expression
    betas = {source: found.head.pose.beta for source, found in by_source.items()}
    for found in by_source.values():
        pose = found.head.pose
        assert np.isfinite(pose.vertices).all() and pose.beta.min() >= 0 and pose.beta.max() <= 1
        emotions = (found.observation.emotion, by_source[PRIOR].observation.emotion)
        np.testing.assert_array_equal(emotions[0].probabilities, emotions[1].probabilities)
    for one, other in itertools.combinations(EXPRESSION_SOURCES, 2):
        assert np.abs(betas[one] - betas[other]).max() > 0.01, (one, other)


def test_every_source_sees_the_smile(by_source, result):
    for source, found in by_source.items():
        named = dict(zip(result.record.expression_names, found.head.pose.beta, strict=True))
        assert named["mouthSmileLeft"] + named["mouthSmileRight"] > 0.3, source


def test_prior_is_the_reading_itself(by_source, models):
    """As in the paper: the expression is fixed to the dictionary's, only the gaze is aimed."""
    found = by_source[PRIOR]
    still = [not name.startswith("eyeLook") for name in models.model.expression_names]
    reading = found.observation.expression_prior.beta_prior
    np.testing.assert_allclose(found.head.pose.beta[still], reading[still], atol=1e-6)


def test_progress_rises_to_one(result, progress):
    fractions = [done for _, done in progress]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert len({text for text, _ in progress}) == len(progress) >= 5


def test_progress_can_cancel(models, astronaut_file):
    class Cancelled(Exception):
        pass

    def cancel(_text, done):
        if done > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        reconstruct(astronaut_file, models, SMALL, cancel)


VARIANTS = {
    "exif": lambda image, path: _save_turned(image, path.with_suffix(".jpg")),
    "cmyk": lambda image, path: _save(image.convert("CMYK"), path.with_suffix(".jpg")),
    "grey": lambda image, path: _save(image.convert("L"), path),
    "sixteen bit": lambda image, path: _save(
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), path
    ),
    "palette": lambda image, path: _save(image.quantize(256), path),
}  # fmt: skip


def _save(image: Image.Image, path: Path) -> Path:
    image.save(path)
    return path


def _save_turned(image: Image.Image, path: Path) -> Path:
    """As a camera held upright writes it: pixels on their side, and a tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)
    return path


@pytest.mark.parametrize("variant", VARIANTS)
def test_kinds_of_files_give_the_same_head(result, smooth, astronaut, tmp_path, variant):
    path = VARIANTS[variant](Image.fromarray(astronaut), tmp_path / "Zoë 1 photo.png")
    other = read(path, smooth, SMALL)
    distance = np.linalg.norm(
        other.observation.landmarks.sparse_px - result.record.observation.landmarks.sparse_px, axis=1
    )
    assert np.median(distance) < 0.02 * face_size_px(result)
    fitted = fit(result.record.observations, smooth, SMALL)
    moved_mm = np.linalg.norm(other.head.vertices_neutral - fitted.vertices_neutral, axis=1)
    assert np.median(moved_mm) < 2.5


def test_a_grey_photo_gets_a_whole_head(smooth, astronaut, tmp_path):
    """Skin and eyes without any colour, which the photo does not know."""
    grey = reconstruct(VARIANTS["grey"](Image.fromarray(astronaut), tmp_path / "grey.png"), smooth, SMALL, silent)
    np.testing.assert_array_equal(grey.maps["photo"][..., 0], grey.maps["photo"][..., 2])
    assert np.isfinite(grey.record.light.gamma).all() and len(set(grey.record.eyes.iris)) == 1


def test_several_faces(smooth, astronaut, tmp_path):
    """The astronaut's head, and its smaller copy to the right."""
    head = Image.fromarray(astronaut[:256, 90:346])
    both = np.full((640, 1088, 3), 128, np.uint8)
    both[:, :640], both[100:548, 640:] = head.resize((640, 640)), head.resize((448, 448))
    Image.fromarray(both).save(tmp_path / "two.png")
    largest = read(tmp_path / "two.png", smooth, SMALL).observation
    assert largest.landmarks.sparse_px[:, 0].max() < 640
    assert "several_faces" in {notice.code for notice in largest.notices}
    second = read(tmp_path / "two.png", smooth, Settings(resolution=512, face=1)).observation
    assert second.landmarks.sparse_px[:, 0].min() > 640
    assert "several_faces" not in {notice.code for notice in second.notices}
    with pytest.raises(NoFaceError, match="Face 3 was asked for, but .* shows 2") as caught:
        reconstruct(tmp_path / "two.png", smooth, Settings(resolution=512, face=2), silent)
    assert "1 (the largest) to 2" in caught.value.remedy


def test_face_at_the_border(models, astronaut, tmp_path):
    """Cut through the face's right side: a result with a warning, or an honest refusal."""
    Image.fromarray(astronaut[:, 190:]).save(tmp_path / "cut.png")
    try:
        cut = reconstruct(tmp_path / "cut.png", models, SMALL, silent)
    except NoFaceError as error:
        assert error.remedy
    else:
        assert "face_at_border" in {notice.code for notice in cut.record.notices}
        assert np.isfinite(cut.record.pose.vertices).all() and np.abs(cut.record.fit.alpha).max() < 4.5


@pytest.mark.parametrize("picture", ["noise", "one pixel", "coffee", "one row"])
def test_no_face(models, tmp_path, picture):
    pixels = {
        "noise": np.random.default_rng(4).integers(0, 256, (200, 300, 3)).astype(np.uint8),
        "one pixel": np.full((1, 1, 3), 90, np.uint8),
        "coffee": data.coffee(),
        "one row": np.full((1, 900, 3), 90, np.uint8),
    }[picture]
    Image.fromarray(pixels).save(tmp_path / "nobody.png")
    with pytest.raises(NoFaceError, match=r"nobody\.png") as caught:
        reconstruct(tmp_path / "nobody.png", models, SMALL, silent)
    assert caught.value.remedy


def test_unreadable_photo(models, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(PhotoError, match=r"broken\.jpg"):
        reconstruct(tmp_path / "broken.jpg", models, SMALL, silent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"resolution": 1000},
        {"resolution": 0},
        {"face": -1},
        {"expression": "mood"},
        {"light_bands": 2},
        {"detail": "x"},
        {"quality": "best"},
        {"landmarker": "dlib"},
        {"fit": "loose"},
    ],
)
def test_settings_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


def test_what_is_not_installed_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(AssetError, match="2DFAN4") as caught:
        Models.load(Settings(landmarker="fan"))
    assert "Download" in caught.value.remedy
    for assets, remedy in ((None, "--assets"), (tmp_path, "Import it")):
        with pytest.raises(FaceModelError, match="bfm2017-0a") as caught:
            Models.load(Settings(face_model="bfm2017-0a"), assets)
        assert remedy in caught.value.remedy


def test_saved_result_comes_back(result, models, tmp_path):
    back = read_result(write_result(result, tmp_path, models.model))
    np.testing.assert_array_equal(back.record.pose.vertices, result.record.pose.vertices)
    relief = tuple(spec.name for spec in MAPS if spec.name.startswith(("displacement", "normal")))
    for name in ("albedo", "roughness", "specular", "gamma", "radiance", *relief):
        np.testing.assert_array_equal(values_of(back)[name], values_of(result)[name], err_msg=name)
    assert back.record.observation.masks is not None
    assert_same(back.record.observation.masks, result.record.observation.masks)
    assert back.record.stage_seconds == result.record.stage_seconds
    assert back.record.expression_source == result.record.expression_source
    np.testing.assert_array_equal(
        back.record.observation.emotion.probabilities, result.record.observation.emotion.probabilities
    )
    # It can be taken up where it was left, for the photo and all that was found in it came back too.
    again = illuminate(back.record.observation, back.record.pose, models, SMALL)
    assert_same(again.estimate.radiance, result.record.light.radiance)
    begun, anew = (fit(back.record.observations, models, SMALL, start=start) for start in (back.record.fit, None))
    moved_mm = np.linalg.norm(begun.pose.vertices - anew.pose.vertices, axis=1)
    assert np.median(moved_mm) < 0.5  # the outline is looked for anew
