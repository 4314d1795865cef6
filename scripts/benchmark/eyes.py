# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' colours on portraits: what is found for each, how far both eyes of a face agree, how large irises are.

FACEDETAIL_DATA=DIR python scripts/benchmark/eyes.py [--quick] [--people]
"""

import argparse
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from facedetail_addon.core.colour import to_srgb8  # noqa: E402
from facedetail_addon.core.eyes.estimate import estimate_eyes  # noqa: E402
from facedetail_addon.core.eyes.prior import ColourPrior  # noqa: E402
from facedetail_addon.core.eyes.sampling import EyeSample  # noqa: E402
from facedetail_addon.core.fit.dense import fit_proxy  # noqa: E402
from facedetail_addon.core.lighting.estimate import estimate_light, prior_direction_of  # noqa: E402
from facedetail_addon.core.observe.photo import read_photo  # noqa: E402
from facedetail_addon.core.pipeline import Models, Settings, eye_samples  # noqa: E402
from facedetail_addon.core.rendering.transfer import light_transfer  # noqa: E402
from facedetail_addon.core.uv.unwrap import unwrap  # noqa: E402
from scripts.benchmark.eye_prior import prior_of  # noqa: E402

_SIDES = np.radians(np.arange(-10, 36, 3))
_REACH = np.arange(0.5, 1.4, 0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every sixteenth portrait only")
    parser.add_argument("--people", action="store_true", help="also print the distributions that usual.py holds")
    options = parser.parse_args()
    if "FACEDETAIL_DATA" not in os.environ:
        parser.error("set FACEDETAIL_DATA")
    photos = sorted((Path(os.environ["FACEDETAIL_DATA"]) / "london" / "neutral").glob("*.jpg"))
    core = Models.load(Settings(resolution=512, detail="none"))
    faces, limbus = [], []
    print("| portrait | iris, sRGB | white, sRGB | iris, mm | confidence |\n|---|---|---|---|---|")
    for path in photos[:: 16 if options.quick else 1]:
        samples, edges = portrait(path, core)
        look = estimate_eyes(samples, monochrome=False)
        iris, white = (" ".join(map(str, to_srgb8(np.array(color)))) for color in (look.iris, look.sclera))
        print(f"| {path.stem} | {iris} | {white} | {look.iris_mm:.1f} | {look.confidence:.2f} |", flush=True)
        limbus += edges
        if len(samples) == 2 and all(eye.iris is not None and eye.white is not None for eye in samples):
            faces.append(samples)
    if options.people:
        for name in ("iris", "white"):
            print(f"{name}: {described(prior_of(np.array([together(eyes, name) for eyes in faces])))}")
    print(
        json.dumps(
            {
                "portraits": len(faces),
                "iris_between_eyes_rms_log": round(between(faces, "iris"), 3),
                "white_between_eyes_rms_log": round(between(faces, "white"), 3),
                "iris_between_people_rms_log": round(among(faces, "iris"), 3),
                "limbus_of_ring_median": round(float(np.median(limbus)), 3),
            }
        )
    )


def portrait(path: Path, core: Models) -> tuple[list[EyeSample], list[float]]:
    """What a portrait shows of both eyes, and where the limbus is in radii of the landmarks' ring, if clear."""
    photo = read_photo(path)
    face = core.landmarker.find(photo.pixels)[0]
    reading = core.expression_reader.read(photo.pixels, face)
    size = photo.pixels.shape[1::-1]
    how = {"reading": reading, "expression": Settings().expression, "focal_px": photo.focal_px}
    fit = fit_proxy(face, size, core.model, core.calibration, **how)
    triangles = core.model.solid_triangles()
    position = fit.perspective.position()
    transfer = light_transfer(fit.vertices, triangles, core.model.skin.stop, position, core.gloss, 3)
    above = prior_direction_of(fit.perspective.rotation)
    seen = unwrap(photo.pixels, fit, core.model, core.atlas)
    light = estimate_light(seen, transfer, core.basis, core.atlas, above)
    grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = [edge for iris in (468, 473) if (edge := limbus_of(grey, face.mesh_px[iris : iris + 5, :2])) is not None]
    return eye_samples(photo.pixels, face, fit, light, core), edges


def limbus_of(grey: np.ndarray, iris: np.ndarray) -> float | None:
    """Where the picture is half way from iris to white on both sides, in radii of the ring (5, 2); None if unclear."""
    radius = float(np.linalg.norm(iris[1] - iris[3])) / 2
    found = []
    for side in (1, -1):
        x = iris[0, 0] - 0.5 + side * radius * np.outer(_REACH, np.cos(_SIDES))
        y = iris[0, 1] - 0.5 + radius * np.outer(_REACH, np.sin(_SIDES))
        profile = np.median(cv2.remap(grey, np.float32(x), np.float32(y), cv2.INTER_LINEAR), axis=1)
        dark, bright = np.median(profile[_REACH < 0.7]), np.percentile(profile[_REACH > 0.9], 80)
        if bright - dark < 25:
            return None
        found.append(_REACH[np.argmax(profile > (dark + bright) / 2)])
    return float(np.mean(found))


def together(eyes: list[EyeSample], name: str) -> np.ndarray:
    """(3,) geometric mean of both eyes."""
    return np.exp(np.mean([np.log(getattr(eye, name)) for eye in eyes], axis=0))


def between(faces: list[list[EyeSample]], name: str) -> float:
    """How far one eye is from the other, as the standard deviation of one."""
    apart = [np.log(getattr(eyes[0], name)) - np.log(getattr(eyes[1], name)) for eyes in faces]
    return float(np.sqrt(np.mean(np.square(apart)) / 2))


def among(faces: list[list[EyeSample]], name: str) -> float:
    """How far people are from each other, as the standard deviation of one."""
    return float(np.log([together(eyes, name) for eyes in faces]).std(axis=0).mean())


def described(prior: ColourPrior) -> str:
    return f"mean {prior.mean.round(3).tolist()}, covariance {prior.covariance.round(4).tolist()}"


if __name__ == "__main__":
    main()
