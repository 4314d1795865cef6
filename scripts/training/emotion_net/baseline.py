# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a linear classifier of gradients comes on the same crops."""

import json

import cv2
import numpy as np
import torch
from torch import nn

from facedetail_addon.core.observe.expression.emotion_net import (
    INPUT,
)
from facedetail_addon.core.observe.expression.types import EMOTIONS
from scripts.training.emotion_net.pictures import Split

# Penalties on squared weights that the linear baseline tries.
BASELINE_PENALTIES = (1e-3, 1e-2, 1e-1)


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
