# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick tests load neither Blender nor torch; a file that does fails, and is named."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SLOW = ("bpy", "torch")


@contextmanager
def without_slow(path: Path) -> Iterator[None]:
    """What the block does imports none of the slow modules anew; tests of other folders may have done so before."""
    before = {name for name in SLOW if name in sys.modules}
    yield
    anew = {name for name in SLOW if name in sys.modules} - before
    if anew:
        pytest.fail(f"{path.name} imports {' and '.join(sorted(anew))}: it does not belong into {HERE.name}/", False)


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> Iterator[None]:
    module = yield
    collect = module.collect

    def watched() -> list[pytest.Item | pytest.Collector]:
        with without_slow(module_path):
            return list(collect())

    module.collect = watched
    return module


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with without_slow(item.path):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with without_slow(item.path):
        return (yield)
