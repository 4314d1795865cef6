# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests of colour and light, which relief would disturb."""

import numpy as np
import pytest

from facedetail_addon.core.detail.normal_map import flat_detail


@pytest.fixture
def no_relief() -> dict[str, np.ndarray]:
    """The maps of a reconstruction of 256 texels a side without any relief."""
    flat = flat_detail(256)
    return {
        "displacement_medium": flat.medium,
        "displacement_fine": flat.fine,
        "normal": flat.normal,
        "normal_fine": flat.normal_fine,
    }
