# SPDX-License-Identifier: GPL-3.0-or-later
"""Principal components of skins: what generators have to be better than, and what the latent one begins as."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facedetail_addon.core.skin.texture_latent import CODE, EVEN, FIT_SIDE, MODE_STEP, ODD, TextureLatent
from facedetail_addon.core.skin.texture_net import LARGE
from scripts.training.albedo_basis.learning import TONES, Learned, as_map, learn, precision_of, rows_of
from scripts.training.albedo_basis.people import Person
from scripts.training.texture_net.skins import Skins

_LEAST_WEIGHT = 0.5  # of all skins together, from which on a texel is learned


class LinearSkin(nn.Module):
    """Probabilistic PCA of skins beside their tones: (B, CHANNELS, 256, 256) to (B, 3, 512, 512), as generators do it.

    Attributes:
        pattern: (3, 256, 256) float32, the mean.
    """

    def __init__(self, learned: Learned, stored: np.ndarray):
        super().__init__()
        self.learned, self.stored = learned, stored
        self.register_buffer("pattern", torch.from_numpy(as_map(learned.mean, stored).transpose(2, 0, 1).copy()))

    def forward(self, channels: Tensor) -> Tensor:
        return F.interpolate(torch.stack([self._whole(one) for one in channels.numpy()]), size=(LARGE, LARGE))

    def _whole(self, channels: np.ndarray) -> Tensor:
        known = channels[3][self.stored]
        seen = channels[:3, self.stored].T / np.maximum(known, 1e-3)[:, None]
        gamma = self.learned.gamma(seen.ravel(), precision_of(np.repeat(known, 3)))
        colours = as_map(self.learned.colours(gamma).astype(np.float32), self.stored)
        return torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))


def learn_components(skins: Skins, side: int, modes: int) -> tuple[Learned, np.ndarray]:
    """Mean and components of the shown skins and their mirror images beside their tones, at (side, side) texels; and
    where they are, (side, side) bool."""
    people = [_person(name, skins, side) for name in skins.shown]
    total = np.sum([person.weight for person in people], axis=0)
    stored = total + total[:, ::-1] > _LEAST_WEIGHT
    learned = learn(rows_of(people, stored), modes + TONES)
    centre = np.tile(np.mean([person.tone for person in people], axis=0), int(stored.sum()))
    return Learned((learned.mean - centre).astype(np.float32), learned.modes[TONES:]), stored


def begin_as_components(network: TextureLatent, skins: Skins) -> None:
    """Give a latent generator the strongest components as its own: those that both sides share, and the others."""
    learned, stored = learn_components(skins, FIT_SIDE, 2 * CODE)
    maps = np.array([as_map(mode, stored) for mode in learned.modes]).transpose(0, 3, 1, 2)
    mirrored = (maps * maps[..., ::-1]).sum(axis=(1, 2, 3))
    even, odd = (np.flatnonzero(sign * mirrored > 0)[:count] for sign, count in ((1, EVEN), (-1, ODD)))
    left = np.zeros((CODE, *network.modes.shape[1:]), np.float32)
    for first, sign, found in ((0, 1, even), (EVEN, -1, odd)):
        both = (maps[found] + sign * maps[found][..., ::-1]) / 2
        left[first : first + len(found)] = both[..., : FIT_SIDE // 2]
    with torch.no_grad():
        network.modes.copy_(torch.from_numpy(left / MODE_STEP))


def _person(name: str, skins: Skins, side: int) -> Person:
    log, weight, tone = skins.skin(name)
    both = np.concatenate([(log * weight[..., None]).transpose(2, 0, 1), weight[None]])
    both = F.avg_pool2d(torch.from_numpy(both)[None], LARGE // side)[0].numpy()
    beside = both[:3].transpose(1, 2, 0) / np.maximum(both[3], 1e-3)[..., None]
    return Person(name, name.split("_")[0], beside + tone, both[3], tone, "medium")
