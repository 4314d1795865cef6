# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the albedo basis, log M_alb(γ) = a + E γ, from skins freed of their light (Chen et al., ICCV 2019, section 4.3).

    FACEDETAIL_DATA=… python -m scripts.training.delit_skins
    python -m scripts.training.albedo_basis [--compare FILE] [--pictures DIR] [--modes 60] [--output DIR]

Tone, what the pattern makes of it, and patterns (``learning.py``). Some people of each tone class are kept apart,
measured, and then learned, too; ``--compare`` measures another basis on the same people. Writes albedo_basis.npz; a few
minutes on one core. Prints a table; its last line is one JSON object.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.uv.atlas import make_atlas
from scripts.harness import description, errors_told, table
from scripts.training.albedo_basis.evaluation import evaluate_on, hidden_parts, left_over, reach, write_pictures
from scripts.training.albedo_basis.file import read_learned, save_basis
from scripts.training.albedo_basis.learning import as_map, learn, rows_of, shading_patterns, without_shading
from scripts.training.albedo_basis.people import (
    CLASSES,
    load_people,
    people_apart,
    same_scale,
    weighted,
    without_left_light,
)
from scripts.training.delit_skins.store import FOLDER, SIDE
from scripts.training.delit_skins.studio_skins import known_share

MODES = 60


@errors_told()
def main() -> None:
    options = _arguments()
    model = load_named_model(BUILTIN)
    atlas = make_atlas(model, SIDE)
    people = same_scale(same_scale(load_people(options.skins), "valid", "london"), "makehuman", "london")
    known = known_share(people, atlas.covered)
    stored = known > 0
    shadings = shading_patterns(model, atlas, stored)
    people = [without_left_light(person, *shadings, stored) for person in people]
    held = people_apart(people)
    apart = [person for person in people if person.name in held]
    train = weighted([person for person in people if person.name not in held])
    trial = without_shading(learn(rows_of(train, stored), options.modes), *shadings)
    parts = hidden_parts(model, atlas, stored)
    figures = {"this": evaluate_on(apart, trial, stored, parts)}
    if options.compare:
        other, both = read_learned(options.compare, stored)
        parts = [...]
        figures["other"] = evaluate_on(apart, other, both, parts)
    people = weighted(people)
    final = without_shading(learn(rows_of(people, stored), options.modes), *shadings)
    residual_sigma = left_over(people, final, stored)
    path = options.output / "albedo_basis.npz"
    mean, modes = as_map(final.mean, stored), np.array([as_map(mode, stored) for mode in final.modes])
    save_basis(path, model, known, mean, modes, residual_sigma, reach(people, final, stored))
    register_weights(path)
    if options.pictures:
        write_pictures(options.pictures, people, final, stored)
    print("x")


if __name__ == "__main__":
    main()
