# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw as many random faces as asked and tell how fast.

python -m scripts.training.fast_heads [--count 500] [--sheet FILE]
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from scripts.harness import description
from scripts.training.fast_heads.renderer import make_renderer, render_faces
from scripts.training.fast_heads.scenes import (
    painted_looks,
    sample_scenes,
    simulate_landmarks,
)
from scripts.training.heads.samples import random_expression


def main() -> None:
    options = _arguments()
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    model, calibration = load_named_model(BUILTIN), load_calibration()
    began = time.perf_counter()
    renderer = make_renderer(model, calibration, painted_looks(model, 64, rng))
    print(f"prepared in {time.perf_counter() - began:.1f} s: {renderer.surface.pieces.shape[0]} pieces")
    alpha = rng.standard_normal((options.count, len(model.identity_basis))).clip(-3, 3)
    beta = np.array([random_expression(rng, model) for _ in range(options.count)])
    scenes = sample_scenes(rng, options.count, len(renderer.looks))
    points = simulate_landmarks(calibration, alpha, beta, scenes.yaw_deg, scenes.pitch_deg, rng)
    began = time.perf_counter()
    crops = render_faces(renderer, alpha, beta, scenes, points)
    print(f"{options.count / (time.perf_counter() - began):.0f} crops a second")
    if options.sheet:
        shown = crops[: len(crops) // 10 * 10 or len(crops)][:80]
        rows = shown.reshape(-1, min(10, len(shown)), *shown.shape[1:])
        cv2.imwrite(str(options.sheet), np.vstack([np.hstack(row) for row in rows]))


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--count", type=int, default=500, help="crops to draw")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other faces")
    parser.add_argument("--sheet", type=Path, help="PNG of the first eighty")
    return parser.parse_args()


if __name__ == "__main__":
    main()
