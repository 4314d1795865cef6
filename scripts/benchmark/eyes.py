# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' colours on portraits: what is found for each, how far both eyes of a face agree, how large irises are.

    FACEDETAIL_DATA=DIR python -m scripts.benchmark.eyes [--quick] [--jobs 2] [--people]

Prints a Markdown table and, as the last line, one JSON object.
"""

import argparse
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_srgb8
from facedetail_addon.core.eyes.estimate import estimate_eyes
from facedetail_addon.core.eyes.prior import ColourPrior
from facedetail_addon.core.eyes.sampling import EyeSample
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.pipeline import eye_samples, fit, illuminate, observe, refine
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.harness import benchmark, benchmark_arguments, data_folder, measured, processes, table

SETTINGS = Settings(resolution=512, detail=NO_DETAIL)
_SIDES = np.radians(np.arange(-10, 36, 3))
_REACH = np.arange(0.5, 1.4, 0.02)


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every portrait; lines and figures."""
    photos = sorted((data_folder("london/") / "london" / "neutral").glob("*.jpg"))[:: 16 if options.quick else 1]
    with processes(options.jobs) as pool:
        found = measured(pool, portrait, photos)
    rows = []
    for path, (samples, _) in zip(photos, found, strict=True):
        look = estimate_eyes(samples, monochrome=False)
        iris, white = (" ".join(map(str, to_srgb8(np.array(color)))) for color in (look.iris, look.sclera))
        rows.append((path.stem, iris, white, f"{look.iris_mm:.1f}", f"{look.confidence:.2f}"))
    lines = table(("portrait", "iris, sRGB", "white, sRGB", "iris, mm", "confidence"), rows)
    faces = [
        eyes
        for eyes, _ in found
        if len(eyes) == 2 and all(eye.iris is not None and eye.white is not None for eye in eyes)
    ]
    if options.people:
        for name in ("iris", "white"):
            prior = prior_of(np.array([together(eyes, name) for eyes in faces]))
            lines += ["", f"{name}: {described(prior)}"]
    return lines, {
        "portraits": len(faces),
        "iris_between_eyes_rms_log": round(between(faces, "iris"), 3),
        "white_between_eyes_rms_log": round(between(faces, "white"), 3),
        "iris_between_people_rms_log": round(among(faces, "iris"), 3),
        "limbus_of_ring_median": round(float(np.median([edge for _, edges in found for edge in edges])), 3),
    }


@cache
def load_models() -> Models:
    """Once per process."""
    return Models.load(SETTINGS)


def portrait(path: Path) -> tuple[list[EyeSample], list[float]]:
    """What a portrait shows of both eyes, and where the limbus is in radii of the landmarks' ring, if clear."""
    models = load_models()
    observation = observe(read_photo(path), models, SETTINGS)
    pose = refine((observation,), fit((observation,), models, SETTINGS), models, SETTINGS).pose
    light = illuminate(observation, pose, models, SETTINGS).estimate
    mesh_px = observation.landmarks.mesh_px
    grey = cv2.cvtColor(observation.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = [edge for iris in (468, 473) if (edge := limbus_of(grey, mesh_px[iris : iris + 5, :2])) is not None]
    return eye_samples(observation.pixels, observation.landmarks, pose, light, models), edges


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


def prior_of(colors: np.ndarray) -> ColourPrior:
    """The distribution of (N, 3) reflectances, as wide as they scatter."""
    logs = np.log(colors)
    return ColourPrior(logs.mean(axis=0), np.cov(logs.T))


def described(prior: ColourPrior) -> str:
    return f"mean {prior.mean.round(3).tolist()}, covariance {prior.covariance.round(4).tolist()}"


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "every sixteenth portrait only")
    parser.add_argument(
        "--people", action="store_true", help="also print the distributions that core/eyes/prior.py holds"
    )
    benchmark(run, parser)
