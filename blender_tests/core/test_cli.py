# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a shell sees it: exit status, standard output, standard error, files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

import facedetail_addon
from facedetail_addon.cli import main as cli
from facedetail_addon.cli.terminal import ProgressLine, write_line
from facedetail_addon.core.result.files import read_result
from facedetail_addon.settings import Settings

PACKAGE = Path(facedetail_addon.__file__).parent
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
FAST = ("--resolution", "512", "--detail", "none", "--quality", "draft")
PATIENCE_S = 600


def start(*arguments: object, home: Path = PACKAGE.parent, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "facedetail_addon", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options
    )


def run(*arguments: object, **options) -> tuple[int, str, str]:
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


WRONG = {
    "nothing": [],
    "no photo": ["reconstruct", "--output", "out"],
    "no output": ["reconstruct", "a.jpg"],
    "unknown action": ["sculpt", "a.jpg", "--output", "out"],
    "odd resolution": ["reconstruct", "a.jpg", "--output", "out", "--resolution", "1000"],
    "face 0": ["reconstruct", "a.jpg", "--output", "out", "--face", "0"],
    "face by name": ["reconstruct", "a.jpg", "--output", "out", "--face", "smallest"],
    "unknown expression source": ["reconstruct", "a.jpg", "--output", "out", "--expression", "mood"],
    "unknown landmarker": ["reconstruct", "a.jpg", "--output", "out", "--landmarker", "dlib"],
    "render without scene": ["reconstruct", "a.jpg", "--output", "out", "--render"],
    "a sun without scene": ["reconstruct", "a.jpg", "--output", "out", "--light", "sun"],
    "no such light": ["scene", "a.jpg", "--output", "out", "--light", "moon"],
    "too few bands": ["reconstruct", "a.jpg", "--output", "out", "--light-bands", "2"],
    "no jobs": ["reconstruct", "a.jpg", "--output", "out", "--jobs", "0"],
    "export without scene": ["reconstruct", "a.jpg", "--output", "out", "--export", "fbx"],
    "unknown format": ["scene", "a.jpg", "--output", "out", "--export", "stl"],
    "unknown detail": ["reconstruct", "a.jpg", "--output", "out", "--detail", "more"],
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(case, capfd):
    assert cli.main(WRONG[case]) == 2
    out, err = capfd.readouterr()
    assert out == "" and "usage:" in err and "error:" in err


@pytest.mark.parametrize("arguments", [["--help"], ["reconstruct", "--help"], ["scene", "--help"]])
def test_help(arguments, capfd):
    assert cli.main(arguments) == 0
    assert "usage: python -m facedetail_addon" in capfd.readouterr().out


def test_blender_command_takes_photos_directly(capfd):
    assert cli.command(["--help"]) == 0
    out = capfd.readouterr().out
    assert "usage: blender --command facedetail" in out and "--render" in out
    assert cli.command([]) == 2


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("--landmarker", "fan", "2DFAN4"),
        ("--model", "BFM2019.h5", "BFM2019.h5"),
        ("--model", "bfm2017-0a", "bfm2017-0a"),
    ],
)
def test_what_is_not_installed_is_named(tmp_path, capfd, monkeypatch, option, value, named):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    arguments = ["reconstruct", str(ASTRONAUT), "--output", str(tmp_path / "out"), "--assets", str(tmp_path / "assets")]
    assert cli.main([*arguments, option, value]) == 3
    out, err = capfd.readouterr()
    assert out == "" and not (tmp_path / "out").exists()
    told = [line for line in err.splitlines() if "Loading the networks" not in line]
    assert [line.partition(":")[0] for line in told] == ["error", "try"] and named in err


def test_one_bad_photo_does_not_stop_the_rest(tmp_path):
    """A good photo between bad ones, and a second one of the same name; the expression is as the settings say."""
    good, twin, dot = tmp_path / "Zoë 1.png", tmp_path / "zoë 1.PNG.d" / "zoë 1.jpg", tmp_path / "dot.png"
    twin.parent.mkdir()
    shutil.copy(ASTRONAUT, good)
    Image.open(ASTRONAUT).save(twin)
    Image.new("RGB", (1, 1)).save(dot)
    output = tmp_path / "new" / "out"
    status, out, err = run("reconstruct", tmp_path / "missing.jpg", dot, good, twin, "--output", output, *FAST)
    assert status == 3
    assert out.splitlines() == [str(output / "Zoë 1")]
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(errors) == 3 and len([line for line in err.splitlines() if line.startswith("try:")]) == 3
    assert "missing.jpg does not exist" in errors[0] and "No face" in errors[1]
    assert f"{twin} would be written over the result of {good}" in errors[2]
    assert "100%  Zoë 1.png (3/4): Done" in err and "Traceback" not in err
    assert {path.name for path in output.iterdir()} == {"Zoë 1", "manifest.jsonl"}
    written = read_result(output / "Zoë 1")
    record, maps = written.record, written.maps
    assert (record.observation.photo_name, record.expression_source) == ("Zoë 1.png", Settings().expression)
    assert record.observation.emotion.name == "happy"
    assert written.displacement.shape == (512, 512) and not written.displacement.any(), "no detail: smooth skin"
    assert (maps["normal"] == (32768, 32768, 65535)).all()


def test_debug_shows_where_an_error_comes_from(tmp_path):
    status, _, err = run("reconstruct", tmp_path / "missing.jpg", "--output", tmp_path, "--debug")
    assert status == 3 and "Traceback" in err and "read_photo" in err and "\nerror: " in err and "\ntry: " in err


def test_scene_writes_a_blender_file_and_a_render(tmp_path):
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module")
    photo = tmp_path / "small.png"
    Image.open(ASTRONAUT).resize((320, 320)).save(photo)
    status, out, err = run(
        "scene", photo, "--output", tmp_path, "--resolution", 512, "--render", "--light", "stage", "--export", "glb"
    )
    assert status == 0, err
    folder = tmp_path / "small"
    assert out == f"{folder}\n", "Blender's own messages stay out of standard output"
    assert (folder / "scene.glb").read_bytes()[:4] == b"glTF"
    with Image.open(folder / "render.png") as render:
        assert render.size == (320, 320)
        alpha = np.asarray(render.getchannel("A"))
    inner = np.floor(read_result(folder).record.observation.landmarks.sparse_px[17:]).astype(int)
    assert (alpha[inner[:, 1], inner[:, 0]] > 250).all(), "the head lies where the photo's face is"
    assert (alpha < 5).mean() > 0.5, "and nowhere else"
    with bpy.data.libraries.load(str(folder / "scene.blend")) as (inside, _):
        assert sorted(inside.collections) == ["FaceDetail small", "small light stage"]
        assert len(inside.images) >= 2


WEIGHTS = (
    "face_mesh.safetensors", "emotion_net.safetensors", "expression_dictionary.npz", "hair_segmentation.safetensors",
    "person_segmentation.safetensors", "detail_net.safetensors", "line_net.safetensors",
    "correspondence_net.safetensors", "canonical_points.npz", "identity_prior.npz", "face_recognition.safetensors",
)  # fmt: skip
WITHOUT_EACH = """
import sys
from pathlib import Path
from facedetail_addon.cli import main as cli

photo, output, *names = sys.argv[1:]
weights = Path(cli.__file__).parent.parent / "core" / "weights"
for name in names:
    (weights / name).rename(weights / "hidden")
    status = cli.main(["reconstruct", photo, "--output", output])
    print(f"--- {status}", file=sys.stderr)
    (weights / "hidden").rename(weights / name)
"""


def test_missing_weights(tmp_path):
    """A package without its weights says which file is missing, and what to do."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", WITHOUT_EACH, str(ASTRONAUT), str(tmp_path / "out"), *WEIGHTS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0 and done.stdout == "" and not (tmp_path / "out").exists()
    assert "Traceback" not in done.stderr
    *told, rest = done.stderr.split("--- 3\n")
    assert len(told) == len(WEIGHTS) and rest == ""
    for name, err in zip(WEIGHTS, told, strict=True):
        assert err.count("error: ") == 1 and name in err and err.count("try: ") == 1


@pytest.fixture
def interrupts():
    """Processes started here can be interrupted, even if a shell runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize(("action", "stage"), [("reconstruct", "Unwrapping"), ("scene", "Rendering")])
def test_interrupt_leaves_nothing(tmp_path, action, stage, interrupts):
    if action == "scene":
        pytest.importorskip("bpy", reason="needs Blender's Python module")
    options = FAST if action == "reconstruct" else [*FAST, "--render"]
    photo = tmp_path / "close.png"  # small, because Blender finishes the picture first
    Image.open(ASTRONAUT).crop((105, 0, 345, 240)).save(photo)
    output = tmp_path / "out"
    process = start(action, photo, "--output", output, *options)
    line = process.stderr.readline()
    while stage not in line:
        assert line, "ended before it could be interrupted"
        line = process.stderr.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert out == "" and "interrupted" in err and "Done" not in err
    assert not output.exists() or list(output.iterdir()) == []


def test_output_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    status, out, err = run("reconstruct", ASTRONAUT, "--output", tmp_path / "out", *FAST, "--quiet")
    assert status == 3 and out == "" and "error: " in err and "try: " in err


class Screen:
    """A stream that is a terminal, or not."""

    encoding = "ascii"

    def __init__(self, terminal: bool):
        self.text, self.terminal = "", terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        self.write("")

    def isatty(self) -> bool:
        return self.terminal


def test_bar_on_a_terminal_and_lines_elsewhere():
    for terminal in (True, False):
        screen = Screen(terminal)
        with ProgressLine(screen, "ä.jpg") as line:
            line.show("Reading", 0.0)
            line.show("Done", 1.0)
        assert ("\r" in screen.text) == terminal and "100%  \\xe4.jpg: Done" in screen.text
        assert screen.text.endswith("\r\x1b[K") if terminal else screen.text.endswith("\n")


def test_text_the_terminal_cannot_show_is_escaped():
    screen = Screen(True)
    write_line(screen, "Zoë")
    assert screen.text == "Zo\\xeb\n"


def test_a_folder_without_photos_does_not_stop_the_rest(tmp_path):
    """What it holds is named; the photo beside it is tried, and both are in the manifest."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.CR3").touch()
    status, out, err = run("reconstruct", tmp_path / "raw", tmp_path / "gone.jpg", "--output", tmp_path / "out")
    assert status == 3 and out == "" and err.count("\ntry: ") == 2
    assert "holds no photo" in err and "a.CR3" in err and "gone.jpg does not exist" in err
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert [(line["photo"], line["status"]) for line in lines] == [
        (str(tmp_path / "raw"), "failed"), (str(tmp_path / "gone.jpg"), "failed"),
    ]  # fmt: skip
