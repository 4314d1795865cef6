# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on several processor cores by threads, which torch, Embree and compressors let go of the interpreter for.

NumPy does, too, but what it allocates the system hands out to one thread at a time: two threads that add large arrays
take twice as long as one after the other.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

Item, Found = TypeVar("Item"), TypeVar("Found")
_MOST_THREADS = 8  # beyond it memory is what they wait for


def thread_count() -> int:
    """How many threads to compute on: what OMP_NUM_THREADS asks for, by default the cores that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return min(int(asked), _MOST_THREADS)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_THREADS)


def limit_opencv() -> None:
    """OpenCV computes on as many threads, too; it takes all cores by itself, whoever else works on them."""
    cv2.setNumThreads(thread_count())


def in_threads(function: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """``[function(item) for item in items]``, several at a time; the order is that of the items, however many threads.

    The first error of an item is raised once the others have ended.
    """
    items, threads = list(items), thread_count()
    if min(threads, len(items)) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        return list(pool.map(function, items))
