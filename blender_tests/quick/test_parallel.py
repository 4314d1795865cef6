# SPDX-License-Identifier: GPL-3.0-or-later
"""How many threads a process computes on, so that workers beside each other share the cores."""

import cv2
import pytest

from facedetail_addon.core.parallel import in_threads, limit_opencv, thread_count


@pytest.mark.parametrize("asked, threads", [("1", 1), ("3", 3), ("1000", 8)])
def test_threads_are_those_that_are_asked_for(monkeypatch, asked, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert thread_count() == threads


def test_opencv_takes_no_more_cores_than_the_rest(monkeypatch):
    before = cv2.getNumThreads()
    try:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        limit_opencv()
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("threads", ["1", "4"])
def test_what_threads_find_comes_in_the_order_of_its_items(monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert in_threads(lambda number: number**2, range(50)) == [number**2 for number in range(50)]
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda number: 1 / number, [2, 0, 1])
