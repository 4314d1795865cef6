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

from ..core.errors import FaceDetailError, FaceModelError
from ..core.result.pin_file import pins_text, read_pins
from ..jobs.remote import TASKS
from ..jobs.runner import Worker
from ..paths import site_directories
from ..settings import BUILTIN, SceneSettings, Settings
from .arguments import SCENE, chosen, main_parser, scene_parser
from .batch import JobSpecification, Task, results_here, results_of_workers
from .cluster import results_of_cluster
from .cluster_link import AUTO, ClusterOptions
from .inputs import find_people, find_photos
from .run_log import RunLog, report_error
from .terminal import ProgressLine, stdout_kept_clean, write_line

EXIT_OK, EXIT_USAGE, EXIT_INPUT, EXIT_INTERRUPTED = 0, 2, 3, 130


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m facedetail_addon``: returns the exit status."""
    return _run(main_parser("python -m facedetail_addon"), sys.argv[1:] if argv is None else argv)


def command(argv: Sequence[str], assets: Path | None = None) -> int:
    """``blender --command facedetail PHOTO … --output DIR [--render]``, the same as ``scene``: the exit status.

    Args:
        assets: the folder with face models and weights that Blender's preferences name.
    """
    return _run(scene_parser("blender --command facedetail", assets), argv)


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


def _reconstruct_photos(arguments: argparse.Namespace, announce: Callable[[Path], None]) -> int:
    """Work through the photos; a bad one is reported and does not stop the rest.

    Args:
        announce: called with every result's folder.
    """
    if wrong := _wrong_together(arguments):
        write_line(sys.stderr, f"error: {wrong[0]}")
        write_line(sys.stderr, f"try: {wrong[1]}")
        return EXIT_USAGE
    if arguments.action == SCENE and not arguments.cluster and not _blender_is_there():
        write_line(sys.stderr, "error: A scene needs Blender, and this Python has no bpy module.")
        write_line(sys.stderr, "try: Run it as blender --command facedetail, or install bpy 4.5 with pip.")
        return EXIT_USAGE
    if arguments.one_person:
        inputs = find_people(arguments.photos, arguments.output)
    else:
        inputs = find_photos(arguments.photos, arguments.output, recursive=arguments.recursive)
    photos = inputs.photos
    if arguments.pins is not None and len(photos) > 1:
        write_line(sys.stderr, f"error: --pins is for one photo or person, and {len(photos)} were named.")
        write_line(sys.stderr, "try: Name one photo, or all photos of one person with --one-person.")
        return EXIT_USAGE
    specification = _specification(arguments)
    quiet, debug = arguments.quiet, arguments.debug
    run_log = RunLog(
        photos, specification, arguments.output, resume=arguments.resume, announce=announce, quiet=quiet, debug=debug
    )

    if not quiet:
        for text in inputs.left_out:
            write_line(sys.stderr, f"note: {text}")
    for folder, error in inputs.problems:
        run_log.record_folder(folder, error)

    def progress_of(task: Task) -> ProgressLine:
        place = f" ({task.number}/{len(photos)})" if len(photos) > 1 else ""
        return ProgressLine(sys.stderr, (task.name or task.photo.name) + place, quiet)

    tasks = run_log.tasks()
    if arguments.cluster:
        options = ClusterOptions(arguments.cluster, arguments.send, _warn(quiet), debug)
        paths = [path for photo in photos for path in (photo.path, *photo.more)]
        results = results_of_cluster(tasks, specification, progress_of, options, arguments.output, paths)
    elif len(photos) == 1 or debug:
        results = results_here(tasks, specification, progress_of)
    else:
        results = results_of_workers(tasks, specification, progress_of, _workers(arguments, len(photos)))
    with closing(results):
        for result in results:
            run_log.record(result)
    return EXIT_INPUT if run_log.failures else EXIT_OK


def _wrong_together(arguments: argparse.Namespace) -> tuple[str, str] | None:
    """Arguments of which one leaves the other without a meaning: what is wrong, and what to do."""
    if arguments.cluster and arguments.jobs > 1:
        return (
            "--jobs is for this machine alone: a cluster's workers say how much they do at once.",
            "Leave --jobs out, and start more workers: python -m dask worker … --nworkers N.",
        )
    if arguments.send != AUTO and not arguments.cluster:
        return "--send is for machines of a cluster, and none is named.", "Leave --send out, or add --cluster."
    return None


def _specification(arguments: argparse.Namespace) -> JobSpecification:
    return JobSpecification(
        chosen(Settings, arguments, face_model=_face_model(arguments)),
        arguments.assets,
        chosen(SceneSettings, arguments) if arguments.action == SCENE else None,
        "" if arguments.pins is None else pins_text(read_pins(arguments.pins)),
    )


def _warn(quiet: bool) -> Callable[[str], None]:
    return lambda text: None if quiet else write_line(sys.stderr, f"warning: {text}")


def _workers(arguments: argparse.Namespace, photos: int) -> list[Worker]:
    """Processes that share the processor's cores; a scene's are Blenders where this is one, and not its module."""
    count = min(arguments.jobs, photos)
    blender = ""
    if arguments.action == SCENE:
        import bpy

        blender = bpy.app.binary_path
    threads = max(1, (os.cpu_count() or 1) // count) if count > 1 else None
    sites = site_directories(sys.path)
    return [Worker(sites, blender=blender, tasks=TASKS, threads=threads) for _ in range(count)]


def _face_model(arguments: argparse.Namespace) -> str:
    """The name of the face model; one given as a file or folder is imported first."""
    path = Path(arguments.face_model)
    if arguments.face_model == BUILTIN or not path.exists():
        if path.suffix or len(path.parts) > 1:
            raise FaceModelError(
                f"There is no face model {path}.", "Check the path; installed models have ids instead."
            )
        return arguments.face_model
    from ..core.face_model.library import load_named_calibration, load_named_model
    from ..core.model_import.install import install_model
    from ..core.observe.landmarks.landmarker import MeshLandmarker

    progress = ProgressLine(sys.stderr, path.name, arguments.quiet)
    with progress:
        builtin, calibration = load_named_model(BUILTIN), load_named_calibration(BUILTIN)
        info = install_model(path, arguments.assets, builtin, calibration, MeshLandmarker.load().find, progress.show)
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
