# SPDX-License-Identifier: GPL-3.0-or-later
"""The run: networks, optimisers, and where it is."""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facedetail_addon.core.detail.dfdn import DFDN, PHOTO_CHANNELS
from scripts.harness import progress, whole_file
from scripts.training.detail_net.basis import begin_with_projection, pca_basis
from scripts.training.detail_net.batches import Batch, Patches, make_batch
from scripts.training.detail_net.losses import HINT_SHARE, hint_loss, reconstruction_loss, supervised_loss
from scripts.training.detail_net.patch_gan import PatchGAN
from scripts.training.detail_net.patches import SEED
from scripts.training.detail_net.validation import validate
from scripts.training.weights import save_network

BATCH = 16
PEAK_RATE, WEIGHT_DECAY, WARM_UP = 1.2e-3, 1e-2, 100
_CONNECTED_RATE = 0.25  # of the rate for PDIM's fully connected layers
_RECON_SHARE, _GAN_SHARE = 0.05, 0.005  # η and 1 of equation 10 over its λ = 100
_REPORT, _REFRESH = 100, 300


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
        loss = supervised_loss(medium, total, batch) + HINT_SHARE * hint_loss(features.float(), batch)
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
        progress(text)
        with (self._folder / "log.jsonl").open("a") as log:
            log.write(text + "\n")
        state = {
            "network": self.network.state_dict(), "judge": self.judge.state_dict(), "step": self._step,
            "optimiser": self._optimiser.state_dict(), "judges": self._judges.state_dict(),
        }  # fmt: skip
        with whole_file(self._checkpoint) as unfinished:
            torch.save(state, unfinished)


def save_weights(network: DFDN, path: Path) -> None:
    """Write weights with the network's variant and size, and into the index."""
    save_network(network, path, {"variant": network.variant, "size": network.size})


def _calm(network: DFDN) -> None:
    """Begin with hardly any relief: it takes long to get rid of a millimetre of noise."""
    with torch.no_grad():
        network.pdrm.unet.up[0][0].weight.mul_(0.03)


def _rate(step: int, total: int) -> float:
    warm = min(1.0, (step + 1) / WARM_UP)
    return float(PEAK_RATE * warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * step / total))))
