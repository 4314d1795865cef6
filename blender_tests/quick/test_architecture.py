# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules that a test can check: which way imports go, what the core may need, how long code may be."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import facedetail_addon

PACKAGE = Path(facedetail_addon.__file__).parent
REPOSITORY = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((REPOSITORY / "scripts").rglob("*.py"))
MAX_LINES, MAX_FUNCTION_LINES = 500, 80

# Each room and the rooms it may import from, besides itself and, but for the ground's own modules, the ground.
GROUND = {
    "names": set(), "settings": {"names"}, "paths": set(), "environment": set(), "requirements": {"names", "paths"},
    "core.errors": set(), "core.notices": set(), "core.colour": set(), "core.image": set(), "core.robust": set(),
    "core.parallel": set(),
    "core.alignment": {"core.image"}, "core.stages": set(), "core.memory": set(),
    "core.geometry": {"core.errors"}, "core.io": {"core.errors"}, "core.assets": {"core.errors"},
}  # fmt: skip
_STAGES = ("observe", "fit", "uv", "lighting", "skin", "eyes", "detail", "refine")
STAGES = {f"core.{name}" for name in _STAGES}
_MODEL = {"core.face_model", "core.rendering"}
_PIPELINE = {"core.on_skin", "core.photo_notices", "core.seen", "core.models", "core.result", *_MODEL, *STAGES}
ALLOWED = {
    "top": {"cli", "ui", "operators", "session"},
    "ui": {"operators", "session", "core.editing", "core.face_model"},
    "operators": {"session", "jobs", "scene", "core.editing", "core.face_model", "core.fit", "core.result"},
    "session": {"jobs", "core.editing"},
    "cli": {"jobs", "scene", "core.face_model", "core.model_import", "core.observe", "core.result"},
    "jobs": {
        "core.face_model",
        "core.fit",
        "core.model_import",
        "core.models",
        "core.observe",
        "core.person",
        "core.result",
        "core.update",
    },
    "scene": {"core.fit", "core.result", *_MODEL, "core.detail", "core.eyes", "core.reduction", "core.skin"},
    "core.matching": {*_MODEL, *STAGES},
    "core.person": {"core.matching", "core.pipeline", *_PIPELINE},
    "core.editing": {*_MODEL, "core.fit", "core.result"},
    "core.update": {"core.person", "core.pipeline", *_PIPELINE},
    "core.pipeline": _PIPELINE,
    "core.on_skin": {"core.models", *_MODEL, *STAGES},
    "core.photo_notices": {"core.seen", "core.models", *STAGES},
    "core.seen": {"core.result", "core.rendering", *STAGES},
    "core.models": {"core.model_parts", *_MODEL, *STAGES},
    "core.model_parts": {*_MODEL, *STAGES},
    "core.result": {*_MODEL, *STAGES},
    "core.rendering": set(),
    "core.face_model": {"core.rendering"},
    "core.reduction": {*_MODEL, "core.uv"},
    "core.model_import": {*_MODEL, "core.observe"},
    "core.observe": {"core.face_model"},
    # Of the later stages their types alone: the fit begins again with what a first look has told.
    "core.fit": {*_MODEL, "core.observe", "core.uv", "core.lighting", "core.skin"},
    "core.uv": {*_MODEL, "core.fit"},
    "core.lighting": {"core.rendering", "core.skin", "core.uv"},
    "core.skin": {*_MODEL, "core.lighting", "core.uv"},
    "core.eyes": {"core.face_model"},
    "core.detail": {*_MODEL, "core.fit", "core.lighting", "core.uv"},
    "core.refine": {*_MODEL, "core.fit", "core.lighting", "core.observe", "core.skin", "core.uv"},
}
TOP = {"__init__", "__main__", "registration"}
BLENDER_MODULES = {"bpy", "bmesh", "mathutils", "bpy_extras", "gpu", "bl_ui"}


def room(module: tuple[str, ...]) -> str:
    """Of a module of the package, by its parts."""
    if module[0] in TOP:
        return "top"
    if module[0] == "core":
        return ".".join(module[:2])
    return module[0]


@cache
def imports(path: Path, package: Path) -> list[tuple[str, ...]]:
    """The dotted names a file imports; relative ones are resolved and begin with the package's name."""
    here = (package.name, *path.relative_to(package).with_suffix("").parts)
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: -node.level] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            # `from .room import name` may name a module; `from .module import name` names the module itself.
            found += [(*base, alias.name) if _is_module((*base, alias.name)) else base for alias in node.names]
    return found


def _is_module(name: tuple[str, ...]) -> bool:
    path = REPOSITORY.joinpath(*name)
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def of_the_package(path: Path) -> list[tuple[str, ...]]:
    """What a module imports of the package, without the package's name."""
    return [name[1:] for name in imports(path, PACKAGE) if name[0] == PACKAGE.name and len(name) > 1]


def own_parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(PACKAGE).with_suffix("").parts


def test_every_room_is_known():
    rooms = {room(own_parts(path)) for path in MODULES} - {"core.__init__"}
    assert rooms == set(ALLOWED) | set(GROUND)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_go_one_way(path):
    own_room = room(own_parts(path))
    allowed = GROUND.get(own_room, ALLOWED.get(own_room, set()) | set(GROUND)) | {own_room}
    if own_room.startswith("core."):
        allowed -= {"names", "paths", "requirements"}  # Blender's and the artist's, not the core's
    for name in of_the_package(path):
        assert room(name) in allowed, f"{relative(path)} ({own_room}) imports {'.'.join(name)}"


def test_nobody_imports_in_a_circle():
    """Imports inside of functions count, too."""
    for root in (PACKAGE, REPOSITORY / "scripts"):
        files = {(root.name, *path.relative_to(root).with_suffix("").parts): path for path in root.rglob("*.py")}
        arrows = {name: set(imports(path, root)) & set(files) for name, path in files.items()}
        while free := [name for name, targets in arrows.items() if not targets & set(arrows)]:
            for name in free:
                del arrows[name]
        # What is left imports something that is left: circles, and what leads to them.
        assert not arrows, sorted(".".join(name) for name in arrows)


def test_process_wide_state_is_in_the_session():
    """Nowhere else is a global assigned, or an attribute of a class from outside of it."""
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if room(path.relative_to(PACKAGE).with_suffix("").parts) != "session":
            assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)], relative(path)
        classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)} | {"cls"}
        targets = [
            target
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for assigned in node.targets
            for target in ast.walk(assigned)
        ]
        owners = {
            target.value.id
            for target in targets
            if isinstance(target, ast.Attribute)
            and isinstance(target.value, ast.Name)
            and target.attr != "__annotations__"
        }
        assert not owners & classes, relative(path)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_nobody_takes_what_others_hide(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_package_imports_itself_relatively(path):
    """Blender installs the package under another name."""
    absolute = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == PACKAGE.name)
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == PACKAGE.name for alias in node.names))
    ]
    assert not absolute


@pytest.mark.parametrize("path", [p for p in MODULES if room(own_parts(p)) in STAGES], ids=relative)
def test_stages_know_only_each_others_types(path):
    stage = room(own_parts(path))
    for name in of_the_package(path):
        if room(name) in STAGES - {stage}:
            assert name[-1] == "types", f"{relative(path)} imports {'.'.join(name)}"


def test_only_what_imports_models_knows_how():
    """Reading and matching other people's models is no part of inference."""
    users = {
        relative(path)
        for path in MODULES
        if room(own_parts(path)) != "core.model_import" and "core.model_import" in map(room, of_the_package(path))
    }
    assert users <= {"jobs/tasks.py", "cli/main.py"}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_blender_and_torch_stay_in_their_rooms(path):
    own_room = room(own_parts(path))
    outside = {name[0] for name in imports(path, PACKAGE) if name}
    if own_room.startswith("core") or own_room in ("jobs", "settings", "names"):
        assert not outside & BLENDER_MODULES
    if not own_room.startswith("core"):
        assert "torch" not in outside
    if own_room in ("settings", "names"):
        assert not outside & {"numpy", "scipy", "cv2"}


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_modules_are_short_and_licensed(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES, f"{len(lines)} lines"
    assert not lines or lines[0] == "# SPDX-License-Identifier: GPL-3.0-or-later"


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


def run_without(blocked: str, program: str) -> subprocess.CompletedProcess:
    """Run a program in a Python where some modules cannot be imported."""
    block = f"import sys\nfor name in {blocked!r}.split(): sys.modules[name] = None\n"
    return subprocess.run([sys.executable, "-c", block + program], capture_output=True, text=True, cwd=REPOSITORY)


def test_results_can_be_read_without_torch():
    """Blender's own process reads results; torch lives in the worker."""
    program = (
        "import facedetail_addon.core.result.record, facedetail_addon.core.result.files, facedetail_addon.jobs.runner"
    )
    done = run_without("torch", program)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["jobs.tasks", "cli.main"])
def test_what_is_slow_to_load_waits_until_after_the_first_word(module):
    """The worker tells what it does, and the command line its help, before anything of these is loaded."""
    done = run_without("scipy torch embreex", f"import facedetail_addon.{module}")
    assert done.returncode == 0, done.stderr
