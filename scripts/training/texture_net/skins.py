# SPDX-License-Identifier: GPL-3.0-or-later
"""Skins to learn from, and which parts of them are hidden from a generator."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear
from facedetail_addon.core.skin.texture_net import LARGE, SIDE, net_channels
from scripts.benchmark.appearance.half_face import list_faces
from scripts.harness import data_folder

SHARES = {"london": 0.25, "canada": 0.1, "official": 0.12, "synthetic": 0.28, "valid": 0.17, "makehuman": 0.08}
"""Of what is drawn from the data sets."""
WHOLE_HEADS = ("valid", "makehuman")
"""Textures: they show ears, neck and scalp, too."""
HELD_OUT_EVERY = 10  # of the textures
_LEAST = 0.004  # albedo; logarithms stay finite
_GAIN, _TINT, _CONTRAST = 0.12, 0.04, 0.1  # σ of how skins are varied
_PORTRAIT = 0.7  # of whole heads that are shown as a portrait shows them
_KINDS = ("portrait", "half", "eyes", "upper", "lower", "spots")
_KIND_SHARES = (0.3, 0.25, 0.12, 0.1, 0.1, 0.13)


@dataclass(frozen=True)
class Sample:
    """One skin with a part hidden.

    Attributes:
        channels: (CHANNELS, 256, 256) float32 that a generator sees. known: (256, 256) float32, what is shown to it.
        target: (3, 512, 512) float32 log albedo beside the tone. weight: (512, 512) float32, where that is true.
        tone: (3,) float32 logarithm.
    """

    channels: np.ndarray
    known: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    tone: np.ndarray


class Skins:
    """All skins of the cache in memory, those that measurements need apart.

    Attributes:
        shown, held_out: names.
    """

    def __init__(self, folder: Path, excluded: frozenset[str]):
        names = sorted(path.stem for path in folder.glob("*.npz") if path.stem not in excluded)
        apart = set(measured_names())
        for source in WHOLE_HEADS:
            apart |= set([name for name in names if name.startswith(source)][::HELD_OUT_EVERY])
        self.shown = [name for name in names if name not in apart]
        self.held_out = [name for name in names if name in apart]
        self._pictures = {name: cv2.imread(str(folder / f"{name}_{LARGE}.png"))[..., ::-1] for name in names}
        self._weights = {name: cv2.imread(str(folder / f"{name}_{LARGE}_weight.png"), 0) for name in names}
        self._tones = {}
        for name in names:
            with np.load(folder / f"{name}.npz") as stored:
                self._tones[name] = stored["tone"]
        self.by_source = {source: [name for name in self.shown if name.startswith(source)] for source in SHARES}
        self._portraits = [name for name in self.shown if not name.startswith(WHOLE_HEADS)]

    def draw(self, rng: np.random.Generator) -> Sample:
        """A varied skin, hidden at random."""
        shares = np.array([SHARES[source] * bool(own) for source, own in self.by_source.items()])
        source = list(self.by_source)[rng.choice(len(shares), p=shares / shares.sum())]
        name = self.by_source[source][rng.integers(len(self.by_source[source]))]
        log, weight, tone = self.skin(name)
        log = log * np.float32(np.exp(_CONTRAST * rng.normal()))
        tone = tone + np.float32(_GAIN * rng.normal() + _TINT * rng.normal(size=3))
        known = self._hidden(name, weight, rng)
        if rng.random() < 0.5:
            log, weight, known = (np.ascontiguousarray(part[:, ::-1]) for part in (log, weight, known))
        return sample_of(log, weight, tone, known, rng)

    def skin(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(512, 512, 3) log albedo beside the tone, (512, 512) weight, and (3,) tone, float32."""
        tone = self._tones[name].astype(np.float32)
        log = np.log(np.maximum(to_linear(self._pictures[name]), _LEAST)).astype(np.float32) - tone
        return log, self._weights[name].astype(np.float32) / 255, tone

    def _hidden(self, name: str, weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(256, 256) what is known of it."""
        known = cv2.resize(weight, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        whole = name.startswith(WHOLE_HEADS)
        kind = _KINDS[rng.choice(len(_KINDS), p=_KIND_SHARES)]
        if kind == "portrait" or (whole and rng.random() < _PORTRAIT):
            other = self._weights[self._portraits[rng.integers(len(self._portraits))]]
            other = cv2.resize(other, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            known = known * (other[:, ::-1] if rng.random() < 0.5 else other)
        if kind != "portrait":
            known = known * (1 - hiding(kind, rng))
        return known


def sample_of(
    log: np.ndarray, weight: np.ndarray, tone: np.ndarray, known: np.ndarray, rng: np.random.Generator
) -> Sample:
    """Of (512, 512, 3) log albedo beside the tone, where (512, 512) weight; shown where (256, 256) known."""
    share = cv2.resize(weight, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = cv2.resize(log * weight[..., None], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small /= np.maximum(share, 1e-3)[..., None]
    noise = rng.standard_normal((SIDE, SIDE), np.float32)
    channels = net_channels(small, known.astype(np.float32), tone, noise)
    return Sample(channels, known.astype(np.float32), log.transpose(2, 0, 1), weight, tone)


def hiding(kind: str, rng: np.random.Generator) -> np.ndarray:
    """(256, 256) float32 in [0, 1]: 1 where skin is hidden, by a part of the face."""
    across, down = np.meshgrid(*(np.linspace(-1, 1, SIDE, dtype=np.float32),) * 2)
    soft = rng.uniform(0.005, 0.06)
    if kind == "half":
        side = 1 if rng.random() < 0.5 else -1
        edge = side * across - rng.uniform(-0.12, 0.1) + rng.uniform(-0.3, 0.3) * (down + 0.1)
    elif kind == "eyes":
        middle, half = rng.uniform(-0.27, -0.17), rng.uniform(0.08, 0.16)
        edge = half - np.abs(down - middle)
    elif kind == "upper":
        edge = rng.uniform(-0.5, -0.2) - down
    elif kind == "lower":
        edge = down - rng.uniform(-0.12, 0.2)
    else:
        edge = np.full((SIDE, SIDE), -1, np.float32)
        for _ in range(rng.integers(1, 5)):
            place, size = rng.uniform((-0.45, -0.55), (0.45, 0.5)), rng.uniform(0.04, 0.22, 2)
            edge = np.maximum(edge, 0.2 * (1 - np.hypot((across - place[0]) / size[0], (down - place[1]) / size[1])))
    return (edge / soft + 0.5).clip(0, 1).astype(np.float32)


def measured_names() -> list[str]:
    """Names of the people whom the test of hidden halves is measured on."""
    faces = list_faces(data_folder("london/, official_portraits/ and synthetic_portraits/"))
    named = {"neutral": "london", "official_portraits": "official", "synthetic_portraits": "synthetic"}
    return [f"{named[path.parent.name]}_{path.stem}" for path in faces]
