# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of a turntable around a head of the open Blender file, for a render farm.

    blender -b scene.blend --python-exit-code 1 --python scripts/render_farm/turntable_frames.py -- --output DIR
        --frames 48 --only 1-4 [--height 1080] [--samples 64] [--head NAME] [--package DIR] [--site DIR]

The pictures are those of the panel's turntable: studio light, frame 1 from the front. Each appears whole or not at all,
so a task can be done again.
"""

import argparse
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import bpy

EXTENSION, CHECKOUT = "bl_ext.user_default.facedetail", "facedetail_addon"
FRAME_NAME = "turntable_{:04d}.png"


def main(argv: list[str]) -> None:
    """Render the frames that the arguments name."""
    arguments = _arguments(argv)
    package = _package(arguments.package, arguments.site)

    def of(name: str) -> ModuleType:
        return importlib.import_module(f"{package}.{name}")

    pictures, sheet, images = of("scene.lookdev.pictures"), of("scene.lookdev.sheet"), of("core.io.images")
    head = of("scene.head_object").HeadObject.named(_head_name(arguments.head, of("scene.ownership")))
    lookdev = pictures.Lookdev(arguments.height, arguments.samples)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for number in arguments.only:
        picture = pictures.orbit_picture(head, lookdev, 360 * (number - 1) / arguments.frames)
        path = arguments.output / FRAME_NAME.format(number)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
        images.write_png(unfinished, sheet.over_backdrop(picture))
        unfinished.replace(path)
        print(f"Saved: '{path}'", flush=True)  # Flamenco shows such files


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("turntable_frames.py", description="Frames of a turntable around a head.")
    add = parser.add_argument
    add("--output", required=True, type=Path, help="folder for the pictures")
    add("--frames", required=True, type=int, help="of a whole turn")
    add("--only", required=True, type=_numbers, help="those to render, such as 1-4 or 1,2")
    add("--height", type=int, default=1080, help="of a picture; its width is four fifths")
    add("--samples", type=int, default=64, help="of Cycles per pixel")
    add("--head", default="", help="name of the head's empty; without a name the only head")
    add("--package", default="", help="the folder in which facedetail_addon lies, where the extension is not installed")
    add("--site", default="", help="a folder with the Python packages that it needs then")
    return parser.parse_args(argv)


def _numbers(text: str) -> list[int]:
    """``1-4,7`` to 1, 2, 3, 4, 7."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _package(folder: str, site: str) -> str:
    """The name of FaceDetail's package: the extension where it is switched on, else the one in the folder."""
    if EXTENSION in bpy.context.preferences.addons:
        return EXTENSION
    for path in (folder, site):
        if path and "{" not in path and path not in sys.path:  # else Flamenco knows no variable of that name
            sys.path.append(path)
    if importlib.util.find_spec(CHECKOUT) is None:
        sys.exit(f"FaceDetail is neither an extension of this Blender nor in {folder or 'a folder that was named'}.")
    return CHECKOUT


def _head_name(asked: str, ownership: ModuleType) -> str:
    if asked:
        return asked
    heads = ownership.heads_in(bpy.context.scene)
    if len(heads) != 1:
        names = ", ".join(head.name for head in heads) or "none"
        sys.exit(f"Say which head is meant, with --head: this scene has {names}.")
    return heads[0].name


if __name__ == "__main__":
    main(sys.argv[sys.argv.index("--") + 1 :])
