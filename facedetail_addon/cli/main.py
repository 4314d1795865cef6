# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``python -m facedetail_addon`` and ``blender --command facedetail``.

Standard output carries the paths of the result folders, one a line, and nothing else; progress and errors go to
standard error. ``manifest.jsonl`` in the output folder tells what became of every photo. Exit status: 0 done; 2 wrong
usage; 3 an input cannot be used; 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from ..core.detail.types import COMPACT, DETAIL_MODES
from ..core.errors import FaceDetailError, FaceModelError
from ..core.observe.expression.types import DEFAULT_EXPRESSION_SOURCE, EXPRESSION_SOURCES
from ..core.result.files import EXPORT_FILES
from ..jobs.messages import Reconstruct, WriteScene
from ..jobs.runner import Worker
from ..names import MAX_FRAMES, MIN_FRAMES
from ..paths import site_directories, user_assets_directory
from .batch import JobSpecification, Task, results_here, results_of_workers
from .inputs import find_photos
from .run_log import RunLog, report_error
from .terminal import ProgressLine, stdout_kept_clean, write_line

EXIT_OK, EXIT_USAGE, EXIT_INPUT, EXIT_INTERRUPTED = 0, 2, 3, 130
_RESOLUTIONS = (512, 1024, 2048, 4096)
_TASKS = "cli.scene_tasks"
"""The module of what workers do for the command line."""
_MOST_JOBS = 64


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
        report_error(error, arguments.debug)
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
    text = "also write the head for other programs: scene.fbx, .glb, .usdz, or .obj with its pictures"
    parser.add_argument("--export", default="", choices=tuple(EXPORT_FILES), help=text)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="an image file with a face, or a folder of them")
    add("--output", required=True, type=Path, metavar="DIR", help="a folder; each photo gets DIR/<its name>/")
    add("--recursive", action="store_true", help="take the photos of folders in folders, too")
    text = "how many photos to do at once, each in a process of its own (default 1)"
    add("--jobs", default=1, type=_jobs, metavar="N", help=text)
    add("--resume", action="store_true", help="leave out photos whose result with these settings is there already")
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
    add("--debug", action="store_true", help="show where an error comes from, and what libraries say; one job only")


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST_JOBS}")
    return int(text)


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
    photos = find_photos(arguments.photos, arguments.output, recursive=arguments.recursive)
    specification = _specification(arguments)
    quiet, debug = arguments.quiet, arguments.debug
    run_log = RunLog(
        photos, specification, arguments.output, resume=arguments.resume, tell=tell, quiet=quiet, debug=debug
    )

    def line(task: Task) -> ProgressLine:
        place = f" ({task.number}/{len(photos)})" if len(photos) > 1 else ""
        return ProgressLine(sys.stderr, task.photo.name + place, quiet)

    if len(photos) == 1 or debug:
        results = results_here(run_log.tasks(), specification, line)
    else:
        results = results_of_workers(run_log.tasks(), specification, line, _workers(arguments, len(photos)))
    with closing(results):
        for result in results:
            run_log.note(result)
    return EXIT_INPUT if run_log.failures else EXIT_OK


def _specification(arguments: argparse.Namespace) -> JobSpecification:
    """What to do with every photo, as it is asked for."""
    names = ["landmarker", "fit", "resolution", "face", "expression", "light_bands", "detail"]
    kind = Reconstruct
    if arguments.action == "scene":
        kind = WriteScene
        names += ["render", "sun", "lookdev", "turntable", "export"]
    fields = {name: getattr(arguments, name) for name in names}
    return JobSpecification(kind, {**fields, "assets": str(arguments.assets), "face_model": _model_id(arguments)})


def _workers(arguments: argparse.Namespace, photos: int) -> list[Worker]:
    """Processes that share the processor's cores; a scene's are Blenders where this is one, and not its module."""
    count = min(arguments.jobs, photos)
    blender = ""
    if arguments.action == "scene":
        import bpy

        blender = bpy.app.binary_path
    threads = max(1, (os.cpu_count() or 1) // count) if count > 1 else None
    sites = site_directories(sys.path)
    return [Worker(sites, blender=blender, tasks=_TASKS, threads=threads) for _ in range(count)]


def _model_id(arguments: argparse.Namespace) -> str:
    """The name of the face model; one given as a file or folder is imported first."""
    path = Path(arguments.model)
    if arguments.model == "builtin" or not path.exists():
        if path.suffix or len(path.parts) > 1:
            raise FaceModelError(
                f"There is no face model {path}.", "Check the path; installed models have ids instead."
            )
        return arguments.model
    from ..core.face_model.library import BUILTIN, load_named_calibration, load_named_model
    from ..core.model_import.install import install_model
    from ..core.observe.landmarks.landmarker import MeshLandmarker

    line = ProgressLine(sys.stderr, path.name, arguments.quiet)
    with line:
        builtin, calibration = load_named_model(BUILTIN), load_named_calibration(BUILTIN)
        info = install_model(path, arguments.assets, builtin, calibration, MeshLandmarker.load().find, line.show)
    if not arguments.quiet:
        for text in (f"{path} is installed as {info.id}.", info.licence, *info.missing):
            write_line(sys.stderr, f"note: {text}")
    return info.id


def _blender_is_there() -> bool:
    try:
        import bpy  # noqa: F401
    except ImportError:
        return False
    return True
