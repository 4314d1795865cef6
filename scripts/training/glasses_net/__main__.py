# SPDX-License-Identifier: GPL-3.0-or-later
"""Teach the network that finds glasses, say how it does on people it has not seen, and ship it. One thread.

FACEDETAIL_DATA=… python -m scripts.training.glasses_net [--steps 1400]
FACEDETAIL_DATA=… python -m scripts.training.glasses_net --only test      the shipped weights
"""

import argparse
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.io.networks import one_thread
from facedetail_addon.core.observe.masks.glasses import as_input
from facedetail_addon.core.observe.masks.glasses_net import GlassesNet
from facedetail_addon.core.observe.masks.networks import GLASSES_WEIGHTS, MaskNetworks
from scripts.harness import CACHE, data_folder, description, errors_told
from scripts.training.checkpoints import keep, resume
from scripts.training.glasses_net.samples import UNKNOWN, Band, draw_sample, middle, read_bands
from scripts.training.weights import save_network

SEED = 8811
_BATCH, _RATE, _DECAY, _WARM = 16, 0.003, 0.01, 0.1
_AVERAGE, _WORN, _COVERED = 0.99, 0.3, 2.0  # of the weights; of the loss of any glasses; of covered pixels
_EVERY = 200


@errors_told()
def main() -> None:
    parser = description(__doc__)
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--only", choices=("test",), help="one stage alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bands = read_bands(data_folder("the portraits"))
    if options.only is None:
        network = train([band for band in bands if not band.tested], options)
        save_network(network, WEIGHTS_DIR / GLASSES_WEIGHTS)
    test([band for band in bands if band.tested], MaskNetworks.load().glasses)


def train(bands: list[Band], options: argparse.Namespace) -> GlassesNet:
    """The running average of a network's weights."""
    torch.manual_seed(SEED)
    bare, worn = ([band for band in bands if band.worn == wears] for wears in (False, True))
    print(f"{len(bare)} people without glasses, {len(worn)} with", flush=True)
    network, average = GlassesNet(), GlassesNet()
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, options.steps, pct_start=_WARM)
    parts = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    checkpoint = CACHE / "glasses_net" / "checkpoint.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    start, losses = resume(checkpoint, parts), []
    began = time.perf_counter()
    for step in range(start, options.steps):
        losses.append(_step(network, optimizer, _batch(bare, worn, np.random.default_rng((SEED, step)))))
        schedule.step()
        _follow(average, network, min(_AVERAGE, step / (step + 10)))
        if (step + 1) % _EVERY == 0:
            seconds = time.perf_counter() - began
            print(step + 1, np.round(np.mean(losses[-_EVERY:], axis=0), 4), f"{seconds:.0f} s", flush=True)
            keep(checkpoint, parts, step + 1)
    return average


def _batch(bare: list[Band], worn: list[Band], rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    pictures, covers, any_worn = zip(*(draw_sample(bare, worn, rng) for _ in range(_BATCH)), strict=True)
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div(255)
    batch = batch.contiguous(memory_format=torch.channels_last)
    return batch, torch.from_numpy(np.stack(covers))[:, None], torch.tensor(any_worn)


def _step(network: GlassesNet, optimizer: torch.optim.Optimizer, batch: tuple[torch.Tensor, ...]) -> list[float]:
    pictures, cover, worn = batch
    network.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported()):
        frames, any_worn = network(pictures)
    known = cover != UNKNOWN
    weight = known * (1 + (_COVERED - 1) * cover.clip(0))
    pixel = functional.binary_cross_entropy_with_logits(frames.float(), cover.clip(0), weight) * 10
    whole = functional.binary_cross_entropy_with_logits(any_worn.float(), worn)
    optimizer.zero_grad(set_to_none=True)
    (pixel + _WORN * whole).backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return [pixel.item(), whole.item()]


def _follow(average: GlassesNet, network: GlassesNet, share: float) -> None:
    with torch.no_grad():
        for mine, other in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(other, 1 - share)
            else:
                mine.copy_(other)


def test(bands: list[Band], network: GlassesNet) -> None:
    """Print who is taken for wearing glasses, and by whom they are missed."""
    with one_thread():
        told = {band.name: float(torch.sigmoid(network(as_input(middle(band)))[1])[0]) for band in bands}
    for worn in (True, False):
        some = [band.name for band in bands if band.worn == worn]
        for group in sorted({name.rsplit("/", 1)[0] for name in some}):
            these = {name: told[name] for name in some if name.startswith(group)}
            wrong = [f"{name} ({value:.2f})" for name, value in these.items() if (value > 0.5) != worn]
            kind = "with" if worn else "without"
            print(f"{group}, {kind} glasses: {len(these) - len(wrong)} of {len(these)} right; {', '.join(wrong)}")


if __name__ == "__main__":
    main()
