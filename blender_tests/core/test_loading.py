# SPDX-License-Identifier: GPL-3.0-or-later
"""The core loads without Blender, and what of it depends on the options that say so."""

from blender_tests.quick.test_architecture import BLENDER_MODULES, run_without
from facedetail_addon.core.models import Models
from facedetail_addon.settings import Settings, options


def test_what_is_loaded_depends_on_those_options_alone():
    """The loader is given settings that note what is read of them."""
    read = set()

    class Noting(Settings):
        def __getattribute__(self, name: str) -> object:
            read.add(name)
            return super().__getattribute__(name)

    settings = Noting(resolution=512)
    read.clear()
    Models.load(settings)
    assert read & {option.name for option in options(Settings)} == {
        option.name for option in options(Settings) if option.loads
    }


def test_core_needs_no_blender():
    program = "import facedetail_addon, facedetail_addon.cli.main, facedetail_addon.core.pipeline"
    done = run_without(" ".join(BLENDER_MODULES), program)
    assert done.returncode == 0, done.stderr
