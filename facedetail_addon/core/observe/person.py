# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces of several photos are one person's, by face recognition descriptors."""

from collections.abc import Sequence

import numpy as np

SAME = 0.62
"""Distance of descriptors below which two photos may show one person: the usual threshold with some room for years."""
_TURNED_DEG, _TURNED_MORE = (30.0, 60.0), 0.12  # yaw from which on descriptors differ more, and by how much
_SIZE = 0.5  # of the largest face's height: smaller ones are bystanders


def faces_of(descriptors: Sequence[np.ndarray], heights: Sequence[np.ndarray], first: int) -> list[int]:
    """Which face of each photo is most like that of the first photo.

    Args:
        descriptors: (F, 128) of the faces of each photo, at least one. heights: (F,) px of them.
        first: which face of the first photo it is.
    """
    aim = descriptors[0][first]
    chosen = [first]
    for own, height in zip(descriptors[1:], heights[1:], strict=True):
        apart = np.linalg.norm(own - aim, axis=1)
        apart[height < _SIZE * height.max()] = np.inf
        chosen.append(int(apart.argmin()))
    return chosen


def strangers(descriptors: np.ndarray, yaw_deg: np.ndarray) -> list[int]:
    """Photos of somebody else than most of them show; of two that differ, the second.

    Args:
        descriptors: (N, 128), one of each photo. yaw_deg: (N,) of the faces; turned ones are judged more mildly.
    """
    count = len(descriptors)
    turned = np.abs(yaw_deg).clip(*_TURNED_DEG) - _TURNED_DEG[0]
    limit = SAME + _TURNED_MORE * turned / (_TURNED_DEG[1] - _TURNED_DEG[0])
    apart = np.linalg.norm(descriptors[:, None] - descriptors[None], axis=-1)
    far = apart - np.maximum(limit[:, None], limit[None])
    kept, out = list(range(count)), []
    while len(kept) > 1:
        mean = [np.mean([far[one, other] for other in kept if other != one]) for one in kept]
        worst = len(kept) - 1 - int(np.argmax(mean[::-1]))  # of equals the last
        if mean[worst] <= 0:
            break
        out.append(kept.pop(worst))
    return sorted(out)
