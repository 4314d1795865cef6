# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the Deep Facial Detail Net; writes detail_net.safetensors.

    python scripts/training/make_detail_set.py
    python scripts/training/train_detail.py [--steps 4000] [--variant light] [--size compact] [--cache FOLDER]

Supervised first, then (``--adapt-steps``) alternating with photos that have no truth, by equations 6 to 10 of Chen et
al. (ICCV 2019): their shading has to come out (L_recon, equations 11 to 14), and relief has to look like relief
(PatchGAN).
A run that was stopped goes on where it was; new heads in the cache are taken up as they come. Curves go to log.jsonl
beside the checkpoint. Every twentieth head is for validation only.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from facedetail_addon.core.assets import WEIGHTS_DIR, register_weights  # noqa: E402
from facedetail_addon.core.detail.dfdn import (  # noqa: E402
    BASIS_SIDE,
    COEFFICIENTS,
    DFDN,
    PATCH,
    PDIM,
    PHOTO_CHANNELS,
    SIZES,
    PatchGAN,
    shading_change,
    slopes,
)
from facedetail_addon.core.detail.space import TEXEL_MM  # noqa: E402
from scripts.training.detail_patches import LIMIT, STEP_MM  # noqa: E402
from scripts.training.make_detail_set import DEFAULT_CACHE, HELD_OUT, SEED  # noqa: E402

WEIGHTS = "detail_net.safetensors"
BATCH = 16
PEAK_RATE, WEIGHT_DECAY, WARM_UP = 1.2e-3, 1e-2, 100
_CONNECTED_RATE = 0.25  # of the rate for PDIM's fully connected layers
_HEIGHT_MM, _SLOPE = 0.05, 0.1  # units of the losses
_BEND = 12.0  # of Huber's loss; with 1, folds count so little that they are left out, with 5 half of their depth
_MEDIUM_SHARE, _SLOPE_SHARE, _HINT_SHARE = 1.0, 1.0, 1.0
_RECON_SHARE, _GAN_SHARE = 0.05, 0.005  # η and 1 of equation 10 over its λ = 100
_HINT_NOISE_MM = 0.02  # what PDIM's projection begins with as the error of its first feature map
_WRINKLED = 0.3  # share of patches with the most medium relief, from which the basis is made
_BASIS_PATCHES = 6000
_VALIDATION = 256
_REPORT, _REFRESH = 100, 300


class Patches:
    """Patches of many heads in memory, as bytes."""

    def __init__(self, pattern: str, folder: Path, held_out: bool):
        self._pattern, self._folder, self._held_out = pattern, folder, held_out
        self._files: set[str] = set()
        self._arrays: list[dict[str, np.ndarray]] = []
        self._index: list[tuple[int, int]] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self._index)

    def refresh(self) -> None:
        """Take up files that have come since."""
        for path in sorted(self._folder.glob(self._pattern)):
            number = int(path.stem.split("_")[1])
            if path.name in self._files or (number % HELD_OUT == HELD_OUT - 1) != self._held_out:
                continue
            self._files.add(path.name)
            with np.load(path, allow_pickle=False) as arrays:
                if int(arrays["count"]):
                    held = {key: arrays[key] for key in arrays.files if key != "count"}
                    self._index += [(len(self._arrays), k) for k in range(int(arrays["count"]))]
                    self._arrays.append(held)

    def take(self, picked: np.ndarray) -> dict[str, np.ndarray]:
        """Stacked arrays of some patches."""
        places = [self._index[i] for i in picked]
        return {key: np.stack([self._arrays[f][key][k] for f, k in places]) for key in self._arrays[0]}


@dataclass(frozen=True)
class Batch:
    """Decoded patches.

    Attributes:
        photo: (B, 6, 256, 256) channels of the variant ``light``. level: (B, 1, 256, 256) HSV value.
        mask: (B, 1, 256, 256) skin whose relief is known. medium: (B, 1, 64, 64) mm. total: (B, 1, 256, 256) mm.
    """

    photo: Tensor
    level: Tensor
    mask: Tensor
    medium: Tensor
    total: Tensor

    def channels(self, variant: str) -> Tensor:
        """What the networks of a variant see; the paper's: patch minus its mean, times two."""
        if variant == "light":
            return self.photo
        return 2 * (self.level - self.level.mean(dim=(2, 3), keepdim=True))


def main() -> None:
    options = _arguments()
    torch.set_num_threads(options.threads)
    training = Patches("head_*.npz", options.cache, held_out=False)
    validation = Patches("head_*.npz", options.cache, held_out=True)
    if not len(training) or not len(validation):
        sys.exit(f"error: {options.cache} holds no training set\ntry: python scripts/training/make_detail_set.py")
    torch.manual_seed(options.seed)
    trainer = Trainer(options, training)
    fixed = make_batch(validation.take(_spread(len(validation), _VALIDATION)), None)
    trainer.run(training, fixed)
    path = options.output / options.name
    state = trainer.network.state_dict()
    save_file({k: v.half().contiguous() for k, v in state.items() if v.is_floating_point()}, path)
    path.chmod(0o644)
    if options.output == WEIGHTS_DIR:
        register_weights(path)
    print(json.dumps(validate(trainer.network, fixed, options.variant)))


class Trainer:
    """Networks, optimisers and where the run is; kept in a checkpoint."""

    def __init__(self, options: argparse.Namespace, training: Patches):
        self._options = options
        self.network = DFDN(options.variant, options.size).to(memory_format=torch.channels_last)
        _calm(self.network)
        self.judge = PatchGAN(PHOTO_CHANNELS[options.variant]).to(memory_format=torch.channels_last)
        connected = list(self.network.pdim.connected.parameters())
        others = [p for n, p in self.network.named_parameters() if not n.startswith("pdim.connected")]
        groups = [{"params": others, "share": 1.0}, {"params": connected, "share": _CONNECTED_RATE}]
        self._optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY, lr=PEAK_RATE)
        self._judges = torch.optim.Adam(self.judge.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self._step = 0
        self._folder = options.cache / f"run_{options.name}_{options.seed}"
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._checkpoint.is_file():
            kept = torch.load(self._checkpoint, weights_only=True)
            self.network.load_state_dict(kept["network"])
            self.judge.load_state_dict(kept["judge"])
            self._optimiser.load_state_dict(kept["optimiser"])
            self._judges.load_state_dict(kept["judges"])
            self._step = int(kept["step"])
        else:
            self.network.basis.copy_(torch.from_numpy(pca_basis(training, np.random.default_rng(SEED))))
            begin_with_projection(self.network.pdim, self.network.basis)

    @property
    def _checkpoint(self) -> Path:
        return self._folder / "checkpoint.pt"

    def run(self, training: Patches, fixed: Batch) -> None:
        """Train until all steps are done."""
        options = self._options
        portraits = Patches("photo_*.npz", options.cache, held_out=False) if options.adapt_steps else None
        total = options.steps + options.adapt_steps
        start, losses = time.perf_counter(), []
        while self._step < total:
            rng = np.random.default_rng((options.seed, self._step))
            for group in self._optimiser.param_groups:
                group["lr"] = group["share"] * _rate(self._step, total)
            adapting = self._step >= options.steps
            batch = make_batch(training.take(rng.integers(len(training), size=BATCH)), rng)
            photos = None
            if adapting and portraits is not None:
                photos = make_batch(portraits.take(rng.integers(len(portraits), size=BATCH // 2)), rng)
            losses.append(self._learn(batch, photos, adapting))
            self._step += 1
            if self._step % _REFRESH == 0:
                training.refresh()
            if self._step % _REPORT == 0 or self._step == total:
                figures = validate(self.network, fixed, options.variant)
                figures |= {"step": self._step, "loss": float(np.mean(losses)), "patches": len(training)}
                figures["seconds"] = time.perf_counter() - start
                self._keep(figures)
                start, losses = time.perf_counter(), []

    def _learn(self, batch: Batch, photos: Batch | None, adversarial: bool) -> float:
        variant = self._options.variant
        self.network.train()
        given = batch.channels(variant)
        with torch.autocast("cpu", torch.bfloat16):
            features = self.network.pdim.features(given, torch.randn_like(batch.mask))
            medium = self.network.patch(self.network.pdim.coefficients(features))
            refined = self.network.pdrm(given, medium.to(given.dtype))
        medium, refined = medium.float(), refined.float()
        total = medium.detach() + refined
        loss = supervised_loss(medium, total, batch) + _HINT_SHARE * hint_loss(features.float(), batch)
        if adversarial:
            with torch.autocast("cpu", torch.bfloat16):
                verdict = self.judge(given, total * batch.mask)
            loss = loss + _GAN_SHARE * functional.binary_cross_entropy_with_logits(
                verdict.float(), torch.ones_like(verdict.float())
            )
        if photos is not None:
            with torch.autocast("cpu", torch.bfloat16):
                medium, refined = self.network(photos.channels(variant), torch.randn_like(photos.mask))
            loss = loss + _RECON_SHARE * reconstruction_loss(medium.float() + refined.float(), photos)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimiser.step()
        if adversarial:
            self._judge(given, total.detach() * batch.mask, batch.total * batch.mask)
        return float(loss.detach())

    def _judge(self, given: Tensor, made: Tensor, real: Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            verdicts = [self.judge(given, relief).float() for relief in (made, real)]
        loss = sum(
            functional.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, truth))
            for verdict, truth in zip(verdicts, (0.0, 1.0), strict=True)
        )
        self._judges.zero_grad(set_to_none=True)
        loss.backward()
        self._judges.step()

    def _keep(self, figures: dict[str, float]) -> None:
        text = json.dumps({key: round(value, 4) for key, value in figures.items()})
        print(text, flush=True)
        with (self._folder / "log.jsonl").open("a") as log:
            log.write(text + "\n")
        state = {
            "network": self.network.state_dict(), "judge": self.judge.state_dict(), "step": self._step,
            "optimiser": self._optimiser.state_dict(), "judges": self._judges.state_dict(),
        }  # fmt: skip
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self._checkpoint)


def supervised_loss(medium: Tensor, total: Tensor, batch: Batch) -> Tensor:
    """Huber's loss of PDIM's heights, and of the sum's heights and slopes, over the mask."""
    small = functional.adaptive_avg_pool2d(batch.mask, BASIS_SIDE)
    inferred = functional.adaptive_avg_pool2d(medium, BASIS_SIDE)
    loss = _MEDIUM_SHARE * _masked(_huber((inferred - batch.medium) / _HEIGHT_MM), small)
    loss = loss + _masked(_huber((total - batch.total) / _HEIGHT_MM), batch.mask)
    for found, true in zip(slopes(total, TEXEL_MM), slopes(batch.total, TEXEL_MM), strict=True):
        loss = loss + _SLOPE_SHARE * _masked(_huber((found - true) / _SLOPE), batch.mask)
    return loss


def hint_loss(features: Tensor, batch: Batch) -> Tensor:
    """PDIM's first feature map should be the medium relief, so that its layers learn from every texel.

    From 64 coefficients of a whole patch alone they hardly learn; see :func:`begin_with_projection`.
    """
    first = functional.adaptive_avg_pool2d(features[:, :1], BASIS_SIDE)
    small = functional.adaptive_avg_pool2d(batch.mask, BASIS_SIDE)
    return _masked(_huber(first - batch.medium / _HEIGHT_MM), small)


@torch.no_grad()
def begin_with_projection(pdim: PDIM, basis: Tensor) -> None:
    """PDIM's fully connected layers begin as the projection of its first feature map onto the basis.

    Coefficients c of heights h = Bᵀ c with noise have the posterior mean (B Bᵀ + s² I)⁻¹ B h. Its positive and negative
    parts pass the ReLUs side by side; other units begin at random, and without a say. From random layers alone PDIM
    stays far worse than its own feature map.

    Args:
        pdim: to be changed. basis: (64, 64, 64) mm per σ.
    """
    side = round((pdim.connected[0].in_features / pdim.features_out) ** 0.5)
    small = functional.adaptive_avg_pool2d(basis[:, None], min(side, BASIS_SIDE)).flatten(1).double()
    system = small @ small.T + _HINT_NOISE_MM**2 * torch.eye(COEFFICIENTS, dtype=torch.float64)
    projection = (_HEIGHT_MM * torch.linalg.solve(system, small)).reshape(COEFFICIENTS, 1, min(side, BASIS_SIDE), -1)
    grow = side // projection.shape[2]
    projection = projection.repeat_interleave(grow, 2).repeat_interleave(grow, 3).flatten(1).float() / grow**2
    first, *between, last = [layer for layer in pdim.connected if isinstance(layer, nn.Linear)]
    both = 2 * COEFFICIENTS
    for layer in (first, *between, last):
        layer.weight[:both] = 0
        layer.bias[:both] = 0
    first.weight[:both, : projection.shape[1]] = torch.cat([projection, -projection])
    for layer in between:
        layer.weight[:both, :both] = torch.eye(both)
    last.weight[:, :both] = torch.cat([torch.eye(COEFFICIENTS), -torch.eye(COEFFICIENTS)], dim=1)


def reconstruction_loss(total: Tensor, batch: Batch) -> Tensor:
    """|I − albedo ⊙ S(N_fine)| in logarithms, to first order in the slopes (equations 11 to 14)."""
    left = batch.photo[:, :1] - shading_change(total, batch.photo[:, 2:4])
    return _masked(left.abs(), batch.mask)


def make_batch(arrays: dict[str, np.ndarray], rng: np.random.Generator | None) -> Batch:
    """Decode patches; with ``rng`` each is mirrored and turned at random, its light with it."""
    bytes_of = {key: torch.from_numpy(value) for key, value in arrays.items()}
    light = functional.interpolate(bytes_of["light"].float(), size=(PATCH, PATCH), mode="bilinear", align_corners=False)
    mask = bytes_of["mask"].float()[:, None] / 255
    mask = functional.interpolate(mask, size=(PATCH, PATCH), mode="bilinear", align_corners=False)
    value, chroma = (bytes_of[key].float()[:, None] * (LIMIT / 127) for key in ("value", "chroma"))
    medium = bytes_of["medium"].float()[:, None] * STEP_MM
    total = functional.interpolate(medium, size=(PATCH, PATCH), mode="bicubic", antialias=True)
    total = total + bytes_of["fine"].float()[:, None] * STEP_MM
    photo = torch.cat([value, chroma, light, mask], dim=1)
    level = bytes_of["level"].float()[:, None] / 255
    pieces = [photo, level, mask, medium, total]
    if rng is not None:
        pieces = _turned(pieces, rng)
    return Batch(*(piece.contiguous(memory_format=torch.channels_last) for piece in pieces))


def _turned(pieces: list[Tensor], rng: np.random.Generator) -> list[Tensor]:
    """Eight symmetries of the square, one per patch; light_x and light_y (channels 2, 3) are a vector."""
    out: list[list[Tensor]] = [[] for _ in pieces]
    for number in range(len(pieces[0])):
        flip, turns = rng.random() < 0.5, int(rng.integers(4))
        for slot, piece in enumerate(pieces):
            one = piece[number]
            if slot == 0:
                x, y = one[2], one[3]
                if flip:
                    x = -x
                for _ in range(turns):  # a quarter turn as torch.rot90: right becomes up
                    x, y = y, -x
                one = torch.cat([one[:2], x[None], y[None], one[4:]])
            if flip:
                one = one.flip(-1)
            out[slot].append(torch.rot90(one, turns, (-2, -1)))
    return [torch.stack(slot) for slot in out]


def pca_basis(patches: Patches, rng: np.random.Generator) -> np.ndarray:
    """(64, 64, 64) float32 mm per σ: principal components of wrinkled patches, mirrored, turned and of both signs.

    With both signs the mean is zero.
    """
    picked = rng.permutation(len(patches))[: 3 * _BASIS_PATCHES]
    arrays = patches.take(picked)
    heights = arrays["medium"].astype(np.float32) * STEP_MM * (arrays["mask"] > 200)
    energy = (heights**2).mean(axis=(1, 2))
    heights = heights[energy >= np.quantile(energy, 1 - _WRINKLED)][:_BASIS_PATCHES]
    turned = [np.rot90(part, k, (1, 2)) for part in (heights, heights[..., ::-1]) for k in range(4)]
    flat = np.concatenate(turned).reshape(-1, BASIS_SIDE**2)
    spectrum, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    strongest = np.argsort(spectrum)[::-1][:COEFFICIENTS]
    scaled = vectors[:, strongest] * np.sqrt(np.maximum(spectrum[strongest], 0))
    return np.ascontiguousarray(scaled.T.reshape(COEFFICIENTS, BASIS_SIDE, BASIS_SIDE), np.float32)


@torch.no_grad()
def validate(network: DFDN, fixed: Batch, variant: str) -> dict[str, float]:
    """Correlations with the truth over the mask, and the relief found on skin that has none (root mean square, mm)."""
    network.eval()
    given, noise = fixed.channels(variant), torch.zeros_like(fixed.mask)
    medium, refined = [], []
    for part in range(0, len(given), BATCH):
        with torch.autocast("cpu", torch.bfloat16):
            one, two = network(given[part : part + BATCH], noise[part : part + BATCH])
        medium.append(one.float())
        refined.append(two.float())
    medium, total = torch.cat(medium), torch.cat(medium) + torch.cat(refined)
    sure = fixed.mask > 0.7
    flat = (fixed.total.abs().amax(dim=(1, 2, 3)) < 1e-3)[:, None, None, None] & sure
    small = functional.adaptive_avg_pool2d(medium, BASIS_SIDE)
    small_sure = functional.adaptive_avg_pool2d(fixed.mask, BASIS_SIDE) > 0.7
    found, true = (torch.cat([s[sure] for s in slopes(t, TEXEL_MM)]) for t in (total, fixed.total))
    return {
        "medium": _correlation(small[small_sure], fixed.medium[small_sure]),
        "total": _correlation(total[sure], fixed.total[sure]),
        "slopes": _correlation(found, true),
        "gain": float(found.std() / true.std()),
        "rmse_mm": float((total - fixed.total)[sure].square().mean().sqrt()),
        "zero_mm": float(fixed.total[sure].square().mean().sqrt()),
        "flat_mm": float(total[flat].square().mean().sqrt()) if flat.any() else 0.0,
    }


def _calm(network: DFDN) -> None:
    """Begin with hardly any relief: it takes long to get rid of a millimetre of noise."""
    with torch.no_grad():
        network.pdrm.unet.up[0][0].weight.mul_(0.03)


def _huber(x: Tensor) -> Tensor:
    return functional.huber_loss(x, torch.zeros_like(x), reduction="none", delta=_BEND)


def _masked(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1.0)


def _correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def _spread(count: int, wanted: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, wanted)).astype(int)


def _rate(step: int, total: int) -> float:
    warm = min(1.0, (step + 1) / WARM_UP)
    return float(PEAK_RATE * warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * step / total))))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4000, help=f"supervised, {BATCH} patches each")
    parser.add_argument("--adapt-steps", type=int, default=0, help="then so many that alternate with photos")
    parser.add_argument("--variant", choices=PHOTO_CHANNELS, default="light", help="what the networks see")
    parser.add_argument("--size", choices=SIZES, default="compact", help="of the networks")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the set; checkpoints go there too")
    parser.add_argument("--name", default=WEIGHTS, help="file name of the weights")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    return parser.parse_args()


if __name__ == "__main__":
    main()
