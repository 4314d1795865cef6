# SPDX-License-Identifier: GPL-3.0-or-later
"""How Emotion-Net learns: its steps, what is varied in the pictures, and how well it names emotions."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from facedetail_addon.core.observe.expression.emotion_net import (
    INPUT,
    EmotionNet,
    read_emotions,
    standardise,
)
from facedetail_addon.core.observe.expression.types import EMOTIONS
from scripts.harness import progress, table, whole_file
from scripts.training.emotion_net.pictures import Split

SEED = 7
BATCH = 128
PEAK_RATE = 2e-3
WEIGHT_DECAY = 2e-2
SMOOTHING = 0.1
MIXUP = 0.2
AVERAGE_DECAY = 0.998


def train(training: Split, validation: Split, epochs: int, cache: Path) -> EmotionNet:
    """Adam with one rise and fall of the rate; returns the weights' running average of the best epoch.

    Args:
        cache: folder where the run is kept, so that it goes on where it was.
    """
    torch.manual_seed(SEED)
    network = EmotionNet().to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    steps = len(training.crops) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps * epochs)
    counts = np.bincount(training.emotion, minlength=len(EMOTIONS))
    weights = torch.from_numpy((counts.mean() / counts) ** 0.5).float()
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    checkpoint, start, best = cache / f"emotion_net_{epochs}.pt", 0, 0.0
    best_path = checkpoint.with_suffix(".best.pt")
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        start, best = saved["epoch"], saved["best"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    crops, emotion = torch.from_numpy(training.crops), torch.from_numpy(training.emotion)
    for epoch in range(start, epochs):
        began, generator = time.perf_counter(), torch.Generator().manual_seed(SEED + epoch)
        torch.manual_seed(SEED + epoch)
        network.train()
        order, losses = torch.randperm(len(crops), generator=generator), []
        for step in range(steps):
            pick = order[step * BATCH : (step + 1) * BATCH]
            losses.append(
                _step(network, optimiser, augmented(crops[pick], generator), emotion[pick], weights, generator)
            )
            schedule.step()
            average.update_parameters(network)
        right = accuracy(average.module, validation)
        if right > best:
            best = right
            _save(average.module.state_dict(), best_path)
        states = {name: part.state_dict() for name, part in parts.items()}
        _save({**states, "epoch": epoch + 1, "best": best}, checkpoint)
        progress(
            f"epoch {epoch + 1}/{epochs}: loss {np.mean(losses):.3f}, validation {right:.4f} "
            f"(best {best:.4f}), {time.perf_counter() - began:.0f} s"
        )
    network.load_state_dict(torch.load(best_path, weights_only=True))
    return network


def _step(
    network: EmotionNet, optimiser: torch.optim.Optimizer, faces: torch.Tensor, emotion: torch.Tensor,
    weights: torch.Tensor, generator: torch.Generator,
) -> float:  # fmt: skip
    """One step with mixup (Zhang et al. 2018): pairs of pictures and of labels are blended alike."""
    share = float(np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator))).beta(MIXUP, MIXUP))
    partner = torch.randperm(len(faces), generator=generator)
    mixed = share * faces + (1 - share) * faces[partner]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, _ = network(mixed.to(memory_format=torch.channels_last))
        both = [
            nn.functional.cross_entropy(logits.float(), label, weights, label_smoothing=SMOOTHING)
            for label in (emotion, emotion[partner])
        ]
    loss = share * both[0] + (1 - share) * both[1]
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return float(loss.detach())


def _save(state: dict, path: Path) -> None:
    with whole_file(path) as unfinished:
        torch.save(state, unfinished)


def augmented(crops: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(B, 48, 48) uint8 to (B, 1, 48, 48): mirrored, turned, scaled, shifted, blurred, partly covered."""
    count = len(crops)

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    grey = (crops.float() / 255) ** torch.exp(uniform(-0.5, 0.5))[:, None, None]
    angle, scale = torch.deg2rad(uniform(-14, 14)), torch.exp(uniform(-0.16, 0.16))
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    matrix = torch.stack([
        torch.stack([scale * angle.cos() * mirror, -scale * angle.sin(), uniform(-0.14, 0.14)], 1),
        torch.stack([scale * angle.sin() * mirror, scale * angle.cos(), uniform(-0.14, 0.14)], 1),
    ], 1)  # fmt: skip
    grid = nn.functional.affine_grid(matrix, [count, 1, INPUT, INPUT], align_corners=False)
    faces = nn.functional.grid_sample(grey[:, None], grid, padding_mode="border", align_corners=False)
    blurred = nn.functional.avg_pool2d(faces, 3, 1, 1, count_include_pad=False)
    faces = torch.where(torch.rand(count, 1, 1, 1, generator=generator) < 0.2, blurred, faces)
    faces = standardise(faces[:, 0] * 255)
    rows = torch.arange(INPUT)
    inside = []
    for _ in range(2):
        middle, half = uniform(0, INPUT), uniform(2, 10)
        inside.append((rows - middle[:, None]).abs() < half[:, None])
    covered = (
        inside[0][:, :, None] & inside[1][:, None, :] & (torch.rand(count, generator=generator) < 0.5)[:, None, None]
    )
    return faces.masked_fill(covered[:, None], 0.0)


def accuracy(network: EmotionNet, split: Split) -> float:
    """Share of a split's emotions that are named rightly."""
    return float((predicted(network, split) == split.emotion).mean())


def predicted(network: EmotionNet, split: Split) -> np.ndarray:
    """(N,) likeliest emotions, by the mean of picture and mirror image as in use."""
    network.eval()
    pieces = [read_emotions(network, split.crops[start : start + 512])[0] for start in range(0, len(split.crops), 512)]
    return np.concatenate(pieces).argmax(1)


def confusion_table(labelled: np.ndarray, named: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Lines of a Markdown table of (N,) emotions, and (7, 7) counts, a row for each label."""
    confusion = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    np.add.at(confusion, (labelled, named), 1)
    rows = [
        (name, *confusion[row], f"{confusion[row, row] / max(confusion[row].sum(), 1):.0%}")
        for row, name in enumerate(EMOTIONS)
    ]
    return table(("labelled, taken for", *EMOTIONS, "right"), rows), confusion
