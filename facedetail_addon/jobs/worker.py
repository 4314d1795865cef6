# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process: reads requests from standard input, does them, answers on standard output.

Started as a script by ``runner.py`` with the folder of the add-on and the site-packages of the extension as arguments,
so that it works whatever name Blender gave the add-on's package. It ends when its input closes: it never outlives
Blender.
"""

import argparse
import importlib
import importlib.util
import os
import platform
import queue
import shutil
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import TextIO

PACKAGE = "facedetail_addon"


def main() -> int:
    """Run until standard input closes."""
    arguments = _arguments()
    channel = _protect_stdout()
    for directory in arguments.site:
        if directory not in sys.path:
            sys.path.append(directory)
    _load_package(Path(arguments.addon))
    messages = importlib.import_module(f"{PACKAGE}.jobs.messages")
    _send(channel, messages, messages.Ready(platform.python_version()))
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    under_way: list = []
    threading.Thread(target=_read_requests, args=(requests, under_way, arguments.temporary), daemon=True).start()
    _serve(channel, messages, arguments.tasks, requests, under_way)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="FaceDetail's worker; Blender starts it.")
    parser.add_argument("--addon", required=True, help="folder of the add-on's package")
    parser.add_argument("--site", action="append", default=[], help="folder with Python packages; may be repeated")
    parser.add_argument("--tasks", default="jobs.tasks", help="module of the package that does what is asked for")
    parser.add_argument("--temporary", default="", help="folder of this process, removed when its input closes")
    # Blender keeps its own arguments, and hands on those after the dashes.
    own = sys.argv.index("--") + 1 if "--" in sys.argv else 1
    return parser.parse_args(sys.argv[own:])


def _protect_stdout() -> TextIO:
    """The real standard output; whatever else prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return channel


def _load_package(directory: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        PACKAGE, directory / "__init__.py", submodule_search_locations=[str(directory)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return package


def _read_requests(requests: "queue.SimpleQueue[str]", under_way: list, temporary: str) -> None:
    """Blender's end of the pipe closes when it quits or crashes: then leave at once, even in the middle of a job."""
    for raw in sys.stdin.buffer:
        requests.put(raw.decode("utf-8"))
    try:
        # Where it is not loaded yet, nothing has been written.
        tidy_after = getattr(sys.modules.get(f"{PACKAGE}.jobs.tasks"), "tidy_after", None)
        for request in under_way:
            if tidy_after is not None:
                tidy_after(request, os.getpid())
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
    finally:
        os._exit(0)


def _send(channel: TextIO, messages: ModuleType, message: object) -> None:
    channel.write(messages.to_line(message))
    channel.flush()


def _serve(
    channel: TextIO, messages: ModuleType, tasks: str, requests: "queue.SimpleQueue[str]", under_way: list
) -> None:
    """Answer requests one after the other; the networks stay loaded between them.

    Args:
        under_way: holds the request that is being done.
    """
    warm: dict = {}
    while True:
        request = messages.parse_line(requests.get())
        under_way[:] = [request]

        def report(stage: str, fraction: float, job: int = request.job) -> None:
            _send(channel, messages, messages.Progress(job, stage, float(fraction)))

        answer = _answer(request, messages, tasks, warm, report)
        under_way.clear()
        _send(channel, messages, answer)


def _answer(request: object, messages: ModuleType, tasks: str, warm: dict, report: object) -> object:
    """Done or Failed. Any exception becomes an answer: the worker must survive one bad photo."""
    errors = importlib.import_module(f"{PACKAGE}.core.errors")
    try:
        work = importlib.import_module(f"{PACKAGE}.{tasks}")
        return messages.Done(request.job, str(work.do(request, warm, report)))
    except Exception as error:  # noqa: BLE001  the artist gets a report, the trace goes to the log
        return messages.Failed(request.job, *_explained(error, request, errors))


def _explained(error: Exception, request: object, errors: ModuleType) -> tuple[str, str, str]:
    """Code, message and remedy of any error."""
    if errors.is_out_of_memory(error):  # first: the loader of a package says so with an ImportError
        error = errors.OutOfMemoryError()
    if isinstance(error, errors.FaceDetailError):
        return error.code, error.message, error.remedy
    if isinstance(error, ImportError):
        remedy = "Install FaceDetail from its zip through Preferences > Get Extensions > Install from Disk."
        return "packages", f"A Python package cannot be loaded: {error}.", remedy
    traceback.print_exception(error)
    message = f"FaceDetail failed at {type(request).__name__}: {type(error).__name__}: {error}"
    return "internal", message, "Please report this with the text of the system console."


if __name__ == "__main__":
    sys.exit(main())
