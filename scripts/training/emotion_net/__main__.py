# SPDX-License-Identifier: GPL-3.0-or-later
"""Train Emotion-Net on FER2013; writes emotion_net.safetensors and prints its confusion matrix.

    FACEDETAIL_DATA=… python scripts/training/train_emotion_net.py [--epochs 36] [--jobs 2] [--cache FOLDER]
    FACEDETAIL_DATA=… python scripts/training/train_emotion_net.py --baseline

First every picture is cut anew by the face mesh's landmarks, as photos and renders are in use (pictures in which the
mesh sees no face stay as they are). Then the network is trained on the set's own training split, the epoch with the
best validation accuracy is kept, and the test split is looked at once. A run that was stopped goes on where it was;
another folder for the cache starts a new one. The weights that are validated are a slow running average, which says
little for the first six epochs or so. ``--baseline`` measures instead how far a linear classifier of gradients comes.
"""

import argparse
import json
import os
import sys
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights
from facedetail_addon.core.observe.expression.emotion_net import (
    INPUT,
    WEIGHTS,
    EmotionNet,
    load_emotion_net,
    read_emotions,
    standardise,
)
from facedetail_addon.core.observe.expression.face_crop import crop_face
from facedetail_addon.core.observe.expression.types import EMOTIONS
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker

DEFAULT_CACHE = Path.home() / ".cache" / "facedetail" / "emotion_net"
SEED = 7
BATCH = 128
PEAK_RATE = 2e-3
WEIGHT_DECAY = 2e-2
SMOOTHING = 0.1
MIXUP = 0.2
AVERAGE_DECAY = 0.998
# Penalties on squared weights that the linear baseline tries.
BASELINE_PENALTIES = (1e-3, 1e-2, 1e-1)
# FER2013's pictures are enlarged so much before the mesh looks at them; fainter faces than this flag stay uncut.
ENLARGED = 4
MIN_FLAG = 0.5


@dataclass(frozen=True)
class Split:
    """crops (N, 48, 48) uint8, emotion (N,) int64 index into EMOTIONS, aligned (N,) bool."""

    crops: np.ndarray
    emotion: np.ndarray
    aligned: np.ndarray


def main() -> None:
    options = _arguments()
    data = os.environ.get("FACEDETAIL_DATA")
    if not data:
        sys.exit("error: FACEDETAIL_DATA is not set\ntry: set it to the folder that holds emotion/fer2013.zip")
    options.cache.mkdir(parents=True, exist_ok=True)
    splits = {
        name: load_split(Path(data) / "emotion" / "fer2013.zip", name, options.cache, options.jobs)
        for name in ("train", "validation", "test")
    }
    torch.set_num_threads(options.threads)
    if options.baseline:
        report_baseline(splits)
        return
    network = train(splits["train"], splits["validation"], options)
    path = options.output / WEIGHTS
    state = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    save_file({name: value.half().contiguous() for name, value in state.items()}, path)
    path.chmod(0o644)
    register_weights(path)
    report(load_emotion_net(options.output), splits)


def load_split(archive: Path, name: str, cache: Path, jobs: int) -> Split:
    """One split of FER2013, cut by landmarks; kept in the cache."""
    path = cache / f"fer2013_{name}.npz"
    if not path.exists():
        members = [entry.filename for entry in list_pictures(archive, name)]
        chunks = [(str(archive), members[start : start + 500]) for start in range(0, len(members), 500)]
        began, crops, aligned = time.perf_counter(), [], []
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            for done, (part, cut) in enumerate(pool.map(cut_chunk, chunks), 1):
                crops.append(part)
                aligned.append(cut)
                print(f"{name}: {done}/{len(chunks)} chunks cut, {time.perf_counter() - began:.0f} s", flush=True)
        emotion = np.array([EMOTIONS.index(member.split("/")[1]) for member in members])
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, crops=np.concatenate(crops), emotion=emotion, aligned=np.concatenate(aligned))
        partial.replace(path)
    with np.load(path, allow_pickle=False) as arrays:
        return Split(arrays["crops"], arrays["emotion"], arrays["aligned"])


def list_pictures(archive: Path, name: str) -> list[zipfile.ZipInfo]:
    """The archive's entries of one split's pictures, in the order of :class:`Split`."""
    with zipfile.ZipFile(archive) as files:
        entries = [entry for entry in files.infolist() if entry.filename.startswith(f"{name}/")]
    return sorted((e for e in entries if e.filename.endswith(".jpg")), key=lambda entry: entry.filename)


def cut_chunk(job: tuple[str, list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Crops (N, 48, 48) uint8 of members of the archive, and which of them were cut by landmarks."""
    archive, members = job
    landmarker, crops, aligned = MeshLandmarker.load(), [], []
    with zipfile.ZipFile(archive) as files:
        for member in members:
            picture = cv2.imdecode(np.frombuffer(files.read(member), np.uint8), cv2.IMREAD_GRAYSCALE)
            large = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
            mesh_px, flag = landmarker.find_in_square(cv2.cvtColor(large, cv2.COLOR_GRAY2RGB))
            aligned.append(flag >= MIN_FLAG)
            crops.append(crop_face(large, mesh_px, INPUT) if aligned[-1] else picture)
    return np.stack(crops), np.array(aligned)


def train(training: Split, validation: Split, options: argparse.Namespace) -> EmotionNet:
    """Adam with one rise and fall of the rate; returns the weights' running average of the best epoch."""
    torch.manual_seed(SEED)
    network = EmotionNet().to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    steps = len(training.crops) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps * options.epochs)
    counts = np.bincount(training.emotion, minlength=len(EMOTIONS))
    weights = torch.from_numpy((counts.mean() / counts) ** 0.5).float()
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    checkpoint, start, best = options.cache / f"emotion_net_{options.epochs}.pt", 0, 0.0
    best_path = checkpoint.with_suffix(".best.pt")
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        start, best = saved["epoch"], saved["best"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    crops, emotion = torch.from_numpy(training.crops), torch.from_numpy(training.emotion)
    for epoch in range(start, options.epochs):
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
        accuracy = _accuracy(average.module, validation)
        if accuracy > best:
            best = accuracy
            _save(average.module.state_dict(), best_path)
        states = {name: part.state_dict() for name, part in parts.items()}
        _save({**states, "epoch": epoch + 1, "best": best}, checkpoint)
        print(
            f"epoch {epoch + 1}/{options.epochs}: loss {np.mean(losses):.3f}, validation {accuracy:.4f} "
            f"(best {best:.4f}), {time.perf_counter() - began:.0f} s",
            flush=True,
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
    """Whole or not at all, so that a run may be stopped at any time."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


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


def _accuracy(network: EmotionNet, split: Split) -> float:
    return float((predicted(network, split) == split.emotion).mean())


def predicted(network: EmotionNet, split: Split) -> np.ndarray:
    """(N,) likeliest emotions, by the mean of picture and mirror image as in use."""
    network.eval()
    pieces = [read_emotions(network, split.crops[start : start + 512])[0] for start in range(0, len(split.crops), 512)]
    return np.concatenate(pieces).argmax(1)


def report(network: EmotionNet, splits: dict[str, Split]) -> None:
    """Accuracy and confusion matrix, as a Markdown table and one JSON object."""
    figures: dict[str, object] = {
        f"{name}_accuracy": round(_accuracy(network, splits[name]), 4) for name in ("validation", "test")
    }
    figures["aligned_share"] = round(float(np.mean(np.concatenate([s.aligned for s in splits.values()]))), 4)
    counts = np.bincount(splits["train"].emotion, minlength=len(EMOTIONS))
    always = float((splits["test"].emotion == counts.argmax()).mean())
    figures["always_the_commonest"] = round(always, 4)
    figures["confusion"] = confusion_table(splits["test"].emotion, predicted(network, splits["test"])).tolist()
    print(json.dumps(figures))


def confusion_table(labelled: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Print a Markdown table of (N,) emotions; returns (7, 7) counts, a row for each label."""
    confusion = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    np.add.at(confusion, (labelled, named), 1)
    print("| labelled, taken for | " + " | ".join(EMOTIONS) + " | right |")
    print("|---" * (len(EMOTIONS) + 2) + "|")
    for row, name in enumerate(EMOTIONS):
        share = confusion[row, row] / max(confusion[row].sum(), 1)
        print(f"| {name} | " + " | ".join(map(str, confusion[row])) + f" | {share:.0%} |")
    return confusion


def report_baseline(splits: dict[str, Split]) -> None:
    """Accuracy of multinomial logistic regression on gradient histograms of the same crops, as one JSON object."""
    rows = {name: gradients(split.crops) for name, split in splits.items()}
    mean, deviation = rows["train"].mean(0), rows["train"].std(0) + 1e-4
    rows = {name: (values - mean) / deviation for name, values in rows.items()}
    labels = {name: torch.from_numpy(split.emotion) for name, split in splits.items()}
    found = []
    for penalty in BASELINE_PENALTIES:
        weights = logistic_regression(rows["train"], labels["train"], penalty)
        right = {
            name: float(((rows[name] @ weights[:-1] + weights[-1]).argmax(1) == labels[name]).float().mean())
            for name in ("validation", "test")
        }
        found.append((right["validation"], right["test"], penalty))
    validation, test, penalty = max(found)
    figures = {"validation_accuracy": round(validation, 4), "test_accuracy": round(test, 4), "penalty": penalty}
    print(json.dumps(figures))


def gradients(crops: np.ndarray) -> torch.Tensor:
    """(N, 900) float32 histograms of oriented gradients (Dalal and Triggs 2005): cells of 8 px, blocks of 2×2 cells."""
    histogram = cv2.HOGDescriptor((INPUT, INPUT), (16, 16), (8, 8), (8, 8), 9)
    return torch.from_numpy(np.stack([histogram.compute(crop).ravel() for crop in crops]))


def logistic_regression(rows: torch.Tensor, labels: torch.Tensor, penalty: float) -> torch.Tensor:
    """(F + 1, 7) weights, the last row added, for (N, F) standardised rows."""
    weights = torch.zeros(rows.shape[1] + 1, len(EMOTIONS), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=60, history_size=8, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(rows @ weights[:-1] + weights[-1], labels)
        loss = loss + penalty * (weights[:-1] ** 2).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return weights.detach()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--jobs", type=int, default=2, help="processes that cut the pictures")
    parser.add_argument("--threads", type=int, default=2, help="threads that train")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--baseline", action="store_true", help="measure a linear baseline and train nothing")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights and their index entry")
    return parser.parse_args()


if __name__ == "__main__":
    main()
