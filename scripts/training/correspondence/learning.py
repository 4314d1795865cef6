# SPDX-License-Identifier: GPL-3.0-or-later
"""How the correspondence network learns: loss, small changes of the pictures, steps that resume."""

import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from facedetail_addon.core.assets.shipped import find_weights
from facedetail_addon.core.observe.correspondence.network import INPUT, CorrespondenceNet, Found
from facedetail_addon.core.observe.correspondence.types import POINTS
from facedetail_addon.core.observe.landmarks.landmarker import MESH_WEIGHTS
from scripts.harness import progress
from scripts.training.checkpoints import keep, resume
from scripts.training.correspondence.dataset import load_chunk

SEED = 5
BATCH = 32
PEAK_RATE, TRUNK_RATE = 1.5e-3, 0.5
WEIGHT_DECAY = 1e-2
AVERAGE_DECAY = 0.998
SAVE_EVERY = 250
_COARSE, _COEFFICIENTS, _ROTATION = 0.5, 0.15, 0.1
_ROLL_DEG, _SCALE, _SHIFT = 10.0, 0.1, 0.04


class Pool:
    """The samples drawn so far; what comes while the network learns is taken in."""

    def __init__(self, folder: Path):
        self.folder, self.known, self.arrays = folder, set(), {}

    def refresh(self) -> int:
        """Read new chunks; returns how many samples there are."""
        new = [path for path in sorted(self.folder.glob("[0-9]*.npz")) if path not in self.known]
        for path in new:
            for name, values in load_chunk(path).items():
                self.arrays.setdefault(name, []).append(torch.from_numpy(values))
            self.known.add(path)
        return sum(len(chunk) for chunk in self.arrays.get("points", []))

    def batch(self, count: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        chunks = self.arrays["points"]
        chunk = torch.randint(len(chunks), (count,), generator=generator).tolist()
        row = [int(torch.randint(len(chunks[c]), (1,), generator=generator)) for c in chunk]
        return {
            name: torch.stack([values[c][r] for c, r in zip(chunk, row, strict=True)])
            for name, values in self.arrays.items()
        }


def new_network(identities: int, expressions: int) -> CorrespondenceNet:
    """The trunk begins with what the face mesh network knows of photos."""
    torch.manual_seed(SEED)
    network = CorrespondenceNet(POINTS, identities, expressions)
    known = load_file(find_weights(MESH_WEIGHTS))
    names = {"mesh.blocks.": "trunk.", "stem.": "stem.", "early.": "early."}
    state = {
        new + name.removeprefix(old): values.float()
        for old, new in names.items()
        for name, values in known.items()
        if name.startswith(old)
    }
    missing, unexpected = network.load_state_dict(state, strict=False)
    if unexpected or any(name.startswith(("trunk.", "stem.", "early.")) for name in missing):
        raise ValueError("the face mesh network is not what this one begins with")
    return network.to(memory_format=torch.channels_last)


def loss_of(found: Found, truth: dict[str, torch.Tensor]) -> torch.Tensor:
    """Negative log-likelihood of points, coefficients and rotation (Wood et al., equation 1)."""
    points = truth["points"]
    loss = _gaussian(found.points, points, found.log_sigma[..., None])
    loss = loss + _COARSE * _gaussian(found.coarse[..., :2], points, found.coarse[..., 2:])
    loss = loss + _COEFFICIENTS * _gaussian(found.alpha, truth["alpha"], found.alpha_log_sigma)
    loss = loss + _COEFFICIENTS * _gaussian(found.beta, truth["beta"], found.beta_log_sigma)
    turn = _gaussian(found.rotation, truth["rotation"], found.rotation_log_sigma[:, None, None])
    return loss + _ROTATION * turn


def _gaussian(found: torch.Tensor, truth: torch.Tensor, log_sigma: torch.Tensor) -> torch.Tensor:
    sigma = log_sigma.clamp(-6.5, 3)
    return (sigma + (found - truth).square() / 2 * torch.exp(-2 * sigma)).mean()


def varied(batch: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Another framing, roll and exposure of drawn samples; pictures become (B, 3, S, S) float 0..1."""
    count = len(batch["points"])

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    pictures = batch["picture"].permute(0, 3, 1, 2).float() / 255
    angle = noise(count) * math.radians(_ROLL_DEG) * 0.6
    scale, shift = torch.exp(noise(count) * _SCALE * 0.6), noise(count, 2) * _SHIFT
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # crop axes, y down
    # From places in the new picture to places in the old one, both −1..1.
    back = torch.cat([turn.transpose(1, 2) / scale[:, None, None], torch.zeros(count, 2, 1)], 2)
    back[:, :, 2] = -(back[:, :, :2] @ shift[:, :, None])[:, :, 0]
    grid = F.affine_grid(back, [count, 3, INPUT, INPUT], align_corners=False)
    pictures = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    old = batch["points"] * 2 - 1
    points = (scale[:, None, None] * (old @ turn.transpose(1, 2)) + shift[:, None] + 1) / 2
    about_axis = torch.zeros(count, 3, 3)
    about_axis[:, :2, :2], about_axis[:, 2, 2] = turn, 1
    gain = torch.exp(noise(count, 3, 1, 1) * 0.06 + noise(count, 1, 1, 1) * 0.15)
    pictures = (pictures * gain + noise(count, 1, 1, 1) * 0.03).clamp(0, 1)
    return batch | {"picture": pictures, "points": points, "rotation": about_axis @ batch["rotation"].float()}


def train(folder: Path, cache: Path, network: CorrespondenceNet, steps: int) -> CorrespondenceNet:
    """AdamW with one rise and fall of the rate; returns the running average of the weights.

    Args:
        folder: of drawn chunks, which may still grow. cache: where the run is kept, so that it goes on where it was.
    """
    pool = Pool(folder)
    trunk = [p for name, p in network.named_parameters() if name.startswith(("trunk.", "stem.", "early."))]
    rest = [p for name, p in network.named_parameters() if not name.startswith(("trunk.", "stem.", "early."))]
    optimiser = torch.optim.AdamW([{"params": rest}, {"params": trunk}], PEAK_RATE, weight_decay=WEIGHT_DECAY)
    rates = [PEAK_RATE, PEAK_RATE * TRUNK_RATE]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps + 1, pct_start=0.08)
    averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY)
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    checkpoint = cache / f"correspondence_{steps}.pt"
    first = resume(checkpoint, parts)
    losses, began = [], time.perf_counter()
    for step in range(first, steps):
        if step % SAVE_EVERY == 0 or step == first:
            count = pool.refresh()
        generator = torch.Generator().manual_seed(SEED * 1_000_003 + step)
        truth = varied(pool.batch(BATCH, generator), generator)
        pictures = truth["picture"].to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():  # the first layers stay as photos have taught them
                early = network.early(network.stem(pictures))
            deep = network.trunk(early)
        loss = loss_of(network.read(early.float(), deep.float()), truth)
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
            mean = np.mean(losses[-SAVE_EVERY:])
            progress(f"step {step + 1}/{steps}: loss {mean:.3f}, {count} samples, {seconds:.2f} s a step")
    return average.module


def errors_of(network: CorrespondenceNet, chunk: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the network finds in a chunk, beside the truth: distances in shares of the crop, and its sigmas."""
    rows = []
    with torch.no_grad():
        for start in range(0, len(chunk["points"]), BATCH):
            pictures = torch.from_numpy(chunk["picture"][start : start + BATCH]).permute(0, 3, 1, 2).float() / 255
            rows.append(network(pictures.to(memory_format=torch.channels_last)))
    found = Found(*[torch.cat(parts).numpy() for parts in zip(*rows, strict=True)])
    return {
        "distance": np.linalg.norm(found.points - chunk["points"], axis=2),
        "coarse_distance": np.linalg.norm(found.coarse[..., :2] - chunk["points"], axis=2),
        "sigma": np.exp(found.log_sigma),
        "alpha": found.alpha,
        "rotation": found.rotation,
    }
