# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network finds in drawn heads that it has not learned from, in the skins of people that it has not seen."""

from pathlib import Path

import numpy as np

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.normalise import head_angles
from facedetail_addon.core.observe.correspondence.finder import HEAD_MM
from facedetail_addon.core.observe.correspondence.network import CorrespondenceNet
from scripts.training.correspondence.dataset import load_chunk
from scripts.training.correspondence.learning import errors_of
from scripts.training.correspondence.points import HEAD_POINTS

YAW_BANDS_DEG = ((0, 20), (20, 35), (35, 55), (55, 100))
_FACE = slice(0, -HEAD_POINTS)


def error_table(network: CorrespondenceNet, folder: Path) -> list[str]:
    """Markdown lines by yaw: mean distances of the points, in mm at the crop's scale, and how well their σ tell them.

    Args:
        folder: of held-out pieces.

    Raises:
        AssetError: there are none.
    """
    chunks = [load_chunk(path) for path in sorted(folder.glob("[0-9]*.npz"))]
    if not chunks:
        raise AssetError(f"{folder} holds no pieces.", "Draw them first: --only draw.")
    found = [errors_of(network, chunk) for chunk in chunks]
    yaw = np.degrees([abs(head_angles(turn)[0]) for chunk in chunks for turn in chunk["rotation"]])
    distance, sigma = (np.concatenate([part[name] for part in found]) for name in ("distance", "sigma"))
    lines = [
        f"| yaw | heads | face and eyes, {len(distance[0][_FACE])} points, mm | skull, ears, neck, {HEAD_POINTS}, mm "
        "| distance over σ, root mean square (√2 is right) |",
        "|---|---|---|---|---|",
    ]
    for low, high in (*YAW_BANDS_DEG, (0, 180)):
        rows = (yaw >= low) & (yaw < high)
        mm, units = distance[rows] * HEAD_MM, distance[rows] / sigma[rows]
        name = f"{low}° to {high}°" if high < 180 else "all"
        lines.append(
            f"| {name} | {rows.sum()} | {mm[:, _FACE].mean():.1f} | {mm[:, -HEAD_POINTS:].mean():.1f} "
            f"| {np.sqrt((units**2).mean()):.2f} |"
        )
    return lines
