# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn in which directions features tell expressions apart, and turn drawn faces into a dictionary.

The metric is a small network that predicts the face's motion (in mm) from the features of drawn faces; its prediction
is the coordinate in which the dictionary looks for neighbours. While it learns, the step from renders to photos is
added to the features: differences between photos and renders of the heads fitted to them, in random strength and
mixture. So it relies on what survives that step, and the precision that is kept in the dictionary includes it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.observe.expression.dictionary import ExpressionDictionary, encode_beta
from facedetail_addon.core.observe.expression.features import EMOTION_PART, GEOMETRY_PART, HOG_PART
from facedetail_addon.core.observe.expression.metric import FeatureMetric
from scripts.training.expression_dictionary.photos import PhotoPairs

SEED = 33
HELD_OUT = 2000
HOG_COMPONENTS, HIDDEN = 400, (512, 256)
EPOCHS, BATCH, PEAK_RATE, WEIGHT_DECAY, FEATURE_NOISE = 12, 512, 2e-3, 0.05, 0.1
# Share of β's own error in the loss, beside that of the motion: keeps weights apart that move the face alike.
BETA_SHARE = 0.02
NEIGHBOURS, BANDWIDTH = 100, 0.3
BALANCE = 0.7
KEPT_VARIANCE = 0.9999
# Of β about the look-up; keeps the precision finite where an expression cannot be told at all or always.
LEAST_DEVIATION = 0.01


@dataclass(frozen=True)
class Rendered:
    """N drawn faces: features (N, SIZE) float16 and expressions beta (N, E) float32."""

    rows: np.ndarray
    beta: np.ndarray


@dataclass(frozen=True)
class Gap:
    """Standardised differences of photos and renders: mean (D,) and deviations from it (P, D), float32."""

    mean: np.ndarray
    rest: np.ndarray

    def draw(self, generator: torch.Generator, count: int) -> torch.Tensor:
        """(count, D) random steps from render to photo: a share of the mean and a mixture of two deviations."""
        first, second = torch.randint(len(self.rest), (2, count), generator=generator)
        turn = 0.5 * torch.pi * torch.rand(count, 1, generator=generator)
        rest = torch.from_numpy(self.rest)
        mixed = rest[first] * turn.cos() + rest[second] * turn.sin()
        shares = torch.rand(2, count, 1, generator=generator)
        return shares[0] * torch.from_numpy(self.mean) + shares[1] * mixed


def learn_dictionary(
    rendered: Rendered, pairs: PhotoPairs, model: FaceModel
) -> tuple[ExpressionDictionary, dict[str, object]]:
    """A dictionary of all but the last faces, and figures measured on those.

    Args:
        rendered: of ``model``. pairs: of ``model``, for the step to photos.
    """
    motion = motion_metric(model, rendered.beta)
    plain = _standardisation(rendered.rows[:-HELD_OUT])
    values = _in_parts(plain.standardised, rendered.rows)
    differences = plain.standardised(pairs.photos) - plain.standardised(pairs.renders)
    # Every fourth pair is kept for measuring.
    kept = np.arange(len(differences)) % 4 == 0
    gap, other_gap = (Gap(part.mean(0), part - part.mean(0)) for part in (differences[~kept], differences[kept]))
    metric = _rotated(_learn(plain, values[:-HELD_OUT], rendered.beta[:-HELD_OUT], gap, motion), motion, values)
    generator = torch.Generator().manual_seed(SEED)
    queries = values[-HELD_OUT:] + other_gap.draw(generator, HELD_OUT).numpy()
    dictionary = _dictionary(model, metric, values, rendered.beta, queries)
    measured = Measured(values, rendered.beta, queries, plain.standardised(pairs.photos[kept]), face_motion(model))
    return dictionary, figures(dictionary, measured)


def motion_metric(model: FaceModel, beta: np.ndarray) -> np.ndarray:
    """(E, E) float64: S with ‖S β‖ the root mean square motion in mm of the face's vertices, regions balanced.

    Jaw and lips move several times as far as brows, lids and cheeks; a region's square is weighted by its usual size to
    the power of −``BALANCE``.

    Args:
        beta: (N, E) usual expressions.
    """
    usual = beta.T.astype(np.float64) @ beta / len(beta)
    grams = [np.einsum("evc,fvc->ef", part, part) / part.shape[1] for part in _region_motions(model)]
    sizes = np.array([np.trace(gram @ usual) for gram in grams])
    shares = (sizes.mean() / sizes) ** BALANCE
    gram = sum(share * part for share, part in zip(shares / shares.sum(), grams, strict=True))
    values, vectors = np.linalg.eigh(gram)
    return (vectors * np.sqrt(values.clip(1e-6 * values.max()))) @ vectors.T


def _region_motions(model: FaceModel) -> list[np.ndarray]:
    skin = model.skin.of(model.expression_basis).astype(np.float64)
    return [skin[:, model.in_region(name)] for name in FACE_REGIONS]


def face_motion(model: FaceModel) -> np.ndarray:
    """(E, N, 3) float64 mm, what each expression does to the vertices of the face's regions."""
    return np.concatenate(_region_motions(model), axis=1)


def _standardisation(rows: np.ndarray) -> FeatureMetric:
    """A metric whose network does nothing yet: principal directions of the gradients, mean and deviation of all."""
    sample = rows[: 4 * len(rows[0])].astype(np.float32)
    hog = sample[:, HOG_PART]
    mean = hog.mean(0)
    values, vectors = np.linalg.eigh((hog - mean).T @ (hog - mean) / len(hog))
    basis = np.ascontiguousarray(vectors[:, np.argsort(-values)[:HOG_COMPONENTS]], np.float32)
    gradients = (hog - mean) @ basis
    joined = np.concatenate([sample[:, EMOTION_PART], gradients, sample[:, GEOMETRY_PART]], axis=1)
    layer = [np.zeros((1, 1), np.float32), np.zeros(1, np.float32)] * 3
    return FeatureMetric(*_as_stored([mean, basis, joined.mean(0), joined.std(0) + 1e-4]), *layer)


def _as_stored(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Rounded to the half floats of the file, so that the entries are made with what will be read back."""
    return [part.astype(np.float16).astype(np.float32) for part in parts]


def _learn(
    plain: FeatureMetric, values: np.ndarray, beta: np.ndarray, gap: Gap, motion: np.ndarray
) -> FeatureMetric:  # fmt: skip
    """Train the network to predict β from standardised features with the step to photos added."""
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    sizes = (values.shape[1], *HIDDEN, beta.shape[1])
    layers = [nn.Linear(*pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)]
    network = nn.Sequential(
        nn.Dropout(0.1), layers[0], nn.GELU(), nn.Dropout(0.2), layers[1], nn.GELU(), layers[2]
    )  # fmt: skip
    steps = len(values) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=EPOCHS * steps)
    inputs, targets = torch.from_numpy(values), torch.from_numpy(beta)
    to_motion = torch.from_numpy(motion.astype(np.float32))
    for _ in range(EPOCHS):
        order = torch.randperm(len(inputs), generator=generator)
        for step in range(steps):
            pick = order[step * BATCH : (step + 1) * BATCH]
            noise = FEATURE_NOISE * torch.randn(BATCH, sizes[0], generator=generator)
            error = network(inputs[pick] + noise + gap.draw(generator, BATCH)) - targets[pick]
            loss = (error @ to_motion).square().sum(1).mean() + BETA_SHARE * error.square().sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    learned = [part.detach().numpy().T.copy() for layer in layers for part in (layer.weight, layer.bias)]
    return FeatureMetric(plain.hog_mean, plain.hog_basis, plain.mean, plain.deviation, *learned)


def _rotated(metric: FeatureMetric, motion: np.ndarray, values: np.ndarray) -> FeatureMetric:
    """The network's β turned into principal coordinates of motion in mm, and those that hardly vary left out."""
    predicted = _in_parts(metric.of_standardised, values[:20000]) @ motion
    variances, axes = np.linalg.eigh(np.cov(predicted.T))
    order = np.argsort(-variances)
    count = int(np.searchsorted(np.cumsum(variances[order]) / variances.sum(), KEPT_VARIANCE)) + 1
    turn = (motion @ axes[:, order[:count]]).astype(np.float32)
    layers = [metric.weights1, metric.bias1, metric.weights2, metric.bias2, metric.weights3 @ turn, metric.bias3 @ turn]
    return FeatureMetric(metric.hog_mean, metric.hog_basis, metric.mean, metric.deviation, *_as_stored(layers))


def _dictionary(
    model: FaceModel, metric: FeatureMetric, values: np.ndarray, beta: np.ndarray, queries: np.ndarray
) -> ExpressionDictionary:
    """Entries of all but the held-out faces; precision and usual distance measured with queries for those."""
    entries = _in_parts(metric.of_standardised, values[:-HELD_OUT])
    step = (np.abs(entries).max(0) / 127).astype(np.float32)
    beta_range = np.array([min(0.0, beta.min()), max(1.0, beta.max())], np.float32)
    unmeasured = ExpressionDictionary(
        model_name=model.name, model_fingerprint=model.fingerprint(), expression_names=model.expression_names,
        metric=metric,
        entries=np.round(entries / step).astype(np.int8), step=step,
        beta=encode_beta(beta[:-HELD_OUT], beta_range), beta_range=beta_range,
        precision=np.eye(beta.shape[1], dtype=np.float32), neighbours=NEIGHBOURS, bandwidth=BANDWIDTH,
        reference_distance=1.0,
    )  # fmt: skip
    found, distances = look_up_all(unmeasured, metric.of_standardised(queries))
    error = found - beta[-HELD_OUT:]
    covariance = error.T.astype(np.float64) @ error / len(error) + LEAST_DEVIATION**2 * np.eye(beta.shape[1])
    precision = np.linalg.inv(covariance).astype(np.float32)
    return replace(unmeasured, precision=precision, reference_distance=float(np.median(distances)))


def look_up_all(dictionary: ExpressionDictionary, coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """β (B, E) and distances (B,) of coordinates (B, M)."""
    found = [dictionary.look_up(row) for row in coordinates]
    return np.stack([beta for beta, _ in found]), np.array([distance for _, distance in found])


@dataclass(frozen=True)
class Measured:
    """What figures are measured on.

    Attributes:
        values: (N, D) standardised features of all drawn faces, the last ones held out. beta: (N, E).
        queries: (HELD_OUT, D) features of the held-out faces with the step to photos added.
        photos: (Q, D) features of photos that were not learned from.
        motion: (E, V, 3) mm.
    """

    values: np.ndarray
    beta: np.ndarray
    queries: np.ndarray
    photos: np.ndarray
    motion: np.ndarray


def figures(dictionary: ExpressionDictionary, measured: Measured, count: int = 500) -> dict[str, object]:
    """Mean motion error in mm of the look-up and of simpler ones, and how far photos are from the entries."""
    known = measured.beta[-HELD_OUT:][:count]
    drawn, stepped = measured.values[-HELD_OUT:][:count], measured.queries[:count]
    entries, betas = measured.values[:-HELD_OUT], measured.beta[:-HELD_OUT]

    def motion_error(beta: np.ndarray) -> float:
        return float(np.mean([np.linalg.norm(np.tensordot(row, measured.motion, 1), axis=1).mean() for row in beta]))

    out: dict[str, object] = {
        "entries": len(entries),
        "coordinates": dictionary.metric.size,
        "neutral_mm": motion_error(known),
    }
    one = replace(dictionary, neighbours=1)
    medians = {}
    for name, features in (("renders", drawn), ("renders_as_photos", stepped), ("photos", measured.photos)):
        coordinates = dictionary.metric.of_standardised(features)
        plain, plain_distances = _plain_nearest(entries, features)
        found, distances = look_up_all(dictionary, coordinates)
        medians[name] = np.median(plain_distances), np.median(distances)
        if name != "photos":
            out[name] = {
                "standardised_features_nearest_mm": motion_error(betas[plain] - known),
                "learned_metric_nearest_mm": motion_error(look_up_all(one, coordinates)[0] - known),
                "learned_metric_mean_of_neighbours_mm": motion_error(found - known),
            }
    for index, name in enumerate(("standardised_features", "learned_metric")):
        out[f"photos_over_renders_distance_{name}"] = float(medians["photos"][index] / medians["renders"][index])
    return out


def _plain_nearest(entries: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index and distance of the nearest entry by L2 of standardised features, eq. 5 as it stands."""
    squares = np.concatenate([(part**2).sum(1) for part in np.array_split(entries, 50)])
    nearest, distances = [], []
    for part in np.array_split(queries, max(1, len(queries) // 50)):
        apart = squares - 2 * part @ entries.T + (part**2).sum(1)[:, None]
        nearest.append(apart.argmin(1))
        distances.append(np.sqrt(apart.min(1).clip(0)))
    return np.concatenate(nearest), np.concatenate(distances)


def _in_parts(work: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    return np.concatenate([work(part) for part in np.array_split(rows, max(1, len(rows) // 4000))])
