# SPDX-License-Identifier: GPL-3.0-or-later
"""How the network learns: crops of all sources, mirrored and varied, weighted cross-entropy, steps that resume."""

import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from facedetail_addon.core.detail.line_net import CHANNELS, LineNet
from scripts.harness import progress
from scripts.training.checkpoints import keep, resume
from scripts.training.line_net.samples import DRAWN, OLD, YOUTH, sample_shape

SEED = 7453
CROP, BATCH = 256, 8
SHARES = {DRAWN: 0.35, OLD: 0.3, YOUTH: 0.35}
"""Of a batch's crops."""
PEAK_RATE, WEIGHT_DECAY, AVERAGE_DECAY = 3e-3, 1e-3, 0.99
SAVE_EVERY = 100
_SIGNED = (9, 16)  # channels whose sign turns in a mirror: light_x, and the sine of twice the direction
_LUMINANCE, _HUE, _LIGHT = 0, 1, slice(9, 12)
_LEAST_WEIGHT = 0.02  # mean weight of a crop below which another is taken


class Pool:
    """Samples on disk by source."""

    def __init__(self, folder: Path, sources: tuple[str, ...]):
        files = {source: sorted(folder.glob(f"{source}_*.npy")) for source in sources}
        for paths in files.values():  # those with known wrinkles and paint count twice
            paths += [path for path in paths if path.stem.endswith("_2")]
        self.shape = sample_shape(next(iter(files.values()))[0])
        self.maps = {source: [np.load(path, mmap_mode="r") for path in paths] for source, paths in files.items()}
        shares = np.array([SHARES[source] for source in sources])
        self.sources, self.shares = sources, shares / shares.sum()

    def batch(self, rng: np.random.Generator) -> torch.Tensor:
        """(B, C + 2, CROP, CROP)."""
        return torch.from_numpy(np.stack([self._crop(rng) for _ in range(BATCH)]))

    def _crop(self, rng: np.random.Generator) -> np.ndarray:
        while True:
            source = self.sources[rng.choice(len(self.sources), p=self.shares)]
            sample = self.maps[source][rng.integers(len(self.maps[source]))]
            y, x = (int(rng.integers(side - CROP + 1)) for side in self.shape[1:])
            if float(sample[-1, y : y + CROP : 4, x : x + CROP : 4].mean(dtype=np.float32)) > _LEAST_WEIGHT:
                return _varied(sample[:, y : y + CROP, x : x + CROP].astype(np.float32), rng)


def _varied(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, :, ::-1])
        crop[list(_SIGNED)] *= -1
    crop[_LUMINANCE] *= np.float32(np.exp(rng.normal() * 0.1))
    crop[_HUE] *= np.float32(rng.uniform(0.6, 1.2) if rng.random() < 0.8 else 0)
    crop[_LIGHT] *= np.float32(np.exp(rng.normal() * 0.1))
    return crop


def loss_of(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted binary cross-entropy of (B, h, w)."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (entropy * weight).sum() / weight.sum().clamp_min(1)


def train(folder: Path, cache: Path, steps: int, sources: tuple[str, ...], begin: Path | None = None) -> LineNet:
    """AdamW with one rise and fall of the rate; returns the running average of the weights.

    Args:
        folder: of samples. cache: where the run is kept, so that it goes on where it was. sources: to learn from.
        begin: a network to go on with, at half the rate.
    """
    pool = Pool(folder, sources)
    torch.manual_seed(SEED)
    network = LineNet().to(memory_format=torch.channels_last)
    rate = PEAK_RATE
    if begin is not None:
        network.load_state_dict(torch.load(begin, weights_only=True))
        rate = PEAK_RATE / 2
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=0.15)
    averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY)
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    checkpoint = cache / f"run_{'_'.join(sources)}_{steps}{'_on' if begin else ''}.pt"
    first = resume(checkpoint, parts)
    losses, began = [], time.perf_counter()
    for step in range(first, steps):
        batch = pool.batch(np.random.default_rng((SEED, step)))
        seen = batch[:, :CHANNELS].contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(seen)
        loss = loss_of(logits.float()[:, 0], batch[:, -2], batch[:, -1])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        losses.append(float(loss.detach()))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            keep(checkpoint, parts, step + 1)
            seconds = (time.perf_counter() - began) / len(losses)
            progress(f"step {step + 1}/{steps}: loss {np.mean(losses[-SAVE_EVERY:]):.4f}, {seconds:.2f} s a step")
    return average.module
