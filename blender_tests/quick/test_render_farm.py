# SPDX-License-Identifier: GPL-3.0-or-later
"""The job type for Flamenco, compiled in Node against a stand-in of what Flamenco gives to such scripts."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FARM = Path(__file__).parents[2] / "scripts" / "render_farm"
STAND_IN = Path(__file__).parent / "data" / "flamenco_stand_in.js"
NODE = shutil.which("node")
# What Flamenco's API (AvailableJobSetting) and its list of commands allow.
TYPES, SUBTYPES = {"string", "int32", "float", "bool"}, {"file_path", "dir_path", "file_name", "hashed_file_path"}
VISIBLE = {"visible", "hidden", "submission", "web"}
KEYS = {"key", "type", "subtype", "choices", "propargs", "description", "default", "eval", "evalInfo", "visible"}
KEYS |= {"required", "editable"}
PARAMETERS = {
    "blender-render": {"exe": str, "exeArgs": str, "argsBefore": list, "blendfile": str, "args": list},
    "frames-to-video": {"exe": str, "exeArgs": str, "fps": float | int, "inputGlob": str, "outputFile": str,
                        "argsBefore": list, "args": list},
}  # fmt: skip
SUBMITTED = {
    "picture": "Turntable", "turn_frames": 10, "height": 540, "samples": 16, "head": "", "frames": "3, 5-10, 20",
    "engine": "CYCLES", "chunk_size": 4, "render_output_root": "/farm/out", "add_path_components": 0,
    "render_output_path": "/farm/out/astronaut/{timestamp}/######", "blendfile": "/farm/in/scene.flamenco.blend",
    "scene": "Scene", "fps": 25.0, "format": "PNG", "image_file_extension": ".png",
}  # fmt: skip

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node to run the job type")


def compiled(**settings: object) -> dict:
    job = {"name": "astronaut", "settings": SUBMITTED | settings}
    command = [NODE, str(STAND_IN), str(FARM / "facedetail_head.js")]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_settings_are_what_flamenco_and_its_add_on_know():
    kind = compiled()["type"]
    assert kind["label"] and set(kind) <= {"label", "description", "settings"}
    keys = [setting["key"] for setting in kind["settings"]]
    assert sorted(keys) == sorted(SUBMITTED) and len(set(keys)) == len(keys)
    for setting in kind["settings"]:
        assert set(setting) <= KEYS and setting["type"] in TYPES
        assert setting.get("subtype") in SUBTYPES | {None} and setting.get("visible", "visible") in VISIBLE
        assert "choices" not in setting or setting["type"] == "string" and setting["default"] in setting["choices"]
        if "eval" in setting:
            compile(setting["eval"], setting["key"], "eval")


def test_a_turntable_is_rendered_once_in_chunks_and_then_filmed():
    job = compiled()
    *renders, film = job["tasks"]
    assert job["settings"]["render_output_path"] == "/farm/out/astronaut/2030-01-31_120000/######"
    assert [task["name"] for task in renders] == ["turntable-1-4", "turntable-5-8", "turntable-9,10"]
    for task, chunk in zip(renders, ("1-4", "5-8", "9,10"), strict=True):
        (command,) = task["commands"]
        assert task["type"] == "blender" and not task["dependencies"]
        args = command["parameters"]["args"]
        assert args.index("--python-exit-code") < args.index("--python") < args.index("--")
        assert args[args.index("--only") + 1] == chunk and args[args.index("--frames") + 1] == "10"
        script = args[args.index("--python") + 1]
        assert (FARM.parents[1] / script.replace("{facedetail}/", "")).is_file()
    assert film["type"] == "ffmpeg" and film["dependencies"] == [task["uuid"] for task in renders]
    parameters = film["commands"][0]["parameters"]
    assert parameters["outputFile"] == "/farm/out/astronaut/2030-01-31_120000/turntable.mp4"
    assert parameters["inputGlob"].endswith("/turntable_*.png") and parameters["fps"] == 24


def test_a_scene_is_rendered_through_its_camera_and_filmed_where_it_moves():
    *renders, film = compiled(picture="Scene")["tasks"]
    frames = [task["commands"][0]["parameters"]["args"][-1] for task in renders]
    assert frames == ["3,5..7", "8..10,20"]
    assert renders[0]["commands"][0]["parameters"]["args"][:4] == ["--scene", "Scene", "--engine", "CYCLES"]
    assert film["commands"][0]["parameters"]["outputFile"].endswith("/scene.mp4")
    assert film["commands"][0]["parameters"]["fps"] == 25.0
    (still,) = compiled(picture="Scene", frames="7")["tasks"]
    assert still["name"] == "render-7"
    unread = compiled(picture="Scene", format="OPEN_EXR")
    assert "film" not in {task["name"] for task in unread["tasks"]} and "OPEN_EXR" in unread["printed"][0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"picture": "Portrait"}, "no picture"),
        ({"picture": "Scene", "format": "FFMPEG"}, "picture format"),
        ({"picture": "Scene", "frames": "one"}, "invalid range"),
        ({"render_output_path": ""}, "output folder"),
        ({"chunk_size": 0}, "chunk size"),
    ],
)
def test_jobs_that_cannot_be_are_refused(settings, said):
    assert said in compiled(**settings)["error"]


def test_commands_are_flamencos_and_every_variable_is_explained():
    readme = (FARM / "README.md").read_text(encoding="utf-8")
    for task in compiled()["tasks"] + compiled(picture="Scene", head="Head")["tasks"]:
        for command in task["commands"]:
            known = PARAMETERS[command["name"]]
            for name, value in command["parameters"].items():
                assert isinstance(value, known[name])
            for variable in re.findall(r"\{(\w+)\}", json.dumps(command["parameters"])):
                assert f"\n     {variable}:\n" in readme, variable
