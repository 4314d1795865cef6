# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes to machines that share no folder, and what machines say of themselves before they are given work."""

import dataclasses
import os
import pickle
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

import facedetail_addon
from facedetail_addon.cli.arguments import main_parser
from facedetail_addon.cli.batch import JobSpecification
from facedetail_addon.cli.cluster_link import AUTO, ClusterError, ClusterLink, ClusterOptions, _caller
from facedetail_addon.cli.main import main
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.result.files import RECORD_FILE, SCENE_FILE, VERTICES_FILE
from facedetail_addon.jobs import machine
from facedetail_addon.jobs.messages import Reconstruct
from facedetail_addon.jobs.parcels import pack, unpack, write_result_files
from facedetail_addon.jobs.tasks import folder_of
from facedetail_addon.paths import site_directories
from facedetail_addon.settings import BUILTIN, MESH_LANDMARKER, Settings


@pytest.fixture
def request_of_two(tmp_path) -> Reconstruct:
    """Two photos of the same name in two folders, and a third that is not there."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Zoë.png").write_bytes(name.encode())
    photos = [str(tmp_path / name / "Zoë.png") for name in ("one", "two", "three")]
    return Reconstruct(7, photos[0], str(tmp_path / "out"), "assets", more_photos=tuple(photos[1:]), name="Zoë")


def test_photos_of_one_name_arrive_apart_and_a_missing_one_stays_missing(request_of_two, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    here = unpack(request_of_two, pickle.loads(pickle.dumps(pack(request_of_two))), scratch).request
    first, second, third = map(Path, (here.photo, *here.more_photos))
    assert (first.read_bytes(), second.read_bytes(), third.exists()) == (b"one", b"two", False)
    assert {path.name for path in (first, second, third)} == {"Zoë.png"}
    same = dataclasses.replace(
        here, photo=request_of_two.photo, more_photos=request_of_two.more_photos, output=request_of_two.output
    )
    assert same == request_of_two


def test_errors_speak_of_the_paths_of_the_machine_that_asks(request_of_two, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    unpacked = unpack(request_of_two, pack(request_of_two), scratch)
    said = f"{unpacked.request.more_photos[1]} does not exist; kept in {folder_of(unpacked.request)}."
    expected = f"{request_of_two.more_photos[1]} does not exist; kept in {folder_of(request_of_two)}."
    assert unpacked.in_their_words(said) == expected


def test_an_earlier_head_goes_along_and_a_scene_that_stays_does_not_come_back(request_of_two, tmp_path):
    earlier = folder_of(request_of_two)
    earlier.mkdir(parents=True)
    for name in (RECORD_FILE, VERTICES_FILE, SCENE_FILE, "albedo.png"):
        (earlier / name).write_bytes(name.encode())
    (tmp_path / "scratch").mkdir()
    unpacked = unpack(request_of_two, pack(request_of_two), tmp_path / "scratch")
    here = folder_of(unpacked.request)
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {
        RECORD_FILE: RECORD_FILE.encode(), VERTICES_FILE: VERTICES_FILE.encode(), SCENE_FILE: b""
    }  # fmt: skip
    assert unpacked.result() == {}, "the scene failed, and the older one stays"
    (here / SCENE_FILE).unlink()
    (here / RECORD_FILE).write_bytes(b"new")
    write_result_files(unpacked.result(), earlier)
    assert (earlier / RECORD_FILE).read_bytes() == b"new" and not (earlier / SCENE_FILE).exists()


@pytest.mark.parametrize("files", [{"albedo.png": b""}, {RECORD_FILE: b"", "../x": b""}, {RECORD_FILE: b"", "x": b""}])
def test_what_is_no_result_is_not_written(files, tmp_path):
    with pytest.raises(OutputError, match="no result"):
        write_result_files(files, tmp_path / "out" / "a")
    assert not (tmp_path / "out").exists()


def asked(tmp_path: Path, **fields: object) -> machine.Question:
    (tmp_path / "token").write_text("text")
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"123")
    question = machine.Question(
        BUILTIN, MESH_LANDMARKER, "none", False, str(tmp_path), ("token", "text"), ((str(photo), 3),)
    )
    return dataclasses.replace(question, **fields)


def test_a_machine_sees_a_folder_only_where_it_finds_what_was_put_there(tmp_path):
    question = asked(tmp_path)
    assert machine.answer(question).sees
    photo = question.photos[0][0]
    for other in (
        {"token": ("token", "another text")},
        {"token": ("gone", "text")},
        {"folder": str(tmp_path / "gone")},
        {"photos": ((photo, 4),)},
        {"photos": ((photo + ".gone", 3),)},
    ):
        assert not machine.answer(dataclasses.replace(question, **other)).sees


def test_a_machine_names_what_it_lacks(tmp_path, monkeypatch):
    question = asked(tmp_path)
    assert machine.answer(question).lacks == ""
    said = machine.answer(dataclasses.replace(question, assets=str(tmp_path), face_model="bfm2017-1a2b3c4d")).lacks
    assert "bfm2017-1a2b3c4d is not installed" in said

    (site,) = {path for path in site_directories(sys.path) if Path(path, "torch").is_dir()}
    bare = tmp_path / "site-packages"
    bare.mkdir()
    for path in Path(site).iterdir():
        if path.name not in ("torch", "bpy"):
            (bare / path.name).symlink_to(path)
    monkeypatch.setattr(sys, "path", [str(bare)])
    assert "torch is not installed" in machine.answer(question).lacks
    (bare / "torch").symlink_to(Path(site, "torch"))
    assert machine.answer(question).lacks == ""
    assert "no bpy module" in machine.answer(dataclasses.replace(question, scene=True)).lacks
    (bare / "cv2").unlink()
    assert "missing: cv2" in machine.answer(question).lacks


def test_what_is_sent_to_a_machine_is_understood_without_the_package():
    """Under Blender the package has another name, and on a machine without it the answer is an ordinary error."""
    import cloudpickle

    call = cloudpickle.dumps(_caller())
    program = (
        "import pickle, sys, types\n"
        "sys.modules['distributed'] = types.SimpleNamespace(get_worker=lambda: 'worker')\n"
        "call = pickle.load(sys.stdin.buffer)\n"
        "assert not [name for name in sys.modules if name.startswith('facedetail')]\n"
        "try: call('look', {})\n"
        "except ModuleNotFoundError as error: print(error)\n"
        "remote = types.SimpleNamespace(look=lambda host, question: (host, question))\n"
        "sys.modules['facedetail_addon'] = types.SimpleNamespace(__path__=[])\n"
        "sys.modules['facedetail_addon.jobs'] = types.SimpleNamespace(__path__=[])\n"
        "sys.modules['facedetail_addon.jobs.remote'] = remote\n"
        "print(call('look', {}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=call, capture_output=True, cwd=os.sep)
    assert done.stdout.decode().splitlines() == ["No module named 'facedetail_addon'", "('worker', {})"], done.stderr


def test_questions_and_answers_are_plain_data(tmp_path):
    question = asked(tmp_path)
    said = machine.answer(question)
    assert machine.Question(**pickle.loads(pickle.dumps(asdict(question)))) == question
    assert machine.Answer(**pickle.loads(pickle.dumps(asdict(said)))) == said
    assert said.identity == machine.identity() and len(said.identity) == 4


@pytest.mark.parametrize(
    "text", ["host:8786", "tcp://host", "http://host:8786", "tcp://:8786", "tcp://host:x", "tcp://host:1/x"]
)
def test_addresses_without_host_port_or_scheme_are_wrong_usage(text, capsys):
    with pytest.raises(SystemExit):
        main_parser("facedetail").parse_args(["reconstruct", "a.png", "--output", "out", "--cluster", text])
    assert "no address" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cluster", "tcp://127.0.0.1:9", "--jobs", "2"), "--jobs is for this machine alone"),
        (("--send", "files"), "--send is for machines of a cluster"),
    ],
)
def test_arguments_that_have_no_meaning_together_are_wrong_usage(arguments, said, tmp_path, capfd):
    assert main(["reconstruct", "a.png", "--output", str(tmp_path), *arguments]) == 2
    assert said in capfd.readouterr().err and not list(tmp_path.iterdir())


def test_without_the_engine_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    options = ClusterOptions("tcp://127.0.0.1:9", AUTO, pytest.fail)
    with pytest.raises(ClusterError, match="distributed") as raised:
        ClusterLink(options, JobSpecification(Settings(), tmp_path), tmp_path, [])
    assert "pip install -r scripts/requirements-cluster.txt" in raised.value.remedy


def test_the_pinned_requirements_of_a_cluster_stay_out_of_the_zip():
    """They lie beside the package, and nothing that Blender loads imports the engine at its top."""
    package = Path(facedetail_addon.__file__).parent
    assert (package.parent / "scripts" / "requirements-cluster.txt").is_file()
    for path in package.rglob("*.py"):
        assert not any(
            line.startswith(("import distributed", "from distributed", "import dask"))
            for line in path.read_text().splitlines()
        )
