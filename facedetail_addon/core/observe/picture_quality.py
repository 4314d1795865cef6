# SPDX-License-Identifier: GPL-3.0-or-later
"""What noise and coding have done to a face's picture: its finest things are no skin then.

On 39 portraits of five sets (30 to 90 % of their sides a face) noise is 0.2 to 2.7, with noise of σ 7 added 4.7 and
more, with 14 8.9 and more; blocks are 0.02 to 0.43, coded as JPEG of quality 35 0.38 to 1.2, of 20 0.7 to 1.8.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..image import smoothstep
from ..notices import Notice

_LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Their difference (Immerkær 1996), which neither slopes nor edges answer to; noise of σ 1 gives σ 6."""
_MEDIAN = 0.6745  # of the absolute value of a normal variable
_BLOCK = 8  # pixels of JPEG's blocks
_EVEN = 0.2  # levels; steps of plain pictures are not compared with nothing
_NOISY, _BLOCKY = 3.5, 0.6  # from here on it is told
_NOISE, _BLOCKS = (3.0, 10.0), (0.5, 1.5)  # from and to: the smallest thing that is shown grows
_COARSER = 2.5  # times, and one more for each
_LEAST_PX = 32  # of the face's box, to be judged


@dataclass(frozen=True)
class PictureQuality:
    """Of a face's box.

    Attributes:
        noise: standard deviation of grey values, of 255. blocks: by how much steps at borders of blocks are larger than
            others, over the mean step.
    """

    noise: float
    blocks: float

    @property
    def coarser(self) -> float:
        """What the smallest thing that the picture shows is larger by."""
        worse = float(smoothstep(self.noise, *_NOISE)) + float(smoothstep(self.blocks, *_BLOCKS))
        return 1 + (_COARSER - 1) * worse


def picture_quality(pixels: np.ndarray, mesh_px: np.ndarray) -> PictureQuality:
    """Look at the box of a face.

    Args:
        pixels: (H, W, 3) uint8 sRGB. mesh_px: (N, 2 or 3) landmarks, x and y first.
    """
    low, high = mesh_px[:, :2].min(axis=0), mesh_px[:, :2].max(axis=0)
    (x0, y0), (x1, y1) = low.clip(0).astype(int), high.clip(0).astype(int)
    face = pixels[y0:y1, x0:x1]
    if min(face.shape[:2]) < _LEAST_PX:
        return PictureQuality(0.0, 0.0)
    grey = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY).astype(np.float32)
    noise = float(np.median(np.abs(cv2.filter2D(grey, -1, _LAPLACIANS)))) / _MEDIAN / 6
    return PictureQuality(noise, min(_blocks(grey), _blocks(grey.T)))


def notices(quality: PictureQuality) -> tuple[Notice, ...]:
    """Notices with codes ``noisy_photo`` and ``compressed_photo``."""
    found = []
    if quality.noise > _NOISY:
        text = "The photo is noisy: pores and fine lines are left out or flat. One with more light would show them."
        found.append(Notice("noisy_photo", text))
    if quality.blocks > _BLOCKY:
        text = "The photo is strongly compressed and shows blocks: pores and fine lines are left out or flat. Use the"
        found.append(Notice("compressed_photo", f"{text} picture as the camera wrote it."))
    return tuple(found)


def _blocks(grey: np.ndarray) -> float:
    """Along rows."""
    steps = np.abs(np.diff(grey, axis=1))
    beyond = steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2
    by_phase = np.array([beyond[:, phase::_BLOCK].mean() for phase in range(_BLOCK)])
    return float((by_phase.max() - np.median(by_phase)) / (steps.mean() + _EVEN))
