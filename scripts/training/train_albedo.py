# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the albedo basis, log M_alb(γ) = a + E γ, from flat-lit portraits (Chen et al., ICCV 2019, section 4.3).

    FACEDETAIL_DATA=… python scripts/training/train_albedo.py [--pictures DIR] [--modes 60]

Portraits are fitted, unwrapped and freed of the studio's light, which is estimated once from all of them; what one side
hides is taken from the other; the rest is completed by the model that is being learned (probabilistic PCA with missing
values, Tipping and Bishop 1999, by expectation maximisation). Ten people are kept apart, measured, and then learned,
too. Writes facedetail_addon/core/weights/albedo_basis.npz; about ten minutes on one core. Prints a table; its last line
is one JSON object.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from skimage.color import deltaE_ciede2000, rgb2lab  # noqa: E402

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights  # noqa: E402
from facedetail_addon.core.colour import LUMINANCE, to_srgb, to_srgb8  # noqa: E402
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model  # noqa: E402
from facedetail_addon.core.face_model.model import FaceModel  # noqa: E402
from facedetail_addon.core.rendering.harmonics import evaluate  # noqa: E402
from facedetail_addon.core.rendering.normals import vertex_normals  # noqa: E402
from facedetail_addon.core.skin.gloss import skin_gloss  # noqa: E402
from facedetail_addon.core.uv.atlas import make_atlas  # noqa: E402
from facedetail_addon.core.uv.types import Atlas  # noqa: E402
from scripts.training.albedo_basis_file import save_basis  # noqa: E402
from scripts.training.albedo_portraits import BANDS, PLAIN, Portrait, read_portraits, studio_light  # noqa: E402
from scripts.training.albedo_skins import PortraitSkin, skin_of  # noqa: E402

SIDE = 256
MODES = 60
HELD_OUT = 10
SEED = 5
ROUNDS = 8
NOISE = 0.06  # standard deviation of a texel's logarithm of a portrait around the model, while it is being learned
LEAST_KNOWN = 0.12  # texels that a smaller share of all people shows are not learned
CONFIDENT = 0.5
STUBBLE = 0.15  # log luminance by which skin may leave the pattern before it counts less
SHADING_RANGE = (-0.6, 0.4)  # log luminance, at most taken off the mean
LEAST = 0.004  # albedo; unseen texels hold nothing


@dataclass(frozen=True)
class Learned:
    """A linear model of the logarithms of N texels.

    Attributes:
        mean: (3N,). modes: (G, 3N) per σ.
    """

    mean: np.ndarray
    modes: np.ndarray

    def gamma(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(G,) maximum a posteriori of one person. values: (3N,). weights: (3N,) of squared differences."""
        weighted = self.modes * weights
        return np.linalg.solve(weighted @ self.modes.T + np.eye(len(self.modes)), weighted @ (values - self.mean))

    def colours(self, gamma: np.ndarray) -> np.ndarray:
        return self.mean + gamma @ self.modes


def main() -> None:
    options = _arguments()
    model = load_named_model(BUILTIN)
    atlas = make_atlas(model, SIDE)
    portraits = read_portraits(options.data / "london", model, atlas, skin_gloss(model))
    light = studio_light(portraits, model)
    skins = people_of(portraits, light, model, atlas)
    known = _known(skins, atlas.covered)
    stored = known > 0
    held = _held_out(skins)
    train = [skin for skin in skins if skin.person not in held]
    shadings = _shadings(model, atlas, stored)
    trial = without_shading(learn(train, stored, options.modes), *shadings)
    figures = evaluate_on([skin for skin in skins if skin.person in held], trial, stored)
    final = without_shading(learn(skins, stored, options.modes), *shadings)
    residual_sigma = _left_over(skins, final, stored)
    path = WEIGHTS_DIR / "albedo_basis.npz"
    mean, modes = _as_map(final.mean, stored), np.array([_as_map(mode, stored) for mode in final.modes])
    save_basis(path, model, known, mean, modes, residual_sigma, _reach(skins, final, stored))
    register_weights(path)
    if options.pictures:
        _pictures(options.pictures, skins, final, stored)
    figures |= {"people": len(skins), "modes": len(modes), "bytes": path.stat().st_size}
    figures["light"] = light.round(4).tolist()
    print("\n".join([*_table(figures), "", json.dumps(figures)]))


def people_of(portraits: list[Portrait], light: np.ndarray, model, atlas) -> list[PortraitSkin]:
    """One albedo per person: the weighted mean of their portraits."""
    by_person: dict[str, list[PortraitSkin]] = {}
    for portrait in portraits:
        by_person.setdefault(portrait.person, []).append(skin_of(portrait, light, model, atlas))
    out = []
    for person, skins in sorted(by_person.items()):
        weight = sum(skin.weight for skin in skins)
        albedo = sum(skin.albedo * skin.weight[..., None] for skin in skins) / np.maximum(weight, 1e-6)[..., None]
        out.append(PortraitSkin(person, skins[0].group, albedo, np.minimum(weight, 1)))
    return out


def learn(skins: list[PortraitSkin], stored: np.ndarray, modes: int) -> Learned:
    """Probabilistic PCA with missing values over people and their mirror images.

    Groups count by the square root of their size, so that the largest does not decide alone what skin looks like.
    """
    values, weights = _rows(skins, stored)
    sizes = {group: sum(skin.group == group for skin in skins) for group in {skin.group for skin in skins}}
    person = np.array([1 / np.sqrt(sizes[skin.group]) for skin in skins] * 2)
    person /= person.mean()
    filled = _first_guess(values, weights)
    learned = None
    for _ in range(ROUNDS):
        mean = np.average(filled, axis=0, weights=person)
        centred = (filled - mean) * np.sqrt(person)[:, None]
        power, vectors = np.linalg.eigh(centred @ centred.T / len(centred))
        order = np.argsort(power)[::-1][:modes]
        # Left vectors to modes: each has the length of one standard deviation.
        basis = (vectors[:, order].T @ centred) / np.sqrt(len(centred))
        learned = Learned(mean, basis.astype(np.float32))
        precision = weights / NOISE**2 / _oversampling(weights)
        model = np.array([learned.colours(learned.gamma(v, p)) for v, p in zip(values, precision, strict=True)])
        filled = weights * values + (1 - weights) * model
    return learned


def without_shading(learned: Learned, patterns: np.ndarray, plain: np.ndarray) -> Learned:
    """The same model without what looks like light.

    Luminance that goes with the normals of plain skin could be skin or what is left of the studio's light; no portrait
    tells. A basis that could draw it would take light for skin in other photos, so it is given to the light: by least
    squares for the modes, robustly for the mean, where stubble is no light.

    Args:
        patterns: (N, 9) spherical harmonics of the texels' normals. plain: (N,) bool, where skin is of one colour.
    """

    def drawn(luminance: np.ndarray, rounds: int) -> np.ndarray:
        weight = np.ones(np.count_nonzero(plain))
        for _ in range(rounds):
            found = np.linalg.lstsq(patterns[plain] * weight[:, None], luminance[plain] * weight, rcond=None)[0]
            weight = 1 / (1 + ((luminance[plain] - patterns[plain] @ found) / STUBBLE) ** 2)
        return patterns[:, 1:] @ found[1:]

    mean = learned.mean.reshape(-1, 3)
    mean = mean - drawn(mean @ LUMINANCE, 10)[:, None].clip(*SHADING_RANGE)
    modes = [mode - drawn(mode @ LUMINANCE, 1)[:, None] for mode in learned.modes.reshape(len(learned.modes), -1, 3)]
    return Learned(mean.ravel().astype(np.float32), np.array(modes, np.float32).reshape(len(modes), -1))


def evaluate_on(skins: list[PortraitSkin], learned: Learned, stored: np.ndarray) -> dict[str, float]:
    """ΔE (CIEDE2000) of people who were not learned, where they were seen, against simpler models."""
    mean = learned.mean
    scores: dict[str, list[float]] = {"mean": [], "own tone": [], "10 modes": [], "all modes": []}
    for value, weight in list(zip(*_rows(skins, stored), strict=True))[: len(skins)]:
        precision = weight / NOISE**2 / _oversampling(weight[None])
        few = Learned(mean, learned.modes[:10])
        guesses = {
            "mean": mean,
            "own tone": (mean.reshape(-1, 3) + _tint(value, mean, weight)).ravel(),
            "10 modes": few.colours(few.gamma(value, precision)),
            "all modes": learned.colours(learned.gamma(value, precision)),
        }
        for name, guess in guesses.items():
            scores[name].append(_difference(guess, value, weight))
    return {name: float(np.mean(found)) for name, found in scores.items()} | {"held_out": len(skins)}


def _shadings(model: FaceModel, atlas: Atlas, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 9) spherical harmonics of the mean head's normals, and (N,) plain skin, of the stored texels."""
    normals = vertex_normals(model.skin.of(model.mean), atlas.triangles)
    plain = model.in_region(*PLAIN)
    at = atlas.texels(np.column_stack([normals, plain]).astype(np.float32))[stored[atlas.covered]]
    directions = at[:, :3] / np.maximum(np.linalg.norm(at[:, :3], axis=1, keepdims=True), 1e-6)
    return evaluate(directions, BANDS).astype(np.float64), at[:, 3] > 0.99


def _rows(skins: list[PortraitSkin], stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2P, 3N) log albedo and weights: people, then their mirror images (the canonical UV is symmetric)."""
    maps = [skin.albedo for skin in skins] + [skin.albedo[:, ::-1] for skin in skins]
    weights = [skin.weight for skin in skins] + [skin.weight[:, ::-1] for skin in skins]
    values = np.log(np.maximum(np.array([image[stored].ravel() for image in maps], np.float32), LEAST))
    return values, np.repeat(np.array([image[stored] for image in weights], np.float32), 3, axis=1)


def _first_guess(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Missing texels get the mean of those who show them, in the person's own tone."""
    mean = (values * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-3)
    out = np.empty_like(values)
    for row, (value, weight) in enumerate(zip(values, weights, strict=True)):
        tinted = (mean.reshape(-1, 3) + _tint(value, mean, weight)).ravel()
        out[row] = weight * value + (1 - weight) * tinted
    return out


def _tint(value: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(3,) logarithm of a person's colour relative to the mean."""
    sure = weight.reshape(-1, 3)[:, 0] > CONFIDENT
    return np.median((value - mean).reshape(-1, 3)[sure], axis=0)


def _oversampling(weights: np.ndarray) -> float:
    """How many texels make one independent measurement: neighbours tell nearly the same."""
    return max(1.0, weights.shape[1] / 3 / 1500)


def _difference(guess: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    sure = weight.reshape(-1, 3)[:, 0] > CONFIDENT
    lab = [rgb2lab(to_srgb(np.exp(values.reshape(-1, 3)[sure]))) for values in (guess, truth)]
    return float(deltaE_ciede2000(*lab).mean())


def _known(skins: list[PortraitSkin], covered: np.ndarray) -> np.ndarray:
    """(S, S) float32: how well people show a texel or its mirror image; 0 where they hardly do."""
    share = np.mean([skin.weight for skin in skins], axis=0)
    share = np.maximum(share, share[:, ::-1]) * covered * covered[:, ::-1]
    soft = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 1.5)
    known = np.clip((soft - LEAST_KNOWN) / 0.2, 0, 1) * (share > LEAST_KNOWN / 2)
    return np.minimum(known, known[:, ::-1]).astype(np.float32)


def _held_out(skins: list[PortraitSkin]) -> set[str]:
    """People of every group."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation([skin.person for skin in skins])
    group = {skin.person: skin.group for skin in skins}
    chosen: list[str] = []
    groups = sorted(set(group.values()))
    for turn in range(len(order)):
        wanted = groups[turn % len(groups)]
        for person in order:
            if group[person] == wanted and person not in chosen:
                chosen.append(person)
                break
        if len(chosen) >= HELD_OUT:
            break
    return set(chosen)


def _left_over(skins: list[PortraitSkin], learned: Learned, stored: np.ndarray) -> np.ndarray:
    """(S, S) relative standard deviation of people around their own model, smooth and symmetric."""
    values, weights = _rows(skins, stored)
    squares, total = 0.0, 1e-6
    for value, weight in zip(values, weights, strict=True):
        precision = weight / NOISE**2 / _oversampling(weight[None])
        model = learned.colours(learned.gamma(value, precision))
        off = ((value - model).reshape(-1, 3) @ LUMINANCE) ** 2
        sure = weight.reshape(-1, 3)[:, 0]
        squares, total = squares + sure * off.clip(0, 1), total + sure
    image = np.zeros(stored.shape, np.float32)
    image[stored] = np.sqrt(squares / total)
    soft = cv2.GaussianBlur(image, (0, 0), 1.5) / np.maximum(
        cv2.GaussianBlur(stored.astype(np.float32), (0, 0), 1.5), 1e-3
    )
    return np.where(stored, soft, 0).astype(np.float32)


def _reach(skins: list[PortraitSkin], learned: Learned, stored: np.ndarray) -> np.ndarray:
    """(2, G) lowest and highest γ of these people."""
    gammas = []
    for value, weight in zip(*_rows(skins, stored), strict=True):
        gammas.append(learned.gamma(value, weight / NOISE**2 / _oversampling(weight[None])))
    return np.array([np.min(gammas, axis=0), np.max(gammas, axis=0)])


def _as_map(row: np.ndarray, stored: np.ndarray) -> np.ndarray:
    image = np.zeros((*stored.shape, 3), np.float32)
    image[stored] = row.reshape(-1, 3)
    return image


def _pictures(folder: Path, skins: list[PortraitSkin], learned: Learned, stored: np.ndarray) -> None:
    """The mean, the first modes at ±2 σ, and people beside their models."""
    folder.mkdir(parents=True, exist_ok=True)
    mean = _as_map(np.exp(learned.mean), stored)
    modes = [
        np.concatenate([_as_map(np.exp(learned.mean + s * mode), stored) for s in (-2, 2)])
        for mode in learned.modes[:7]
    ]
    sheet = np.concatenate([np.concatenate([mean, mean]), *modes], axis=1)
    cv2.imwrite(str(folder / "modes.png"), to_srgb8(sheet)[..., ::-1])
    columns = []
    for skin in skins[::10]:
        value, weight = (rows[0] for rows in _rows([skin], stored))
        precision = weight / NOISE**2 / _oversampling(weight[None])
        fitted = _as_map(np.exp(learned.colours(learned.gamma(value, precision))), stored)
        columns.append(np.concatenate([skin.albedo * (skin.weight[..., None] > 0.1), fitted]))
    cv2.imwrite(str(folder / "people.png"), to_srgb8(np.concatenate(columns, axis=1))[..., ::-1])


def _table(figures: dict) -> list[str]:
    lines = [
        f"{figures['held_out']} people who were not learned",
        "",
        "| model | mean ΔE (CIEDE2000) |",
        "| --- | --- |",
    ]
    return lines + [f"| {name} | {figures[name]:.2f} |" for name in ("mean", "own tone", "10 modes", "all modes")]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the basis")
    parser.add_argument("--modes", type=int, default=MODES)
    options = parser.parse_args()
    if "FACEDETAIL_DATA" not in os.environ:
        sys.exit("error: FACEDETAIL_DATA is not set\ntry: set it to the folder that holds london/")
    options.data = Path(os.environ["FACEDETAIL_DATA"])
    return options


if __name__ == "__main__":
    main()
