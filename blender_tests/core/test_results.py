# SPDX-License-Identifier: GPL-3.0-or-later
"""Result folders: what is written comes back, appears whole or not at all, and is checked when read."""

import io
import itertools
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from blender_tests.conftest import make_reconstruction
from blender_tests.made_up import assert_same, changed, values_of
from facedetail_addon.core.detail.types import EXPRESSION_GROUPS
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.eyes.types import DEFAULT_EYES, EyeLook
from facedetail_addon.core.io.atomic_directory import atomic_directory, discard_half_written
from facedetail_addon.core.io.exr import read_exr, write_exr
from facedetail_addon.core.io.images import read_png, write_png
from facedetail_addon.core.notices import Notice
from facedetail_addon.core.observe.expression.types import EMOTIONS, Emotion
from facedetail_addon.core.rendering.stage import LightStage
from facedetail_addon.core.result.files import (
    AUTOMATIC_FILE,
    PINS_FILE,
    RESULT_FILES,
    SCENE_FILE,
    SCENE_FILES,
    read_result,
    write_result,
)
from facedetail_addon.core.result.maps import map_spec
from facedetail_addon.core.result.pictures import decode_share, encode_pictures, read_pictures
from facedetail_addon.core.result.record import (
    MORE_OBSERVATIONS,
    MORE_PHOTOS,
    Reconstruction,
    result_folder,
    same_folder_key,
)
from facedetail_addon.settings import EXPRESSION_SOURCES, PRIOR


@pytest.fixture(scope="module")
def made(model) -> Reconstruction:
    rng = np.random.default_rng(5)
    plain = make_reconstruction(model, (160, 120), yaw_deg=10.0, expression={"jawOpen": 0.4}, photo_name="Zoë 1.png")
    return changed(
        plain,
        confidence=rng.random((256, 256)).astype(np.float32),
        expression_source=PRIOR,
        emotion=Emotion(np.float32([0.05, 0.01, 0.02, 0.7, 0.1, 0.02, 0.1])),
        stage_seconds={"photo": 0.25, "proxy": 0.125},
        notices=(Notice("yaw", "The head is turned by 50°."),),
        eyes=EyeLook((0.1, 0.12, 0.15), (0.5, 0.45, 0.4), 12.25, 0.75, (0.14, 0.12, 0.09)),
        stage=LightStage(rng.random((20, 3)).astype(np.float32), np.float32([0.2, 0.3, 0.4])),
    )


@pytest.fixture(scope="module")
def saved(made, model, tmp_path_factory) -> Path:
    return write_result(made, tmp_path_factory.mktemp("results") / "new folder", model)


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_everything_comes_back(made, saved):
    back = read_result(saved)
    np.testing.assert_allclose(back.maps["confidence"], made.maps["confidence"], atol=1 / 65535)
    assert_same(back, changed(made, confidence=back.maps["confidence"]))


def test_folder_holds_the_documented_files(saved):
    assert saved.name == "Zoë 1"
    names = {path.name for path in saved.iterdir()}
    assert names == RESULT_FILES - SCENE_FILES - {PINS_FILE, AUTOMATIC_FILE} - set(MORE_PHOTOS) - set(MORE_OBSERVATIONS)
    assert [path.name for path in saved.parent.iterdir()] == ["Zoë 1"], "nothing temporary stays"


def test_record_is_strict_json_with_the_documented_keys(saved, made):
    def refuse(name):
        raise AssertionError(name)

    record = json.loads((saved / "reconstruction.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert record["format_version"] == 6 and record["face_model"] == made.record.face_model
    assert record["landmarker"] == "mesh" and record["native_beta"] == []
    assert np.array(record["camera"]["affine"]).shape == (2, 4)
    assert np.array(record["landmarks68_px"]).shape == (68, 2) and np.array(record["landmarks68_mm"]).shape == (68, 3)
    assert record["warnings"] == [{"code": "yaw", "message": "The head is turned by 50°."}]
    assert record["stage_seconds"] == {"photo": 0.25, "proxy": 0.125}
    assert len(record["gamma"]) == len(made.record.light.gamma) and np.array(record["sh_radiance"]).shape == (9, 3)
    assert np.array(record["light_stage"]["radiance"]).shape == (20, 3) and len(record["light_stage"]["ambient"]) == 3
    expression = record["expression"]
    assert (expression["source"], expression["emotion"]) == ("prior", "happy")
    assert expression["probability"] == pytest.approx(0.7)
    assert list(expression["probabilities"]) == list(EMOTIONS)
    assert list(expression["probabilities"].values()) == pytest.approx([0.05, 0.01, 0.02, 0.7, 0.1, 0.02, 0.1])


def test_a_result_from_before_the_eyes_colours_has_usual_eyes(copy):
    edit(copy, lambda record: record.pop("eyes"))
    assert read_result(copy).record.eyes == DEFAULT_EYES


def test_a_result_from_before_the_light_stage_has_none(copy, model, tmp_path):
    edit(copy, lambda record: record.pop("light_stage"))
    back = read_result(copy)
    assert back.record.light.stage is None
    assert read_result(write_result(back, tmp_path / "again", model)).record.light.stage is None


@pytest.mark.parametrize("source", EXPRESSION_SOURCES)
def test_every_expression_source_comes_back(made, copy, source):
    edit(copy, lambda record: record["expression"].update(source=source))
    assert read_result(copy).record.expression_source == source


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, list[list[tuple[int, int]]], list[str]]:
    vertices, uv, faces, objects = [], [], [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind in ("v", "vt"):
            (vertices if kind == "v" else uv).append([float(x) for x in rest.split()])
        elif kind == "f":
            faces.append([tuple(int(i) for i in corner.split("/")) for corner in rest.split()])
        elif kind == "o":
            objects.append(rest)
    return np.array(vertices), np.array(uv), faces, objects


@pytest.mark.parametrize(("name", "field"), [("head.obj", "vertices"), ("head_neutral.obj", "vertices_neutral")])
def test_obj_holds_the_mesh(saved, made, model, name, field):
    vertices, uv, faces, objects = read_obj(saved / name)
    np.testing.assert_allclose(vertices, values_of(made)[field], atol=1e-4)
    assert objects == [part.name for part in model.parts]
    assert len(faces) == sum(len(part.faces) for part in model.parts)
    last = model.parts[-1]  # its indices have passed every offset
    face = next(face for face in last.faces if face[3] >= 0) if (last.faces[:, 3] >= 0).any() else last.faces[0]
    at = sum(len(part.faces) for part in model.parts[:-1]) + int(np.flatnonzero((last.faces == face).all(1))[0])
    corners = face[face >= 0]
    np.testing.assert_array_equal([v - 1 - last.start for v, _ in faces[at]], corners)
    found_uv = uv[[t - 1 for _, t in faces[at]]]
    wanted_uv = last.uv[last.face_uv[(last.faces == face).all(1)][0][: len(corners)]]
    np.testing.assert_allclose(found_uv, wanted_uv, atol=1e-5)


def test_obj_names_pictures_that_are_there(saved):
    assert "mtllib head.mtl" in (saved / "head.obj").read_text(encoding="utf-8")
    lines = [line.split(" ", 1) for line in (saved / "head.mtl").read_text().splitlines() if line.split()[-1:]]
    found = {word: value for word, value in lines if "." in value and value[-1].isalpha()}
    wanted = {"map_Kd": "albedo.png", "map_Pr": "roughness.png", "norm": "normal.png", "disp": "displacement.exr"}
    assert found == wanted and all((saved / name).is_file() for name in found.values())


def test_preview_shows_something(saved):
    preview = read_png(saved / "preview.png")
    assert preview.shape[1] > preview.shape[0] > 100 and preview.std() > 5


def test_saving_again_replaces_the_result(made, model, copy):
    target = copy.with_name("Zoë 1")
    copy.rename(target)
    (target / SCENE_FILE).write_bytes(b"an older scene")
    newer = changed(made, stage_seconds={"photo": 9.0})
    assert write_result(newer, target.parent, model) == target
    assert read_result(target).record.stage_seconds == {"photo": 9.0}
    assert not (target / SCENE_FILE).exists(), "a scene of the older result would not belong to this one"
    assert [path.name for path in target.parent.iterdir()] == ["Zoë 1"]


@pytest.mark.parametrize("kind", ["artist's file in a result", "other folder", "file"])
def test_what_is_not_ours_is_left_alone(made, model, copy, kind):
    target = copy.with_name("Zoë 1")
    if kind == "artist's file in a result":
        copy.rename(target)
        precious = target / "painting.psd"
    elif kind == "other folder":
        target.mkdir()
        precious = target / "scene.blend"  # a name of ours, but no result beside it
    else:
        precious = target
    precious.write_bytes(b"work of days")
    with pytest.raises(OutputError, match="not replaced|in the way") as caught:
        write_result(made, target.parent, model)
    assert caught.value.remedy
    assert precious.read_bytes() == b"work of days"
    assert not [path for path in target.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError, OSError])
@pytest.mark.parametrize("older", [False, True])
def test_failure_leaves_everything_as_it_was(tmp_path, failure, older):
    target = tmp_path / "face"
    if older:
        target.mkdir()
        (target / "marker").write_text("older")

    with pytest.raises(OutputError if failure is OSError else failure), atomic_directory(
        target, frozenset({"marker"}), "marker"
    ) as folder:  # fmt: skip
        (folder / "marker").write_text("newer")
        raise failure("in the middle")
    assert [path.name for path in tmp_path.iterdir()] == (["face"] if older else [])
    assert not older or (target / "marker").read_text() == "older"


def test_what_a_killed_process_left_is_tidied(tmp_path):
    (tmp_path / ".face [1].0a0a0a0a.previous").mkdir()
    (tmp_path / ".face [1].0a0a0a0a.previous" / "marker").write_text("older")
    (tmp_path / ".face [1].0b0b0b0b.partial").mkdir()
    (tmp_path / ".other.0b0b0b0b.partial").mkdir()
    discard_half_written(tmp_path / "face [1]")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.0b0b0b0b.partial", "face [1]"]
    assert (tmp_path / "face [1]" / "marker").read_text() == "older"


def test_unwritable_output(made, model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_result(made, tmp_path / "file", model)
    long_name = changed(made, photo_name="n" * 300 + ".png")
    with pytest.raises(OutputError, match="cannot be written"):
        write_result(long_name, tmp_path, model)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("photo", "folder"),
    [("a.b.jpg", "a.b"), ("Zoë 李.png", "Zoë 李"), ("trailing. .jpg", "trailing"), ("...jpg", "photo"), ("x", "x")],
)
def test_folder_names(photo, folder):
    assert result_folder(Path("out"), photo) == Path("out") / folder


def test_same_folder_on_disks_that_ignore_case_and_accents():
    assert same_folder_key(Path("out/ZO\u00cb")) == same_folder_key(Path("out/zoe\u0308"))
    assert same_folder_key(Path("out/a")) != same_folder_key(Path("out/b"))


def edit(folder: Path, change) -> None:
    record = json.loads((folder / "reconstruction.json").read_text(encoding="utf-8"))
    change(record)
    (folder / "reconstruction.json").write_text(json.dumps(record), encoding="utf-8")


HOSTILE_RECORDS = {
    "another format": lambda r: r.update(format="other"),
    "an iris below black": lambda r: r["eyes"].update(iris=[0.1, -0.1, 0.1]),
    "an eye of two colours": lambda r: r["eyes"].update(sclera=[0.4, 0.4]),
    "an inner iris below black": lambda r: r["eyes"].update(iris_inner=[0.1, -0.1, 0.1]),
    "an iris as large as a plate": lambda r: r["eyes"].update(iris_mm=200.0),
    "more than sure of the eyes": lambda r: r["eyes"].update(confidence=1.5),
    "a lamp that takes light away": lambda r: r["light_stage"]["radiance"].__setitem__(3, [1, -0.1, 1]),
    "a lamp too few": lambda r: r["light_stage"]["radiance"].pop(),
    "lamps of one colour": lambda r: r["light_stage"].update(radiance=[1.0] * 20),
    "darker than dark": lambda r: r["light_stage"].update(ambient=[0.1, -0.1, 0.1]),
    "no even light": lambda r: r["light_stage"].pop("ambient"),
    "a stage of infinite light": lambda r: r["light_stage"].update(ambient=[0.1, 1e300, 0.1]),
    "a stage as a list": lambda r: r.update(light_stage=[1]),
    "newer version": lambda r: r.update(format_version=99),
    "missing key": lambda r: r.pop("alpha"),
    "no camera": lambda r: r.update(camera=None),
    "short affine": lambda r: r["camera"].update(affine=[[1, 2, 3]]),
    "ragged landmarks": lambda r: r["landmarks68_px"].__setitem__(3, [1]),
    "text for a number": lambda r: r["alpha"].__setitem__(0, "x"),
    "infinite": lambda r: r["alpha"].__setitem__(0, float("inf")),
    "beyond float32": lambda r: r["alpha"].__setitem__(0, 1e300),
    "expression above 1": lambda r: r["beta"].__setitem__(0, 1.5),
    "names do not match beta": lambda r: r["expression_names"].pop(),
    "a name twice": lambda r: r["expression_names"].__setitem__(1, r["expression_names"][0]),
    "mirrored rotation": lambda r: r["camera"]["perspective"].update(rotation=[[-1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "negative focal length": lambda r: r["camera"]["perspective"].update(focal_px=-1),
    "camera of another photo": lambda r: r["camera"]["perspective"].update(image_size=[1, 1]),
    "path in the name": lambda r: r.update(photo_name="../../etc/passwd"),
    "warnings of numbers": lambda r: r.update(warnings=[1]),
    "seconds as a list": lambda r: r.update(stage_seconds=[1]),
    "huge list": lambda r: r.update(alpha=[0] * 10000),
    "a residual of words": lambda r: r.update(residual_px="small"),
    "no residual": lambda r: r.pop("residual_px"),
    "no native expressions": lambda r: r.pop("native_beta"),
    "a result of version 3": lambda r: r.update(format_version=3),
    "a result of version 1": lambda r: (r.update(format_version=1), r.pop("expression")),
    "expression as a list": lambda r: r.update(expression=[1]),
}


@pytest.mark.parametrize("case", HOSTILE_RECORDS)
def test_hostile_record(copy, case):
    edit(copy, HOSTILE_RECORDS[case])
    with pytest.raises(OutputError) as caught:
        read_result(copy)
    assert str(copy) in caught.value.message and caught.value.remedy


def probable(**changes):
    return lambda record: record["expression"]["probabilities"].update(changes)


HOSTILE_EXPRESSIONS = {
    "no expression": (lambda r: r.pop("expression"), "expression is missing"),
    "no source": (lambda r: r["expression"].pop("source"), "source is missing"),
    "unknown source": (lambda r: r["expression"].update(source="guess"), "'guess' is no source"),
    "a number for the source": (lambda r: r["expression"].update(source=1), "1 is not a text"),
    "an emotion missing": (lambda r: r["expression"]["probabilities"].pop("sad"), "one entry for each emotion"),
    "an emotion too many": (probable(bored=0.0), "one entry for each emotion"),
    "probabilities as a list": (lambda r: r["expression"].update(probabilities=[0.1]), "one entry for each emotion"),
    "not finite": (probable(happy=float("inf")), "cannot be read: Infinity is not JSON"),
    "text for a probability": (probable(happy="0.7"), "'0.7' is not a number"),
    "true for a probability": (probable(happy=True), "True is not a number"),
    "a negative probability": (probable(sad=-0.02, surprise=0.14), "leave 0 to 1"),
    "a probability above 1": (probable(happy=1.7), "leave 0 to 1"),
    "sum above 1": (probable(sad=0.12), "their sum is not 1"),
    "sum below 1": (probable(neutral=0.0), "their sum is not 1"),
    "another emotion": (lambda r: r["expression"].update(emotion="sad"), "not the likeliest"),
    "unknown emotion": (lambda r: r["expression"].update(emotion="bored"), "not the likeliest"),
    "another probability": (lambda r: r["expression"].update(probability=0.9), "not the likeliest"),
}


@pytest.mark.parametrize("case", HOSTILE_EXPRESSIONS)
def test_hostile_expression(copy, case):
    change, reason = HOSTILE_EXPRESSIONS[case]
    edit(copy, change)
    with pytest.raises(OutputError, match=reason) as caught:
        read_result(copy)
    assert str(copy) in caught.value.message and caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": NaN}'])
def test_record_that_is_none(copy, content):
    (copy / "reconstruction.json").write_bytes(content)
    with pytest.raises(OutputError, match=r"reconstruction\.json"):
        read_result(copy)


def _npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


GOOD = np.zeros((4, 3), np.float32)
HOSTILE_VERTICES = {
    "no archive": b"nothing",
    "one array missing": _npz(posed=GOOD),
    "pickled": _npz(posed=np.array([{}], object), neutral=GOOD),
    "different counts": _npz(posed=GOOD, neutral=GOOD[:2]),
    "not finite": _npz(posed=GOOD, neutral=GOOD * np.nan),
    "a single number": _npz(posed=np.float32(1), neutral=np.float32(1)),
    "too large": _npz(posed=np.zeros((3_000_000, 3), np.float32), neutral=GOOD),
}


@pytest.mark.parametrize("case", HOSTILE_VERTICES)
def test_hostile_vertices(copy, case):
    (copy / "head_vertices.npz").write_bytes(HOSTILE_VERTICES[case])
    with pytest.raises(OutputError, match=r"head_vertices\.npz"):
        read_result(copy)


def test_damaged_vertices_never_give_another_error(copy):
    path = copy / "head_vertices.npz"
    np.savez_compressed(path, posed=np.arange(600, dtype=np.float32).reshape(-1, 3), neutral=np.zeros((200, 3), "f4"))
    whole = path.read_bytes()
    rng = np.random.default_rng(6)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for position in rng.integers(0, len(data), 4):
            data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            read_result(copy)
        except OutputError:
            refused += 1
    assert refused > 100


PICTURES = (
    "albedo.png",
    "roughness.png",
    "specular.png",
    "confidence.png",
    "photo.png",
    "normal.png",
    "normal_fine.png",
)
OPTIONAL = ("displacement_unseen", "normal_unseen")


DAMAGE = ("missing", "cut", "no picture", "bomb", "other size")


@pytest.mark.parametrize(
    ("name", "damage"), [*itertools.product(PICTURES, DAMAGE), *(("normal_unseen.png", one) for one in DAMAGE[1:])]
)
def test_hostile_pictures(copy, name, damage):
    path = copy / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "other size":
        write_png(path, cv2.resize(read_png(path), (40, 30)))
    else:
        bomb = data[:16] + (2_000_000_000).to_bytes(4, "big") * 2 + data[24:]
        path.write_bytes({"cut": data[:20], "no picture": b"\0" * 500, "bomb": bomb}[damage])
    with pytest.raises(OutputError):
        read_result(copy)


WRONG_KINDS = [
    ("confidence.png", "albedo.png", "8-bit RGB"),
    ("albedo.png", "normal.png", "16-bit RGB"),
    ("confidence.png", "normal_fine.png", "16-bit RGB"),
    ("normal.png", "roughness.png", "8-bit grey"),
]


SHARES = tuple(f"expression_{name}.png" for name in EXPRESSION_GROUPS)


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.parametrize("damage", ["cut", "no picture", "bomb", "colours", "16 bit"])
def test_hostile_shares_of_the_expression(copy, name, damage):
    path = copy / name
    data = path.read_bytes()
    bomb = data[:16] + (2_000_000_000).to_bytes(4, "big") * 2 + data[24:]
    wrong = {"cut": data[:20], "no picture": b"\0" * 500, "bomb": bomb}
    wrong |= {
        kind: (copy / other).read_bytes() for kind, other in (("colours", "photo.png"), ("16 bit", "confidence.png"))
    }
    path.write_bytes(wrong[damage])
    with pytest.raises(OutputError) as caught:
        read_result(copy)
    assert str(copy) in caught.value.message and caught.value.remedy


def test_older_results_know_no_shares_of_the_expression(copy):
    for name in SHARES:
        (copy / name).unlink()
    back, pictures = read_result(copy), read_pictures(copy)
    for name in EXPRESSION_GROUPS:
        assert not back.maps[f"expression_{name}"].any() and f"expression_{name}" not in pictures.files
        assert not decode_share(pictures, f"expression_{name}").any()


@pytest.mark.parametrize(("source", "name", "reason"), WRONG_KINDS)
def test_pictures_of_the_wrong_kind(copy, source, name, reason):
    shutil.copy(copy / source, copy / name)
    with pytest.raises(OutputError, match=reason):
        read_result(copy)


def test_the_displacement_for_other_programs_is_the_whole_relief(made, saved):
    whole = read_exr(saved / "displacement.exr", (256, 256))
    np.testing.assert_array_equal(whole, made.displacement)
    np.testing.assert_array_equal(whole, made.maps["displacement_medium"] + made.maps["displacement_fine"])


def relief(path: Path, **changes) -> None:
    height_mm = np.zeros((256, 256), np.float32)
    height_mm[17, 4] = changes.get("value", 0)
    write_exr(path, height_mm[: changes.get("rows", 256)])


HOSTILE_RELIEF = {
    "missing": (lambda path: path.unlink(), "No such file"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "cut short"),
    "no picture": (lambda path: path.write_bytes(bytes(500)), "no OpenEXR file"),
    "other size": (lambda path: relief(path, rows=255), "256 by 256 pixels"),
    "not a number": (lambda path: relief(path, value=np.nan), "more than 20 mm, or no numbers"),
    "infinite": (lambda path: relief(path, value=-np.inf), "more than 20 mm"),
    "metres": (lambda path: relief(path, value=-20.1), "more than 20 mm"),
}


@pytest.mark.parametrize("name", ["displacement_medium.exr", "displacement_fine.exr"])
@pytest.mark.parametrize("case", HOSTILE_RELIEF)
def test_hostile_relief(copy, name, case):
    damage, reason = HOSTILE_RELIEF[case]
    damage(copy / name)
    with pytest.raises(OutputError, match=reason) as caught:
        read_result(copy)
    assert str(copy / name) in caught.value.message and caught.value.remedy


@pytest.mark.parametrize("case", [case for case in HOSTILE_RELIEF if case != "missing"])
def test_hostile_relief_of_unseen_skin(copy, case):
    damage, reason = HOSTILE_RELIEF[case]
    damage(copy / "displacement_unseen.exr")
    with pytest.raises(OutputError, match=reason):
        read_result(copy)


def test_older_results_know_no_relief_of_unseen_skin(made, copy):
    for name in OPTIONAL:
        (copy / map_spec(name).file).unlink()
    back, pictures = read_result(copy), read_pictures(copy)
    assert not back.maps["displacement_unseen"].any()
    assert (back.maps["normal_unseen"] == (32768, 32768, 65535)).all()
    assert back.maps["normal_unseen"].shape == made.maps["normal"].shape
    assert pictures.has_relief and not pictures.has_unseen and not set(OPTIONAL) & set(pictures.files)
    again = write_result(back, copy.parent / "again")
    assert not read_result(again).maps["displacement_unseen"].any()


def test_pictures_say_whether_there_is_relief_of_unseen_skin(made, copy):
    assert not encode_pictures(made.maps).has_unseen
    relief(copy / "displacement_unseen.exr", value=0.1)
    assert read_pictures(copy).has_unseen
    maps = dict(made.maps, displacement_unseen=read_result(copy).maps["displacement_unseen"])
    assert encode_pictures(maps).has_unseen


def test_the_largest_relief_is_read(copy):
    relief(copy / "displacement_fine.exr", value=20)
    assert read_result(copy).maps["displacement_fine"][17, 4] == 20


def test_no_result_folder(tmp_path):
    with pytest.raises(OutputError, match=r"reconstruction\.json cannot be read"):
        read_result(tmp_path)


def test_pictures_are_taken_as_they_lie(made, saved):
    """Blender packs the same bytes as when the maps are encoded anew."""
    assert read_pictures(saved) == encode_pictures(made.maps)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / "normal.png").unlink(), "cannot be read"),
        (lambda folder: cut(folder / "albedo.png"), "cut short"),
        (lambda folder: cut(folder / "displacement_fine.exr"), "cut short|order"),
        (lambda folder: write_png(folder / "specular.png", np.zeros((8, 8), np.uint8)), "differ in size"),
        (lambda folder: write_exr(folder / "displacement_fine.exr", np.zeros((8, 8), np.float32)), "not 256 by 256"),
    ],
)
def test_pictures_that_cannot_be_packed(copy, change, reason):
    change(copy)
    with pytest.raises(OutputError, match=reason) as raised:
        read_pictures(copy)
    assert raised.value.remedy


def cut(path: Path) -> None:
    """Half of a file is lost."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
