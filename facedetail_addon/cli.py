# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``python -m facedetail_addon`` and ``blender --command facedetail``.

Standard output carries the paths of the result folders, one a line, and nothing else; progress and errors go to
standard error. Exit status: 0 done; 2 wrong usage; 3 an input cannot be used; 130 interrupted.
"""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from .core.detail.types import COMPACT, DETAIL_MODES
from .core.errors import FaceDetailError, FaceModelError, OutputError
from .core.expression.types import DEFAULT_EXPRESSION_SOURCE, EXPRESSION_SOURCES
from .core.results import Reconstruction, result_folder, same_folder_key
from .names import MAX_FRAMES, MIN_FRAMES
from .paths import user_assets_directory
from .terminal import ProgressLine, interrupt_kept, stdout_kept_clean, write_line

if TYPE_CHECKING:
    from .core.pipeline import Core, Settings

EXIT_OK, EXIT_USAGE, EXIT_INPUT, EXIT_INTERRUPTED = 0, 2, 3, 130
_RESOLUTIONS = (512, 1024, 2048, 4096)
_SHARE_RECONSTRUCT, _SHARE_SAVED = 0.7, 0.85
"""Where a photo's progress stands when it is reconstructed, and when its result is written."""


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m facedetail_addon``: returns the exit status."""
    return _run(_parser("python -m facedetail_addon"), sys.argv[1:] if argv is None else argv)


def command(argv: Sequence[str], assets: Path | None = None) -> int:
    """``blender --command facedetail PHOTO … --output DIR [--render]``, the same as ``scene``: the exit status.

    Args:
        assets: the folder with face models and weights that Blender's preferences name.
    """
    parser = argparse.ArgumentParser("blender --command facedetail", description=_scene_help())
    _add_scene_arguments(parser)
    parser.set_defaults(action="scene", **({"assets": assets} if assets else {}))
    return _run(parser, argv)


def _run(parser: argparse.ArgumentParser, argv: Sequence[str]) -> int:
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as finished:  # argparse has written its message; 0 after --help
        return int(finished.code or 0)
    try:
        with stdout_kept_clean(discard=not arguments.debug) as stdout:
            return _reconstruct_photos(arguments, lambda folder: print(folder, file=stdout, flush=True))
    except KeyboardInterrupt:
        write_line(sys.stderr, "interrupted")
        return EXIT_INTERRUPTED
    except FaceDetailError as error:
        _report(error, arguments.debug)
        return EXIT_INPUT


def _parser(program: str) -> argparse.ArgumentParser:
    description = "One photo of a face becomes a posed head with its skin and its light."
    parser = argparse.ArgumentParser(program, description=description)
    actions = parser.add_subparsers(dest="action", required=True, metavar="reconstruct|scene")
    text = "write a result folder for each photo"
    _add_arguments(actions.add_parser("reconstruct", help=text, description=text.capitalize() + "."))
    _add_scene_arguments(actions.add_parser("scene", help=_scene_help(), description=_scene_help().capitalize() + "."))
    return parser


def _scene_help() -> str:
    return "write a result folder with scene.blend for each photo (needs Blender or its bpy module)"


def _add_scene_arguments(parser: argparse.ArgumentParser) -> None:
    _add_arguments(parser)
    parser.add_argument("--render", action="store_true", help="render the head through the photo's camera: render.png")
    parser.add_argument(
        "--sun", action="store_true", help="make the light's strongest direction a lamp, for crisp shadows"
    )
    parser.add_argument("--lookdev", action="store_true", help="render a contact sheet of the head: lookdev.png")
    text = "render a film of N frames around the head: turntable.mp4"
    parser.add_argument("--turntable", default=0, type=_frames, metavar="N", help=text)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="an image file with a face")
    add("--output", required=True, type=Path, metavar="DIR", help="a folder; each photo gets DIR/<its name>/")
    text = "face model: the built-in one, a Basel Face Model or ICT-FaceKit (imported once), or an imported one's id"
    add("--model", default="builtin", metavar="builtin|PATH|ID", help=text)
    text = "what finds landmarks: the built-in face mesh, or FAN, whose weights are not built in"
    add("--landmarker", default="mesh", choices=("mesh", "fan"), help=text)
    text = "how the head is fitted: to 478 points of the face mesh, or to 68 (default: as suits landmarker and model)"
    add("--fit", default="auto", choices=("auto", "dense", "sparse"), help=text)
    text = f"folder of imported face models and FAN's weights (default {user_assets_directory()})"
    add("--assets", default=user_assets_directory(), type=Path, metavar="DIR", help=text)
    add("--resolution", default=2048, type=int, choices=_RESOLUTIONS, help="side of the texture (default 2048)")
    add("--face", default=None, type=_face, metavar="largest|N", help="which face, 1 being the largest (default)")
    text = f"what the expression is taken from (default {DEFAULT_EXPRESSION_SOURCE})"
    add("--expression", default=DEFAULT_EXPRESSION_SOURCE, choices=EXPRESSION_SOURCES, help=text)
    text = "bands of spherical harmonics of the light, 3 to 9 (default 3)"
    add("--light-bands", default=3, type=int, choices=range(3, 10), metavar="3..9", help=text)
    text = f"relief of the skin, wrinkles and pores (default {COMPACT})"
    add("--detail", default=COMPACT, choices=DETAIL_MODES, help=text)
    add("--quiet", action="store_true", help="no progress and no warnings")
    add("--debug", action="store_true", help="show where an error comes from, and what libraries say")


def _face(text: str) -> int | None:
    """``largest`` to None, ``1`` to 0."""
    if text == "largest":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'largest' nor a number from 1")
    return int(text) - 1


def _frames(text: str) -> int:
    """Of a turntable."""
    if not text.isdecimal() or not MIN_FRAMES <= int(text) <= MAX_FRAMES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {MIN_FRAMES} to {MAX_FRAMES}")
    return int(text)


def _reconstruct_photos(arguments: argparse.Namespace, tell: Callable[[Path], None]) -> int:
    """Work through the photos; a bad one is reported and does not stop the rest."""
    if arguments.action == "scene" and not _blender_is_there():
        write_line(sys.stderr, "error: A scene needs Blender, and this Python has no bpy module.")
        write_line(sys.stderr, "try: Run it as blender --command facedetail, or install bpy 4.5 with pip.")
        return EXIT_USAGE

    from .core.pipeline import Core, Settings  # brings torch, so only after the arguments are known to be right

    settings = Settings(
        face_model=_model_id(arguments),
        landmarker=arguments.landmarker,
        fit=arguments.fit,
        resolution=arguments.resolution,
        face=arguments.face,
        expression=arguments.expression,
        light_bands=arguments.light_bands,
        detail=arguments.detail,
    )
    core = Core.load(settings, arguments.assets)
    failures = 0
    first_photo_of: dict[str, Path] = {}
    for number, photo in enumerate(arguments.photos, start=1):
        label = f"{photo.name} ({number}/{len(arguments.photos)})" if len(arguments.photos) > 1 else photo.name
        line = ProgressLine(sys.stderr, label)
        progress_shown: AbstractContextManager = nullcontext() if arguments.quiet else line
        try:
            with progress_shown:
                _refuse_same_folder(photo, arguments.output, first_photo_of)
                report = _ignore if arguments.quiet else line.show
                folder, result = _reconstruct_one(photo, core, settings, arguments, report)
            if not arguments.quiet:
                for notice in result.notices:
                    write_line(sys.stderr, f"warning: {photo}: {notice.message}")
            tell(folder)
        except FaceDetailError as error:
            _report(error, arguments.debug)
            failures += 1
    return EXIT_INPUT if failures else EXIT_OK


def _model_id(arguments: argparse.Namespace) -> str:
    """The name of the face model; one given as a file or folder is imported first."""
    path = Path(arguments.model)
    if arguments.model == "builtin" or not path.exists():
        if path.suffix or len(path.parts) > 1:
            raise FaceModelError(
                f"There is no face model {path}.", "Check the path; installed models have ids instead."
            )
        return arguments.model
    from .core.face_model.install import install_model
    from .core.face_model.library import BUILTIN, load_named_calibration, load_named_model
    from .core.landmarks.landmarker import MeshLandmarker

    line = ProgressLine(sys.stderr, path.name)
    progress_shown: AbstractContextManager = nullcontext() if arguments.quiet else line
    with progress_shown:
        builtin, calibration = load_named_model(BUILTIN), load_named_calibration(BUILTIN)
        report = _ignore if arguments.quiet else line.show
        info = install_model(path, arguments.assets, builtin, calibration, MeshLandmarker.load().find, report)
    if not arguments.quiet:
        for text in (f"{path} is installed as {info.id}.", info.licence, *info.lacks):
            write_line(sys.stderr, f"note: {text}")
    return info.id


def _reconstruct_one(
    photo: Path, core: "Core", settings: "Settings", arguments: argparse.Namespace, report: Callable[[str, float], None]
) -> tuple[Path, Reconstruction]:
    from .core.pipeline import reconstruct

    result = reconstruct(photo, core, settings, lambda text, done: report(text, done * _SHARE_RECONSTRUCT))
    report("Saving the result", _SHARE_RECONSTRUCT)
    folder = result.save(arguments.output, core.model, _scene_writer(result, core, arguments, report))
    report("Done", 1.0)
    return folder, result


def _scene_writer(
    result: Reconstruction, core: "Core", arguments: argparse.Namespace, report: Callable[[str, float], None]
) -> Callable[[Path], None] | None:
    if arguments.action != "scene":
        return None
    from .scene.file import write_scene_file

    def write(folder: Path) -> None:
        rendering = arguments.render or arguments.lookdev or arguments.turntable
        report("Rendering" if rendering else "Building the scene", _SHARE_SAVED)
        with interrupt_kept():
            write_scene_file(
                result,
                core.model,
                folder,
                render=arguments.render,
                sun=arguments.sun,
                lookdev=arguments.lookdev,
                turntable=arguments.turntable,
            )

    return write


def _refuse_same_folder(photo: Path, output: Path, first_photo_of: dict[str, Path]) -> None:
    """Two photos of one run must not write over each other."""
    folder = result_folder(output, photo.name)
    first = first_photo_of.setdefault(same_folder_key(folder), photo)
    if first is not photo:
        raise OutputError(
            f"{photo} would be written over the result of {first}, to {folder}.",
            "Rename one of the two photos, or give them different output folders.",
        )


def _blender_is_there() -> bool:
    try:
        import bpy  # noqa: F401
    except ImportError:
        return False
    return True


def _report(error: FaceDetailError, debug: bool) -> None:
    if debug:
        write_line(sys.stderr, "".join(traceback.format_exception(error)).rstrip())
    write_line(sys.stderr, f"error: {error.message}")
    write_line(sys.stderr, f"try: {error.remedy}")


def _ignore(_text: str, _done: float) -> None:
    """The progress nobody wants to see."""
