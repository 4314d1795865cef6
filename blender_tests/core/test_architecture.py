# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules that a test can check: which way imports go, what the core may need, how long a module may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facedetail_addon

PACKAGE = Path(facedetail_addon.__file__).parent
REPOSITORY = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 500

# Each room and the rooms it may import from. "addon" is what lies directly in the package, but for the options and the
# identifiers, which all rooms may know.
FOR_ALL = {"settings", "names"}
ALLOWED = {
    "addon": {"addon", "operators", "ui", "cli", "jobs", "scene", "core"},
    "cli": {"cli", "addon", "jobs", "scene", "core"},
    "operators": {"operators", "addon", "jobs", "scene", "core"},
    "ui": {"ui", "addon", "operators", "core"},
    "jobs": {"jobs", "core"},
    "scene": {"scene", "addon", "core"},
    "core": {"core"},
}
# What a stage of the core may import besides plain helpers and the types of what it is given.
STAGES = {"landmarks", "expression", "proxy", "uv", "lighting", "albedo", "detail", "eyes"}
BLENDER_MODULES = {"bpy", "bmesh", "mathutils", "bpy_extras", "gpu", "bl_ui"}


def room(module: tuple[str, ...]) -> str:
    if len(module) > 1 or module[0] in FOR_ALL or (PACKAGE / module[0]).is_dir():
        return module[0]
    return "addon"


def imports(path: Path) -> list[tuple[str, ...]]:
    """The dotted names a file imports; relative ones are resolved and begin with the package's name."""
    here = (PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts)
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: -node.level] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            # `from . import name` may name a module; `from .module import name` names the module itself.
            found += [base] if node.module else [(*base, alias.name) for alias in node.names]
    return found


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_go_one_way(path):
    own_room = room(path.relative_to(PACKAGE).with_suffix("").parts)
    for name in imports(path):
        if name[0] == PACKAGE.name and len(name) > 1:
            target = room(name[1:])
            allowed = ALLOWED.get(own_room, set()) | FOR_ALL
            assert target in allowed, f"{relative(path)} ({own_room}) imports {'.'.join(name)}"


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


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent.name in STAGES], ids=relative)
def test_stages_know_only_each_others_types(path):
    stage = path.parent.name
    for name in imports(path):
        if name[:2] == (PACKAGE.name, "core") and len(name) > 3 and name[2] in STAGES - {stage}:
            assert name[3] == "types", f"{relative(path)} imports {'.'.join(name)}"


def test_only_what_imports_models_knows_how():
    """Reading and matching other people's models is no part of inference."""
    room = PACKAGE / "core" / "model_import"
    users = {
        relative(path)
        for path in MODULES
        if room not in path.parents and any(name[:3] == (PACKAGE.name, "core", room.name) for name in imports(path))
    }
    assert users <= {"jobs/tasks.py", "cli/main.py"}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_blender_and_torch_stay_in_their_rooms(path):
    own_room = room(path.relative_to(PACKAGE).with_suffix("").parts)
    outside = {name[0] for name in imports(path) if name}
    if own_room in ("core", "jobs"):
        assert not outside & BLENDER_MODULES
    if own_room != "core":
        assert "torch" not in outside


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_modules_are_short_and_licensed(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES, f"{len(lines)} lines"
    assert not lines or lines[0] == "# SPDX-License-Identifier: GPL-3.0-or-later"


@pytest.mark.parametrize("path", [p for p in MODULES if p.stat().st_size], ids=relative)
def test_public_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert node.end_lineno - node.lineno < 80, node.name


def run_without(blocked: str, program: str) -> subprocess.CompletedProcess:
    """Run a program in a Python where some modules cannot be imported."""
    block = f"import sys\nfor name in {blocked!r}.split(): sys.modules[name] = None\n"
    return subprocess.run([sys.executable, "-c", block + program], capture_output=True, text=True, cwd=REPOSITORY)


def test_core_needs_no_blender():
    program = "import facedetail_addon, facedetail_addon.cli.main, facedetail_addon.core.pipeline"
    done = run_without(" ".join(BLENDER_MODULES), program)
    assert done.returncode == 0, done.stderr


def test_results_can_be_read_without_torch():
    """Blender's own process reads results; torch lives in the worker."""
    program = (
        "import facedetail_addon.core.result.record, facedetail_addon.core.result.files, facedetail_addon.jobs.runner"
    )
    done = run_without("torch", program)
    assert done.returncode == 0, done.stderr
