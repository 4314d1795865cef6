# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the albedo basis, log M_alb(γ) = a + E γ, from skins without light (Chen et al., ICCV 2019, section 4.3).

    FACEDETAIL_DATA=… python -m scripts.training.delit_skins
    python -m scripts.training.albedo_basis [--compare FILE] [--pictures DIR] [--modes 60] [--output DIR]

Tone, and patterns relative to it (``learning.py``). The people whose halves ``scripts.benchmark.appearance`` hides are
not learned. Ten people of each tone class are kept apart, measured, and then learned, too; ``--compare`` measures
another basis on the same people. Writes albedo_basis.npz; a few
minutes on one core. Prints tables; its last line is one JSON object.
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
from scripts.training.albedo_basis.learning import (
    Learned,
    as_map,
    at_texels,
    learn,
    rows_of,
    shading_patterns,
    without_shading,
)
from scripts.training.albedo_basis.people import (
    CLASSES,
    TEXTURES,
    Person,
    evened,
    kin,
    load_people,
    one_scale,
    people_apart,
    weighted,
    without_left_light,
)
from scripts.training.delit_skins.store import FOLDER, SIDE
from scripts.training.delit_skins.studio_portraits import plain_skin
from scripts.training.delit_skins.studio_skins import known_share
from scripts.training.texture_net.skins import measured_names

MODES = 60


@errors_told()
def main() -> None:
    options = _arguments()
    model = load_named_model(BUILTIN)
    atlas = make_atlas(model, SIDE)
    measured = set(measured_names())
    people = one_scale([person for person in load_people(options.skins) if person.name not in measured])
    known = known_share([person for person in people if person.source not in TEXTURES], atlas.covered)
    stored = known > 0
    shadings = shading_patterns(model, atlas, stored)
    people = [without_left_light(person, *shadings, stored) for person in people]
    plain = plain_skin(atlas, model)
    apart = people_apart(people, plain)
    held = {kin(person) for person in apart}
    people = weighted(people, plain)

    def learned_from(some: list[Person]) -> Learned:
        rows = rows_of([evened(person) for person in weighted(some, plain)], stored)
        return without_shading(learn(rows, options.modes), *shadings)

    trial = learned_from([person for person in people if kin(person) not in held])
    figures = {"people": len(people), "held_out": len(apart)}
    models = {"this": (trial, stored)}
    if options.compare:
        there, mean, modes = read_learned(options.compare)
        models["other"] = Learned(mean, modes), there
    both = np.logical_and.reduce([mask for _, mask in models.values()])
    parts = hidden_parts(model, atlas, both)
    for name, (one, mask) in models.items():
        figures[name] = evaluate_on(apart, at_texels(one, mask, both), both, parts)
    final = learned_from(people)
    path = options.output / "albedo_basis.npz"
    mean, modes = as_map(final.mean, stored), np.array([as_map(mode, stored) for mode in final.modes])
    save_basis(path, model, known, mean, modes, left_over(people, final, stored), reach(people, final, stored))
    register_weights(path)
    if options.pictures:
        write_pictures(options.pictures, people, final, stored)
    figures |= {"modes": len(modes), "bytes": path.stat().st_size}
    print("\n".join([*_lines(figures), "", json.dumps(figures)]))


def _lines(figures: dict) -> list[str]:
    out = []
    for name in ("this", "other"):
        if name in figures:
            rows = [
                [trial, *(f"{by[c]:.2f}" if c in by else None for c in (*CLASSES, "all")), f"{by['gap']:.0%}"]
                for trial, by in figures[name].items()
            ]
            told = f"{name} basis: mean ΔE (CIEDE2000), {figures['held_out']} people who were not learned"
            out += [told, "", *table(("trial", *CLASSES, "all", "gap"), rows), ""]
    return out


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--skins", type=Path, default=FOLDER, help="folder of skins")
    parser.add_argument("--compare", type=Path, help="another basis to measure on the same people")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the basis")
    parser.add_argument("--modes", type=int, default=MODES)
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the basis and its index entry")
    return parser.parse_args()


if __name__ == "__main__":
    main()
