# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the Deep Facial Detail Net; writes detail_net.safetensors.

    python scripts/training/make_detail_set.py
    python scripts/training/train_detail.py [--steps 4000] [--variant light] [--size compact] [--cache FOLDER]

Supervised first, then (``--adapt-steps``) alternating with photos that have no truth, by equations 6 to 10 of Chen et
al. (ICCV 2019): their shading has to come out (L_recon, equations 11 to 14), and relief has to look like relief
(PatchGAN).
A run that was stopped goes on where it was; new heads in the cache are taken up as they come. Curves go to log.jsonl
beside the checkpoint. Every twentieth head is for validation only, and for the amplitude in the end.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights  # noqa: E402
from facedetail_addon.core.detail.dfdn import (  # noqa: E402
    BASIS_SIDE,
    COEFFICIENTS,
    DFDN,
    PDIM,
    PHOTO_CHANNELS,
    SIZES,
    shading_change,
    slopes,
)
from facedetail_addon.core.detail.space import TEXEL_MM, split_bands  # noqa: E402
from facedetail_addon.core.detail.synthesis import WEIGHTS  # noqa: E402
from scripts.training.detail_batches import Batch, Patches, make_batch  # noqa: E402
from scripts.training.detail_patches import STEP_MM  # noqa: E402
from scripts.training.make_detail_set import DEFAULT_CACHE, SEED  # noqa: E402
from scripts.training.patch_gan import PatchGAN  # noqa: E402

BATCH = 16
PEAK_RATE, WEIGHT_DECAY, WARM_UP = 1.2e-3, 1e-2, 100
_CONNECTED_RATE = 0.25  # of the rate for PDIM's fully connected layers
_HEIGHT_MM, _SLOPE = 0.05, 0.1  # units of the losses
_BEND = 12.0  # of Huber's loss; with 1, folds count so little that they are left out, with 5 half of their depth
_MEDIUM_SHARE, _SLOPE_SHARE, _HINT_SHARE = 1.0, 1.0, 1.0
_RECON_SHARE, _GAN_SHARE = 0.05, 0.005  # η and 1 of equation 10 over its λ = 100
_AMPLITUDES = (0.5, 3.0)
_HINT_NOISE_MM = 0.02  # what PDIM's projection begins with as the error of its first feature map
_WRINKLED = 0.3  # share of patches with the most medium relief, from which the basis is made
_BASIS_PATCHES = 6000
_VALIDATION = 256
_REPORT, _REFRESH = 100, 300


def main() -> None:
    options = _arguments()
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    training = Patches("head_*.npz", options.cache, held_out=False)
    validation = Patches("head_*.npz", options.cache, held_out=True)
    if not len(training) or not len(validation):
        sys.exit(f"error: {options.cache} holds no training set\ntry: python scripts/training/make_detail_set.py")
    torch.manual_seed(options.seed)
    trainer = Trainer(options, training)
    fixed = make_batch(validation.take(_spread(len(validation), _VALIDATION)), None)
    trainer.run(training, fixed)
    trainer.network.amplitude.copy_(calibrate(trainer.network, validation, options.variant))
    save_weights(trainer.network, options.output / options.name)
    figures = validate(trainer.network, fixed, options.variant)
    figures["amplitude"] = trainer.network.amplitude.tolist()
    print(json.dumps(figures))


def save_weights(network: DFDN, path: Path) -> None:
    """Write weights in half precision, whole or not at all, with the network's variant and size, and into the index."""
    state = {k: v.half().contiguous() for k, v in network.state_dict().items() if v.is_floating_point()}
    partial = path.with_name(f".{path.name}")
    save_file(state, partial, metadata={"variant": network.variant, "size": network.size})
    partial.chmod(0o644)
    os.replace(partial, path)
    register_weights(path)


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
    medium, total = _found(network, fixed, variant)
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


def calibrate(network: DFDN, held_out: Patches, variant: str) -> Tensor:
    """(2,) factors that bring found medium and fine relief nearest to the true ones in least squares."""
    products = np.zeros((2, 2))
    for start in range(0, len(held_out), _VALIDATION):
        batch = make_batch(held_out.take(np.arange(start, min(start + _VALIDATION, len(held_out)))), None)
        _, total = _found(network, batch, variant)
        sure = (batch.mask > 0.7)[:, 0].numpy()
        for found, true, where in zip(total[:, 0].numpy(), batch.total[:, 0].numpy(), sure, strict=True):
            for band, (one, other) in enumerate(zip(split_bands(found), split_bands(true), strict=True)):
                products[band] += [(one * other)[where].sum(), (one * one)[where].sum()]
    return torch.from_numpy(products[:, 0] / np.maximum(products[:, 1], 1e-12)).float().clamp(*_AMPLITUDES)


@torch.no_grad()
def _found(network: DFDN, batch: Batch, variant: str) -> tuple[Tensor, Tensor]:
    """(B, 1, 256, 256) mm each: PDIM's relief, and both modules' together."""
    network.eval()
    given, noise = batch.channels(variant), torch.zeros_like(batch.mask)
    medium, total = [], []
    for part in range(0, len(given), BATCH):
        with torch.autocast("cpu", torch.bfloat16):
            inferred, refined = network(given[part : part + BATCH], noise[part : part + BATCH])
        medium.append(inferred.float())
        total.append(inferred.float() + refined.float())
    return torch.cat(medium), torch.cat(total)


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
