# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes do. Only they import Blender: it changes sys.path in a way that processes started later die of."""

from pathlib import Path

import numpy as np


def measure_head(number: int, folder: Path, threads: int) -> object:
    """See :func:`portraits.measure_portrait`."""
    from scripts.benchmark.appearance.portraits import measure_portrait

    return measure_portrait(number, folder, threads)


def measure_photo(photo: tuple[str, Path], threads: int, keep: Path | None) -> object:
    """See :func:`photos.measure_photo`."""
    from scripts.benchmark.appearance import photos

    return photos.measure_photo(photo, threads, keep)


def measure_border(photo: Path) -> object:
    """See :func:`borders.measure_borders`."""
    from scripts.benchmark.appearance.borders import measure_borders

    return measure_borders(photo)


def measure_ball(radiance: np.ndarray, threads: int) -> tuple[float, float]:
    """See :func:`ball.ball_errors`."""
    from scripts.benchmark.appearance.ball import ball_errors

    return ball_errors(radiance, threads)


def measure_quality(photo: tuple[str, Path], qualities: tuple[str, ...]) -> object:
    """See :func:`quality.measure_quality`."""
    from scripts.benchmark.appearance import quality

    return quality.measure_quality(photo, qualities)


def measure_ablation(number: int, folder: Path, threads: int) -> object:
    """See :func:`ablation.measure_ablation`."""
    from scripts.benchmark.appearance import ablation

    return ablation.measure_ablation(number, folder, threads)


def measure_half_face(photo: Path, textures: tuple[str, ...]) -> object:
    """See :func:`half_face.measure_half_face`."""
    from scripts.benchmark.appearance import half_face

    return half_face.measure_half_face(photo, textures)


def measure_brows(photo: Path) -> object:
    """See :func:`brows.measure_brows`."""
    from scripts.benchmark.appearance import brows

    return brows.measure_brows(photo)
