# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the albedo basis, log M_alb(γ) = a + E γ, from flat-lit portraits (Chen et al., ICCV 2019, section 4.3).

    FACEDETAIL_DATA=… python -m scripts.training.albedo_basis [--pictures DIR] [--modes 60] [--output DIR]

Portraits are fitted, unwrapped and freed of the studio's light, which is estimated once from all of them; what one side
hides is taken from the other; the rest is completed by the model that is being learned (probabilistic PCA with missing
values, Tipping and Bishop 1999, by expectation maximisation). Ten people are kept apart, measured, and then learned,
too. Writes albedo_basis.npz; about ten minutes on one core. Prints a table; its last line is one JSON object.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.uv.atlas import make_atlas
from scripts.harness import data_folder, description, errors_told, table
from scripts.training.albedo_basis.evaluation import evaluate_on, left_over, reach, write_pictures
from scripts.training.albedo_basis.file import save_basis
from scripts.training.albedo_basis.learning import as_map, learn, shading_patterns, without_shading
from scripts.training.delit_skins.studio_portraits import load_models, read_portraits, studio_light
from scripts.training.delit_skins.studio_skins import known_share, people_apart, people_of

SIDE = 256
MODES = 60


@errors_told()
def main() -> None:
    options = _arguments()
    model = load_named_model(BUILTIN)
    atlas = make_atlas(model, SIDE)
    portraits = read_portraits(data_folder("london/") / "london", load_models(model, atlas))
    light = studio_light(portraits, model)
    skins = people_of(portraits, light, model, atlas)
    known = known_share(skins, atlas.covered)
    stored = known > 0
    held = people_apart(skins)
    train = [skin for skin in skins if skin.person not in held]
    shadings = shading_patterns(model, atlas, stored)
    trial = without_shading(learn(train, stored, options.modes), *shadings)
    figures = evaluate_on([skin for skin in skins if skin.person in held], trial, stored)
    final = without_shading(learn(skins, stored, options.modes), *shadings)
    residual_sigma = left_over(skins, final, stored)
    path = options.output / "albedo_basis.npz"
    mean, modes = as_map(final.mean, stored), np.array([as_map(mode, stored) for mode in final.modes])
    save_basis(path, model, known, mean, modes, residual_sigma, reach(skins, final, stored))
    register_weights(path)
    if options.pictures:
        write_pictures(options.pictures, skins, final, stored)
    figures |= {"people": len(skins), "modes": len(modes), "bytes": path.stat().st_size}
    figures["light"] = light.round(4).tolist()
    print("\n".join([*_table(figures), "", json.dumps(figures)]))


def _table(figures: dict) -> list[str]:
    rows = ((name, f"{figures[name]:.2f}") for name in ("mean", "own tone", "10 modes", "all modes"))
    told = f"{figures['held_out']} people who were not learned"
    return [told, "", *table(("model", "mean ΔE (CIEDE2000)"), rows)]


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the basis")
    parser.add_argument("--modes", type=int, default=MODES)
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the basis and its index entry")
    return parser.parse_args()


if __name__ == "__main__":
    main()
