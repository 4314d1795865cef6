# SPDX-License-Identifier: GPL-3.0-or-later
"""Where fitted eyes aim on portraits whose sitters look into the camera: degrees past it.

FACEDETAIL_DATA=DIR python scripts/benchmark/gaze.py [--quick]
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from facedetail_addon.core.face_model.eyeball import FULL_GAZE_DEG  # noqa: E402
from facedetail_addon.core.fit.dense import fit_proxy  # noqa: E402
from facedetail_addon.core.fit.types import ProxyFit  # noqa: E402
from facedetail_addon.core.observe.photo import read_photo  # noqa: E402
from facedetail_addon.core.pipeline import Models, Settings  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every eighth portrait only")
    options = parser.parse_args()
    if "FACEDETAIL_DATA" not in os.environ:
        parser.error("set FACEDETAIL_DATA")
    photos = sorted((Path(os.environ["FACEDETAIL_DATA"]) / "london" / "neutral").glob("*.jpg"))
    core = Models.load(Settings())
    found = []
    for path in photos[:: 8 if options.quick else 1]:
        photo = read_photo(path)
        faces = core.landmarker.find(photo.pixels)
        height, width = photo.pixels.shape[:2]
        fit = fit_proxy(faces[0], (width, height), core.model, core.calibration, focal_px=photo.focal_px)
        found.append(past_camera(fit, core.model.expression_names, core.model.part("eye_left").start))
    errors = np.array(found)
    names = ("up", "to the subject's left")
    print("| direction | mean, degrees | standard deviation |\n|---|---|---|")
    for name, column in zip(names, errors.T, strict=True):
        print(f"| {name} | {column.mean():+.1f} | {column.std():.1f} |")
    print(
        json.dumps(
            {
                "portraits": len(errors),
                "mean_deg": errors.mean(0).round(2).tolist(),
                "std_deg": errors.std(0).round(2).tolist(),
            }
        )
    )


def past_camera(fit: ProxyFit, names: tuple[str, ...], eye_vertex: int) -> tuple[float, float]:
    """Degrees by which both eyes together aim above the camera and to its subject's-left side."""
    weight = dict(zip(names, fit.beta.tolist(), strict=True))
    up = np.mean([weight[f"eyeLookUp{s}"] - weight[f"eyeLookDown{s}"] for s in ("Left", "Right")])
    left = (
        weight["eyeLookOutLeft"] - weight["eyeLookInLeft"] + weight["eyeLookInRight"] - weight["eyeLookOutRight"]
    ) / 2
    towards = fit.perspective.position() - fit.vertices[eye_vertex] * [0, 1, 1]
    elevation = np.degrees(np.arctan2(towards[1], np.hypot(towards[0], towards[2])))
    azimuth = np.degrees(np.arctan2(towards[0], towards[2]))
    return float(FULL_GAZE_DEG * up - elevation), float(FULL_GAZE_DEG * left - azimuth)


if __name__ == "__main__":
    main()
