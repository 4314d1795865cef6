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

# Modules that lie directly in the package, and the rooms they make up; nothing else lies there.
IN_THE_ROOT = {
    "__init__": "top", "__main__": "top", "registration": "top",
    "session": "session",
    "settings": "ground", "names": "ground", "paths": "ground", "requirements": "ground",
}  # fmt: skip
# Each room and the rooms it may import from.
ALLOWED = {
    "top": {"top", "ui", "operators", "session", "cli", "ground"},
    "ui": {"ui", "operators", "session", "core", "ground"},
    "operators": {"operators", "session", "jobs", "scene", "core", "ground"},
    "session": {"jobs", "ground"},
    "cli": {"cli", "jobs", "scene", "core", "ground"},
    "jobs": {"jobs", "core", "ground"},
    "scene": {"scene", "core", "ground"},
    "core": {"core"},
    "ground": {"ground"},
}
# What a scene is built of; it starts no stage of the pipeline.
CORE_OF_THE_SCENE = {
    "colour", "errors", "eyes", "face_model", "geometry", "io", "rendering", "result", "skin",
}  # fmt: skip
# What a stage of the core may import besides plain helpers and the types of what it is given.
STAGES = {"landmarks", "expression", "proxy", "uv", "lighting", "albedo", "detail", "eyes"}
BLENDER_MODULES = {"bpy", "bmesh", "mathutils", "bpy_extras", "gpu", "bl_ui"}


def room(module: tuple[str, ...]) -> str:
    return IN_THE_ROOT.get(module[0], module[0])


def is_module(name: tuple[str, ...]) -> bool:
    place = REPOSITORY.joinpath(*name)
    return place.with_suffix(".py").is_file() or place.is_dir()


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
            # `from . import name` and `from .room import name` may name a module; else `.module` is the module itself.
            named = [(*base, alias.name) for alias in node.names]
            found += [module if is_module(module) else base for module in named]
    return found


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_go_one_way(path):
    own_room = room(path.relative_to(PACKAGE).with_suffix("").parts)
    for name in imports(path):
        if name[0] == PACKAGE.name and len(name) > 1:
            target = room(name[1:])
            assert target in ALLOWED[own_room], f"{relative(path)} ({own_room}) imports {'.'.join(name)}"


def test_the_packages_root_keeps_little():
    assert {path.stem for path in PACKAGE.glob("*.py")} <= set(IN_THE_ROOT)
    assert {path.name for path in PACKAGE.iterdir() if list(path.glob("*.py"))} <= set(ALLOWED)


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[len(PACKAGE.parts)] == "scene"], ids=relative)
def test_scenes_are_built_of_results(path):
    for name in imports(path):
        if name[:2] == (PACKAGE.name, "core"):
            assert name[2] in CORE_OF_THE_SCENE, f"{relative(path)} imports {'.'.join(name)}"


def test_no_imports_go_round_in_blenders_rooms():
    """Neither those of a module nor those within its functions."""
    known = {path.relative_to(PACKAGE.parent).with_suffix("").parts: path for path in MODULES}
    wanted = {own: {name for name in imports(path) if name in known} for own, path in known.items()}
    finished: set[tuple[str, ...]] = set()

    def visit(module: tuple[str, ...], way: tuple[tuple[str, ...], ...]) -> None:
        assert module not in way, " -> ".join(".".join(one) for one in (*way, module))
        if module not in finished and room(module[1:]) != "core":
            for other in wanted[module]:
                visit(other, (*way, module))
            finished.add(module)

    for module in known:
        visit(module, ())


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
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
        }
        assert not owners & classes, relative(path)


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
