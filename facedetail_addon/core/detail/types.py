# SPDX-License-Identifier: GPL-3.0-or-later
"""What the detail stage hands on."""

from dataclasses import dataclass

import numpy as np

EXPRESSION_GROUPS = ("forehead", "frown", "eyes", "mouth")
"""Regions that expressions fold: raised brows, the root of the nose, lids and crow's feet, cheeks beside the mouth."""


@dataclass(frozen=True)
class DetailMaps:
    """Relief of one person's skin in canonical UV, along the proxy's smooth normal; row 0 is the top (v = 1).

    The proxy keeps the shape: both have zero mean at low frequency. They are 0 where the photo shows no skin and
    outside the island. What may be there is a map of its own, 0 where the photo shows skin: nobody has measured it.

    Attributes:
        medium: (R, R) float32 mm, waves of about 2 to 12 mm: wrinkles and folds.
        fine: (R, R) float32 mm, waves below 2 mm: pores and lines.
        normal: (R, R, 3) uint16 of both together, tangent space, 65535 = 1, x along u, y along v (up), z out.
        normal_fine: the same of ``fine`` alone.
        unseen: (R, R) float32 mm, lines and pores of skin that the photo does not show. normal_unseen: the same of it.
        shading: (R, R) float32, by what factor both change the light of the photo; 1 where there is no relief.
    """

    medium: np.ndarray
    fine: np.ndarray
    normal: np.ndarray
    normal_fine: np.ndarray
    unseen: np.ndarray
    normal_unseen: np.ndarray
    shading: np.ndarray
