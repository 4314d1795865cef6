# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands here share: the data folder, processes, tables, and how a benchmark tells its figures."""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import torch

from facedetail_addon.cli.terminal import stdout_kept_clean
from facedetail_addon.core.errors import AssetError, FaceDetailError

DATA = "FACEDETAIL_DATA"
CACHE = Path.home() / ".cache" / "facedetail"
"""Where finished pieces of long runs are kept, a folder for each weight file."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def data_folder(holds: str) -> Path:
    """The folder of test data.

    Args:
        holds: what of it is needed, for the error's remedy.

    Raises:
        AssetError: FACEDETAIL_DATA does not name a folder.
    """
    name = os.environ.get(DATA)
    if not name:
        raise AssetError(f"{DATA} is not set.", f"Set it to the folder that holds {holds}.")
    if not Path(name).is_dir():
        raise AssetError(f"{DATA} names {name}, which is not a folder.", f"Set it to the folder that holds {holds}.")
    return Path(name)


def data_folder_if_set() -> Path | None:
    """The folder of test data, for what can do with less."""
    return data_folder("the test data") if os.environ.get(DATA) else None


def description(doc: str) -> argparse.ArgumentParser:
    """A parser whose help is a module's docstring."""
    spec = sys.modules["__main__"].__spec__
    called = f"python -m {spec.name.removesuffix('.__main__')}" if spec else None
    return argparse.ArgumentParser(called, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def benchmark_arguments(doc: str, quick: str, jobs: bool = True) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes.

    Args:
        doc: the module's docstring. quick: what ``--quick`` leaves. jobs: whether it runs in several processes; what
            measures seconds runs alone.
    """
    parser = description(doc)
    parser.add_argument("--quick", action="store_true", help=f"{quick}: under a minute")
    if jobs:
        parser.add_argument("--jobs", type=int, default=2, help="processes, with a thread each")
    return parser


def benchmark(
    measure: Callable[[argparse.Namespace], tuple[list[str], dict[str, object]]], parser: argparse.ArgumentParser
) -> None:
    """Run a benchmark from the command line: its tables, and as the last line its figures as one JSON object.

    Whatever else is written to standard output meanwhile, by Blender for one, is thrown away.

    Args:
        measure: options to Markdown lines and figures.
    """
    options, began = parser.parse_args(), time.perf_counter()
    with errors_told(), stdout_kept_clean(discard=True) as stream:
        lines, figures = measure(options)
        figures = figures | {"seconds": round(time.perf_counter() - began, 1)}
        print("\n".join([*lines, "", json.dumps(figures)]), file=stream)


@contextmanager
def errors_told() -> Iterator[None]:
    """End with an error's message and remedy instead of a traceback."""
    try:
        yield
    except FaceDetailError as error:
        sys.exit(f"error: {error.message}\ntry: {error.remedy}")


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes with one thread each: threads on top of them only wait for each other.

    What is sent to them must not be defined in a room's ``__main__``, which they do not import.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # read when they import NumPy
    try:
        with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def measured(pool: ProcessPoolExecutor, work: Callable, items: Sequence) -> list:
    """What ``work`` finds for each item, in their order, without None; progress on standard error."""
    found, began = [], time.perf_counter()
    name = (work.func if isinstance(work, partial) else work).__name__
    for done, one in enumerate(pool.map(work, items), 1):
        found.append(one)
        progress(f"{name}: {done} of {len(items)}, {time.perf_counter() - began:.0f} s")
    return [one for one in found if one is not None]


def progress(text: str) -> None:
    """Tell on standard error how far the work is."""
    print(text, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table; an empty cell for None."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return lines + ["| " + " | ".join("" if cell is None else str(cell) for cell in row) + " |" for row in rows]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, so that ``path`` is whole or as it was; long runs are stopped at any time."""
    unfinished = path.with_name(f".unfinished_{path.name}")
    try:
        yield unfinished
        unfinished.chmod(0o644)  # safetensors writes files that only their owner may read
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _one_thread() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """A pool's worker waits for its next task for ever where its parent was killed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
