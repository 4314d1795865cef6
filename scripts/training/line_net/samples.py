# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network learns from: channels of photos as they are and varied, and how likely each dark line is form.

Of drawn heads the truth is known: a line is where the relief itself has a valley that the ridge filter takes for one.
Of people it is guessed. On lined ones every dark ridge is a wrinkle, fainter ones too where the skin has little
contrast; on young ones none is, but in places where young faces fold. A lined face with less contrast is as lined as
before: so faint lines are learned. Frames and strands painted over either are none.
"""

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np

from facedetail_addon.core.detail.line_net import CHANNELS, net_channels
from facedetail_addon.core.detail.line_view import STEP, STEP_MM, LineView, view_of
from facedetail_addon.core.detail.lines import find_lines
from facedetail_addon.core.image import smoothstep
from scripts.benchmark.detail.regions import CROWS_FEET, EYE_BAGS, SMILE_FOLDS
from scripts.harness import progress, whole_file
from scripts.training.line_net.painting import carve_into, paint_over

SEED = 7452
DRAWN, OLD, YOUTH = "drawn", "lined", "young"
VARIANTS = {DRAWN: 2, OLD: 3, YOUTH: 3}
"""Of each photo: as it is, varied, and of people also with wrinkles whose depth is known beside frames and strands."""
_PER_MM = 0.5  # of log luminance, that a drawn valley's depth counts as
_CONTRAST, _FAINTEST = 0.2, 2.5  # RMS of log luminance at which lines are as strong as the filter wants; most gain
_YOUNG_FOLDS = 0.4  # likelihood and weight of young people's ridges where young faces fold
_PAINTED, _PAINTED_SHARE = 1.5, 0.6  # weight of what is painted, and share of varied portraits that have it
_ASIDE, _ASIDE_MM = 0.3, 6.0  # weight of lined people's ridges away from where faces are lined; what is near
_UNSURE = 0.3  # weight of what the ridge filter does not take for a line on lined people: it misses some
_LEAST_FOCUS, _FOCUS = 0.1, (0.001, 0.004)  # weight where the ridge filter finds nothing, and the responses between
_GAIN = {DRAWN: (0.5, 1.4), OLD: (0.35, 1.0), YOUTH: (0.7, 1.6)}
_NOISE, _NOISE_MM, _BLUR_MM = 0.012, (0.2, 0.6), (0.0, 0.5)


@dataclass(frozen=True)
class Sample:
    """Channels (C, h, w), likelihood of form (h, w) and its weight (h, w), float32."""

    channels: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    def stacked(self) -> np.ndarray:
        """(C + 2, h, w) half precision."""
        return np.concatenate([self.channels, self.target[None], self.weight[None]]).astype(np.float16)


@dataclass(frozen=True)
class Places:
    """Of the face in BOX: (68, 2) texels of landmarks, and (H, W) bool by name where faces are lined."""

    marks: np.ndarray
    regions: dict[str, np.ndarray]

    def within(self, *names: str) -> np.ndarray:
        """(H, W) bool."""
        return np.any([self.regions[name] for name in names], axis=0)


def prepare(source: str, photos: list[Path], folder: Path, places: Places) -> None:
    """Write what is missing of the samples of some files of channels; ``source``: DRAWN, OLD or YOUTH."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in photos:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name].astype(np.float32) for name in data.files}
        stacks = arrays["channels"] if source == DRAWN else arrays["channels"][None]
        for number, channels in enumerate(stacks):
            truth = (arrays["relief"][number], arrays["valid"][number]) if source == DRAWN else None
            for variant in range(VARIANTS[source]):
                out = folder / f"{source}_{path.stem}_{number}_{variant}.npy"
                if not out.exists():
                    made = _sample(source, channels, truth, variant, out.stem, places)
                    with whole_file(out) as unfinished, open(unfinished, "wb") as stream:
                        np.save(stream, made.stacked())
        progress(f"{source}: {path.stem}")


def sample_shape(path: Path) -> tuple[int, ...]:
    """(C + 2, h, w), checked."""
    shape = np.load(path, mmap_mode="r").shape
    if shape[0] != CHANNELS + 2:
        raise ValueError(f"{path} has other channels than the network.")
    return shape


def _sample(source: str, channels: np.ndarray, truth: tuple | None, variant: int, name: str, places: Places) -> Sample:
    shape = tuple(STEP * side for side in channels.shape[:2])
    plain = view_of(channels, shape)
    rng = np.random.default_rng((SEED, crc32(name.encode())))
    view, painted, carved = plain, None, None
    if variant:
        channels = _varied(channels, _GAIN[source], rng)
        if variant == 2:
            channels, dark = carve_into(channels, places.marks / STEP, rng)
            carved = find_lines(dark, np.zeros_like(dark), plain.mask, STEP_MM).likelihood
        if variant == 2 or (truth is None and rng.random() < _PAINTED_SHARE):
            channels, painted = paint_over(channels, places.marks / STEP, rng)
        view = view_of(channels, shape)
    focus = _LEAST_FOCUS + (1 - _LEAST_FOCUS) * smoothstep(plain.lines.response, *_FOCUS)
    weight = focus * (plain.mask > 0.05)
    if truth is not None:
        relief, valid = truth
        target = find_lines(_PER_MM * relief, np.zeros_like(relief), valid, STEP_MM).likelihood
        weight = weight * valid
    elif source == OLD:
        lined = places.within(*places.regions)
        target = _faint(plain, _grown(lined, 0))
        near = _grown(lined, _ASIDE_MM)
        weight = weight * (_ASIDE + (1 - _ASIDE) * near) * (_UNSURE + (1 - _UNSURE) * target)
    else:
        folds = _grown(places.within(CROWS_FEET, EYE_BAGS, SMILE_FOLDS), 1.0)
        target = _YOUNG_FOLDS * plain.lines.likelihood * folds
        weight = weight * (1 - (1 - _YOUNG_FOLDS) * folds)
    if carved is not None:
        target = np.maximum(target, carved)
        weight = np.maximum(weight, _PAINTED * carved * (plain.mask > 0.05))
    if painted is not None:
        target = target * (1 - painted)
        weight = np.maximum(weight, _PAINTED * painted * (plain.mask > 0.05))
    return Sample(net_channels(view), target.astype(np.float32), weight.astype(np.float32))


def _faint(view: LineView, where: np.ndarray) -> np.ndarray:
    """(h, w) what the ridge filter would find if the skin where (h, w) had the usual contrast."""
    skin = (where > 0.5) & (view.mask > 0.5)
    contrast = float(np.sqrt((view.luminance[skin] ** 2).mean())) if skin.any() else _CONTRAST
    gain = np.float32(np.clip(_CONTRAST / max(contrast, 1e-3), 1, _FAINTEST))
    return find_lines(gain * view.luminance, gain * view.hue, view.mask, STEP_MM).likelihood


def _grown(region: np.ndarray, around_mm: float) -> np.ndarray:
    """(h, w) float32 of (H, W) bool and what is near."""
    small = cv2.resize(region.astype(np.float32), None, fx=1 / STEP, fy=1 / STEP, interpolation=cv2.INTER_AREA)
    reach = 2 * round(around_mm / STEP_MM) + 1
    return cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))


def _varied(channels: np.ndarray, gains: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Other contrast, noise and sharpness of brightness and hue; now and then no hue."""
    out = channels.copy()
    gain, sharp = np.exp(rng.uniform(*np.log(gains))), rng.uniform(*_BLUR_MM) / STEP_MM
    noise_texels = rng.uniform(*_NOISE_MM) / STEP_MM
    for k, share in ((0, 1.0), (1, 0.5)):
        part = out[..., k] * np.float32(gain)
        if sharp > 0.3:
            part = cv2.GaussianBlur(part, (0, 0), sharp)
        noise = cv2.GaussianBlur(rng.standard_normal(part.shape).astype(np.float32), (0, 0), noise_texels)
        out[..., k] = part + noise * np.float32(share * rng.uniform(0, _NOISE) / noise.std())
    if rng.random() < 0.25:
        out[..., 1] = 0
    return out
