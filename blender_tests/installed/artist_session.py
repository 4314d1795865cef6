# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist does with the zip, run by a Python that has Blender and nothing else. Prints one JSON object.

    python artist_session.py ZIP PHOTO OUTPUT [PACKAGES]

PACKAGES is a folder with torch for where the zip brings none: it becomes the add-on's own packages folder.
"""

import contextlib
import importlib
import importlib.util
import io
import json
import os
import stat
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import bpy

REPOSITORY = "user_default"
ID = "facedetail"
NAME = f"bl_ext.{REPOSITORY}.{ID}"


def main(archive: str, photo: str, output: str, packages: str | None = None) -> dict:
    """Install, switch on, reconstruct, switch off, remove; the facts on the way."""
    before = known_to_blender()
    installed = bpy.ops.extensions.package_install_files(
        filepath=archive, repo=REPOSITORY, enable_on_install=True, overwrite=True
    )
    facts = {"version": bpy.app.version_string, "installed": sorted(installed)}
    if NAME not in bpy.context.preferences.addons:
        return facts
    addon = importlib.import_module(NAME)
    folder = Path(addon.__file__).parent
    facts |= {
        "addon": addon.__file__,
        "torch": origin("torch"),
        "numpy": origin("numpy"),
        "registered": registered(),
        "results": str(sys.modules[NAME + ".session"].chosen_results_directory(bpy.context)),
    }
    if facts["torch"] is None:
        facts["without_torch"] = told(photo, output)
        if packages is not None:
            own = Path(sys.modules[NAME + ".requirements"].packages_folder())
            own.parent.mkdir(parents=True, exist_ok=True)
            own.symlink_to(packages, target_is_directory=True)
    else:
        facts |= broken_torch(Path(facts["torch"]).parent, photo, output)
    unpacked = Path(origin("cv2")).parents[1]
    facts["without_opencv"] = without_own_package(unpacked / "cv2")
    paths = list(sys.path)
    if facts["torch"] is not None or packages is not None:
        with read_only([folder, unpacked]) as facts["read_only"]:
            facts |= reconstruct(photo, output)
            facts["buttons"] = buttons(output)
    facts["files_changed"] = sorted(name for name, _ in in_archive(archive) ^ in_folder(folder))
    facts["paths_changed"] = paths != sys.path
    pid = sys.modules[NAME + ".session"].current().worker.pid

    facts["disabled"] = sorted(bpy.ops.preferences.addon_disable(module=NAME))
    facts["worker_left"] = pid is not None and Path(f"/proc/{pid}").exists()
    facts["left"] = sorted(known_to_blender() - before)
    index = next(i for i, repo in enumerate(bpy.context.preferences.extensions.repos) if repo.module == REPOSITORY)
    facts["removed"] = sorted(bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id=ID))
    facts["folder_left"] = folder.exists()
    # Blender leaves what Python compiled of wheels that are single modules.
    left = folder.parents[1].glob(".local/lib/python*/site-packages/*")
    facts["packages_left"] = sorted(path.name for path in left if path.name != "__pycache__")

    return facts


def reconstruct(photo: str, output: str) -> dict:
    """One photo through the operator, and what is in the scene then."""
    facts = {"finished": sorted(bpy.ops.facedetail.reconstruct(filepath=photo, output=output, resolution="512"))}
    skin = next(item for item in bpy.data.objects if item.name.endswith("skin"))
    return facts | {
        "torch_in_blender": "torch" in sys.modules,
        "heads": [item.name for item in bpy.data.collections if item.name.startswith("FaceDetail")],
        "keys": len(skin.data.shape_keys.key_blocks),
        "emotion": skin.parent[importlib.import_module(NAME + ".names").EMOTION_PROPERTY],
        "camera": bpy.context.scene.camera.name,
    }


def buttons(output: str) -> dict[str, tuple[bool, str]]:
    """What each button of the head does, by its name."""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "real_window"))
    pressing = importlib.import_module("pressing")
    folder = Path(output) / "buttons"
    folder.mkdir()
    try:
        return {name: pressing.press(name, str(folder)) for name in pressing.BUTTONS}
    finally:
        sys.path.pop()


def broken_torch(torch: Path, photo: str, output: str) -> dict:
    """Without torch, with an old one, and with one for another Python: what happens."""
    facts = {}
    with moved_away(torch):
        facts["without_torch"] = told(photo, output)
    with changed(torch / "version.py", "__version__ = '2.1.0+cpu'\n"):
        facts["old_torch"] = told(photo, output)
    native = next(torch.glob("_C.*"))
    with moved_away(native):
        facts["foreign_torch"] = told(photo, output)
    return facts


def without_own_package(package: Path) -> dict:
    """Without a package that the add-on itself imports: what is registered and drawn."""
    # The new process of a restarted Blender would not find it at all; here it is loaded already.
    with moved_away(package):
        register_again()
        facts = {"registered": registered(), "panel": panel_lines()}
    register_again()
    return facts


def told(photo: str, output: str) -> dict:
    """Register again, and try to reconstruct: what the panel and the operator say."""
    register_again()
    try:
        bpy.ops.facedetail.reconstruct(filepath=photo, output=output, resolution="512")
    except RuntimeError as error:
        return {"registered": registered(), "panel": panel_lines(), "error": str(error)}
    return {"registered": registered(), "panel": panel_lines(), "error": None}


def register_again() -> None:
    """As at the start of Blender. Switching the add-on off and on would have Blender unpack missing wheels again."""
    addon = importlib.import_module(NAME)
    addon.unregister()
    addon.register()


def panel_lines() -> list[str]:
    """What the panel draws about packages, without a window."""
    requirements = importlib.import_module(NAME + ".requirements")
    ui = importlib.import_module(NAME + ".ui.requirements")
    layout = Lines()
    problem = requirements.blender_problem() or requirements.worker_problem()
    if problem is not None:
        ui.draw_problem(layout, problem)
    return layout.lines


class Lines:
    """Takes the place of Blender's layout: background mode draws none."""

    def __init__(self):
        self.lines: list[str] = []

    def column(self, **_options: object) -> "Lines":
        return self

    def label(self, text: str, **_options: object) -> None:
        self.lines.append(text)

    def operator(self, name: str, **_options: object) -> None:
        self.lines.append(f"[{name}]")


@contextlib.contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """The file or folder is not there for a while."""
    aside = path.with_name("aside-" + path.name)
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


@contextlib.contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """The file says something else for a while."""
    original = path.read_bytes()
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_bytes(original)


def origin(name: str) -> str | None:
    """The file of an installed module."""
    spec = importlib.util.find_spec(name)
    return None if spec is None else spec.origin


def registered() -> list[str]:
    """Our classes that Blender knows."""
    return sorted(name for name in dir(bpy.types) if "facedetail" in name.lower())


def known_to_blender() -> set[str]:
    """Everything an add-on may leave behind: classes, properties, entries of menus, handlers and timers."""
    known = {f"class {name}" for name in dir(bpy.types)}
    for kind in (bpy.types.Scene, bpy.types.Object, bpy.types.WindowManager, bpy.types.World, bpy.types.Material):
        known |= {f"{kind.__name__}.{name}" for name in kind.bl_rna.properties.keys()}  # noqa: SIM118  not a dict
    for menu in (bpy.types.TOPBAR_MT_file_import, bpy.types.TOPBAR_MT_file_export, bpy.types.VIEW3D_MT_add):
        known |= {
            f"{menu.__name__}: {draw.__module__}.{draw.__name__}" for draw in getattr(menu.draw, "_draw_funcs", ())
        }
    for name in dir(bpy.app.handlers):
        functions = getattr(bpy.app.handlers, name)
        if isinstance(functions, list):
            known |= {f"{name}: {function.__module__}.{function.__name__}" for function in functions}
    return known | {f"operator {name}" for name in dir(bpy.ops.facedetail)}


@contextlib.contextmanager
def read_only(folders: list[Path]) -> Iterator[bool]:
    """Nobody can write into the folders for a while; tells whether this system can do that.

    Permissions bind everybody but root. For root the folders are mounted read-only, where the mounts are this
    process's own (started by ``unshare --mount``) and end with it.
    """
    with contextlib.ExitStack() as stack:
        if sys.platform == "win32" or os.geteuid():
            for folder in folders:
                stack.enter_context(no_write_permission(folder))
        elif mounts_are_own():
            for folder in folders:
                subprocess.run(["mount", "--bind", folder, folder], check=True)
                stack.callback(subprocess.run, ["umount", "--lazy", folder], check=True)
                subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield all(refuses_files(folder) for folder in folders)


def mounts_are_own() -> bool:
    """Nobody else sees what this process mounts."""
    if sys.platform != "linux":
        return False
    return os.readlink("/proc/self/ns/mnt") != os.readlink(f"/proc/{os.getppid()}/ns/mnt")


@contextlib.contextmanager
def no_write_permission(folder: Path) -> Iterator[None]:
    """Take write permission from a folder and all that is in it for a while."""
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*")) if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def refuses_files(folder: Path) -> bool:
    """No file can be made there."""
    probe = folder / "probe"
    try:
        probe.touch()
    except OSError:
        return True
    probe.unlink()
    return False


def in_archive(archive: str) -> set[tuple[str, int]]:
    """Every file of the zip with its checksum."""
    with zipfile.ZipFile(archive) as opened:
        return {(info.filename, info.CRC) for info in opened.infolist() if not info.is_dir()}


def in_folder(folder: Path) -> set[tuple[str, int]]:
    """Every file in the folder with its checksum; Python's own compiled files aside."""
    return {
        (path.relative_to(folder).as_posix(), zlib.crc32(path.read_bytes()))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


if __name__ == "__main__":
    # Blender prints its progress to standard output, which is for the answer.
    with contextlib.redirect_stdout(io.StringIO()):
        answer = main(*sys.argv[1:])
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    # The module of 4.2 dies as it quits when an add-on with an update function has been removed, and that of 4.5 waits
    # for ever when such a one has written glTF. Blender itself shuts down in another order.
    os._exit(0)
