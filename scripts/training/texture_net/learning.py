# SPDX-License-Identifier: GPL-3.0-or-later
"""How a generator of skin learns: true colours first, then against a discriminator, too; steps that resume."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facedetail_addon.core.skin.texture_net import LARGE, SIDE
from scripts.harness import progress
from scripts.training.checkpoints import keep, resume
from scripts.training.texture_net.losses import Discriminator, IdentityLoss, augmented, pixel_loss, shown
from scripts.training.texture_net.skins import Sample, Skins, hiding, sample_of

SEED = 9241
BATCH = 4
RATE, DISCRIMINATOR_RATE, AVERAGE_DECAY = 1.5e-3, 4e-4, 0.995
ADVERSARIAL, IDENTITY = 0.02, 0.15
"""Weights beside the pixels'."""
SEEN_WEIGHT = 0.15  # of what the generator was shown, beside what was hidden
IDENTITY_EVERY, SAVE_EVERY, TEST_EVERY = 4, 50, 200
KINDS = ("half", "eyes", "lower", "spots")
"""Of what is hidden in tests."""


@dataclass(frozen=True)
class Growth:
    """How a network's pictures grow, in shares of all steps.

    Attributes:
        sides: from which share on they have how many texels along each side. judged: from which on a discriminator
            looks at them.
    """

    sides: tuple[tuple[float, int], ...] = ((0.0, LARGE),)
    judged: float = 0.3

    def side(self, share: float) -> int:
        """After a share of the steps."""
        return [side for start, side in self.sides if start <= share][-1]


AT_ONCE = Growth()
"""Whole pictures from the first step on."""


def train(
    network: nn.Module,
    skins: Skins,
    identity: IdentityLoss,
    checkpoint: Path,
    steps: int,
    adversarial: Callable[[Tensor, Tensor, nn.Module], Tensor] | None = None,
    growth: Growth = AT_ONCE,
) -> nn.Module:
    """AdamW with one rise and fall of the rate; returns the running average of the weights.

    Args:
        network: what maps (B, CHANNELS, 256, 256) to (B, 3, 512, 512). checkpoint: the run goes on where it was.
        growth: for one that grows by its attribute ``side``.
        adversarial: a penalty for the discriminator, of real and made pictures and itself; hinge alone without it.
    """
    torch.manual_seed(SEED)
    discriminator = Discriminator()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-4)
    judge = torch.optim.Adam(discriminator.parameters(), DISCRIMINATOR_RATE, betas=(0.0, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1, pct_start=0.1)
    averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY)
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    parts = {
        "network": network, "average": average, "discriminator": discriminator, "optimiser": optimiser,
        "judge": judge, "schedule": schedule,
    }  # fmt: skip
    first = resume(checkpoint, parts)
    losses, began = [], time.perf_counter()
    for step in range(first, steps):
        rng = np.random.default_rng((SEED, step))
        batch = gathered([skins.draw(rng) for _ in range(BATCH)])
        network.side = growth.side(step / steps)
        against = discriminator if step >= growth.judged * steps else None
        loss = _generator_step(network, optimiser, batch, against, identity if step % IDENTITY_EVERY == 0 else None)
        if against is not None:
            _discriminator_step(discriminator, judge, batch, loss["made"], adversarial, step)
        schedule.step()
        average.update_parameters(network)
        losses.append(loss["pixels"])
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            keep(checkpoint, parts, step + 1)
            seconds = (time.perf_counter() - began) / len(losses)
            told = {name: round(value, 4) for name, value in loss.items() if isinstance(value, float)}
            progress(f"step {step + 1}/{steps}: {np.mean(losses[-SAVE_EVERY:]):.4f}, {told}, {seconds:.2f} s a step")
        if (step + 1) % TEST_EVERY == 0 or step + 1 == steps:
            progress(f"held out: {held_out_errors(average.module, skins)}")
    return average.module


def gathered(samples: list[Sample]) -> dict[str, Tensor]:
    """Tensors of a batch: channels, target, weight, known, tone; known as large as the target."""
    known = torch.from_numpy(np.stack([one.known for one in samples]))[:, None]
    return {
        "channels": torch.from_numpy(np.stack([one.channels for one in samples])),
        "target": torch.from_numpy(np.stack([one.target for one in samples])),
        "weight": torch.from_numpy(np.stack([one.weight for one in samples]))[:, None],
        "known": F.interpolate(known, size=(LARGE, LARGE), mode="bilinear", align_corners=False),
        "tone": torch.from_numpy(np.stack([one.tone for one in samples])).float(),
    }


def held_out_errors(network: nn.Module, skins: Skins) -> dict[str, str]:
    """Mean absolute log error of hidden texels of held-out skins, by what is hidden: network, mean pattern, and the
    fine contrast beside the truth's."""
    network.eval()
    out = {}
    for kind in KINDS:
        errors = []
        for number, name in enumerate(skins.held_out):
            rng = np.random.default_rng((SEED, number))
            log, weight, tone = skins.skin(name)
            small = F.interpolate(torch.from_numpy(weight)[None, None], (SIDE, SIDE), mode="area")[0, 0].numpy()
            batch = gathered([sample_of(log, weight, tone, small * (1 - hiding(kind, rng)), rng)])
            with torch.inference_mode():
                found = network(batch["channels"])
            where = batch["weight"] * (1 - batch["known"])
            if where.sum() < 500:
                continue
            pattern = F.interpolate(network.pattern[None], (LARGE, LARGE), mode="bilinear", align_corners=False)
            mean = [float(((one - batch["target"]).abs() * where).sum() / where.sum() / 3) for one in (found, pattern)]
            sharp = [float((_fine(one) * where).sum() / where.sum()) for one in (found, batch["target"])]
            errors.append((*mean, sharp[0] / max(sharp[1], 1e-6)))
        if errors:
            out[kind] = " / ".join(f"{value:.3f}" for value in np.mean(errors, axis=0))
    network.train()
    return out


def as_large_as(other: Tensor, picture: Tensor) -> Tensor:
    """(B, C, 512, 512) shrunk to another picture's size."""
    return F.avg_pool2d(picture, picture.shape[-1] // other.shape[-1])


def _fine(picture: Tensor) -> Tensor:
    return (picture - F.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)).abs().mean(dim=1, keepdim=True)


def _generator_step(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    discriminator: Discriminator | None,
    identity: IdentityLoss | None,
) -> dict[str, float | Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        found = network(batch["channels"])
    found = found.float()
    target, weight, known = (as_large_as(found, batch[name]) for name in ("target", "weight", "known"))
    pixels = pixel_loss(found, target, weight * (1 - (1 - SEEN_WEIGHT) * known))
    made = known * target + (1 - known) * found
    total, told = pixels, {"pixels": float(pixels.detach())}
    if discriminator is not None:
        with torch.autocast("cpu", torch.bfloat16):
            against = -discriminator(shown(made, weight, known)).float().mean()
        total, told["against"] = total + ADVERSARIAL * against, float(against.detach())
    if identity is not None:
        whole = weight * target + (1 - weight) * found.detach()
        apart = identity(weight * made + (1 - weight) * found.detach(), whole, batch["tone"])
        total, told["identity"] = total + IDENTITY * apart, float(apart.detach())
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return told | {"made": made.detach()}


def _discriminator_step(
    discriminator: Discriminator,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    made: Tensor,
    penalty: Callable[[Tensor, Tensor, nn.Module], Tensor] | None,
    step: int,
) -> None:
    """Hinge loss; a penalty takes its place where it is given (Wasserstein)."""
    generator = torch.Generator().manual_seed(SEED + step)
    target, weight, known = (as_large_as(made, batch[name]) for name in ("target", "weight", "known"))
    real, false = (shown(one, weight, known) for one in (target, made))
    real, false = augmented((real, false), generator)
    with torch.autocast("cpu", torch.bfloat16, enabled=penalty is None):
        told_real, told_false = discriminator(real).float(), discriminator(false).float()
    if penalty is None:
        loss = F.relu(1 - told_real).mean() + F.relu(1 + told_false).mean()
    else:
        loss = told_false.mean() - told_real.mean() + penalty(real, false, discriminator)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
