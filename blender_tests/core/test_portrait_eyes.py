# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' colours, from portraits."""

import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.models import Models
from facedetail_addon.core.pipeline import reconstruct
from facedetail_addon.settings import Settings


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load(Settings(resolution=512, detail="none", quality="draft"))


@pytest.mark.parametrize(("photo", "light_eyed"), [("104", True), ("082", False)])
def test_portraits_have_the_eyes_of_their_sitters(models, data_dir, photo, light_eyed):
    path = data_dir / "london" / "neutral" / f"{photo}.jpg"
    eyes = reconstruct(
        path, models, Settings(resolution=512, detail="none", quality="draft"), lambda text, done: None
    ).record.eyes
    red, _, blue = eyes.iris
    brightness = np.array(eyes.iris) @ LUMINANCE
    assert eyes.confidence > 0.6 and 11.5 < eyes.iris_mm < 14
    if light_eyed:
        assert 0.09 < brightness < 0.25 and blue > 1.2 * red
    else:
        assert brightness < 0.03 and red > blue
