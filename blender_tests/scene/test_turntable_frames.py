# SPDX-License-Identifier: GPL-3.0-or-later
"""What a render farm starts in Blender: frames of a turntable, by chunks, of the only head of a file."""

from pathlib import Path

import numpy as np
import pytest

from scripts.render_farm.turntable_frames import main

CHECKOUT = Path(__file__).parents[2]


def test_chunks_render_their_own_frames_and_stop_where_it_is_not_clear_which_head_is_meant(
    blender, model, reconstruction_of, tmp_path
):
    from facedetail_addon.core.io.images import read_png
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.lookdev.pictures import Lookdev, orbit_picture
    from facedetail_addon.scene.lookdev.sheet import over_backdrop

    made = reconstruction_of(model)
    head = build_scene(made, model)
    asked = ("--frames", "4", "--height", "64", "--samples", "1", "--package", str(CHECKOUT), "--site", "{none}")
    main(["--output", str(tmp_path), "--only", "2", *asked])
    main(["--output", str(tmp_path), "--only", "4", "--head", head.root.name, *asked])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["turntable_0002.png", "turntable_0004.png"]
    second = over_backdrop(orbit_picture(head, Lookdev(64, 1), 90.0))
    assert np.array_equal(read_png(tmp_path / "turntable_0002.png"), second)

    blender.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with pytest.raises(SystemExit, match="which head is meant"):
        main(["--output", str(tmp_path), "--only", "1", *asked])
