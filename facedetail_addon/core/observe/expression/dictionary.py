# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression dictionary: many rendered faces with known β, found again by their features.

Chen et al. (ICCV 2019, section 3.2) keep Ψ = {ψ_i}, each ψ_i an expression β_i with its emotion and appearance
features, and take the β of the nearest by L2 (equation 5). Here the features first pass through a metric that was
learned on the same renders, so that distances count what expressions change and not who it is, where the light stands
or that one is a photo and the other drawn; and β is a weighted mean of the nearest few.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from ...assets.shipped import find_weights
from ...errors import AssetError
from ...face_model.model import FaceModel
from ...io.archive import read_arrays, require_format, with_names
from .metric import FeatureMetric

FORMAT_VERSION = 1
FILE_NAME = "expression_dictionary.npz"
_REMEDY = "Install the FaceDetail extension again; its zip carries this file."
_BETA_STEPS = 255


@dataclass(frozen=True)
class ExpressionDictionary:
    """Features and expressions of N rendered faces of one face model.

    Attributes:
        model_name, model_fingerprint: the face model's.
        expression_names: its E expressions, in the order of ``beta``.
        metric: from features to coordinates.
        entries: (N, M) int8, coordinates of the faces in units of ``step``.
        step: (M,) float32 mm.
        beta: (N, E) uint8, their expressions, from ``beta_range[0]`` (0) to ``beta_range[1]`` (255).
        beta_range: (2,) float32.
        precision: (E, E) float32, inverse covariance of β about what is looked up.
        neighbours: how many of the nearest are averaged.
        bandwidth: mm; a neighbour counts e^½ times less than the nearest, where its squared distance is larger by the
            square of this.
        reference_distance: mm, median distance to the nearest entry, of faces that are not in the dictionary.
    """

    model_name: str
    model_fingerprint: str
    expression_names: tuple[str, ...]
    metric: FeatureMetric
    entries: np.ndarray
    step: np.ndarray
    beta: np.ndarray
    beta_range: np.ndarray
    precision: np.ndarray
    neighbours: int
    bandwidth: float
    reference_distance: float

    def for_model(self, model: FaceModel) -> "ExpressionDictionary":
        """The dictionary in the expressions of a face model that shares the names of the one it was rendered of.

        An expression that the dictionary does not know is 0 in all its faces, with no precision. One that the model
        does not have is left out, and what the others are known by stays (their covariance is marginal).

        Raises:
            AssetError: it was rendered of another head, and not of the one the model was matched to.
        """
        if self._is_of(model):
            return self
        if self.model_fingerprint != model.canonical():
            raise AssetError(
                f"The expression dictionary was made for another face model than “{model.name}”.",
                "Install the extension again, or run python -m scripts.training.expression_dictionary for it.",
            )
        known = [i for i, name in enumerate(model.expression_names) if name in self.expression_names]
        columns = [self.expression_names.index(model.expression_names[i]) for i in known]
        count = len(model.expression_names)
        beta = np.repeat(encode_beta(np.zeros((1, count)), self.beta_range), len(self.beta), axis=0)
        beta[:, known] = self.beta[:, columns]
        covariance = np.linalg.inv(self.precision.astype(np.float64))
        precision = np.zeros((count, count), np.float32)
        precision[np.ix_(known, known)] = np.linalg.inv(covariance[np.ix_(columns, columns)])
        return replace(
            self,
            model_name=model.name,
            model_fingerprint=model.fingerprint(),
            expression_names=model.expression_names,
            beta=beta,
            precision=precision,
        )

    def _is_of(self, model: FaceModel) -> bool:
        return (
            self.model_name == model.name
            and self.model_fingerprint == model.fingerprint()
            and self.expression_names == model.expression_names
        )

    def nearest(self, coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest entries of one face.

        Args:
            coordinates: (M,).

        Returns:
            (k,) int indices, nearest first, and (k,) float32 distances.
        """
        entries = self.entries.astype(np.float32) * self.step
        squares = np.square(entries - coordinates.astype(np.float32)).sum(1)
        few = np.argpartition(squares, self.neighbours - 1)[: self.neighbours]
        few = few[np.argsort(squares[few], kind="stable")]
        return few, np.sqrt(squares[few])

    def look_up(self, coordinates: np.ndarray) -> tuple[np.ndarray, float]:
        """β (E,) float32 and the nearest entry's distance, of coordinates (M,); eq. 5 with k neighbours."""
        few, distances = self.nearest(coordinates)
        closeness = (distances**2 - distances[0] ** 2) / self.bandwidth**2
        weights = np.exp(-0.5 * closeness)
        weights /= weights.sum()
        low, high = self.beta_range.astype(np.float64)
        shares = weights @ (self.beta[few].astype(np.float64) / _BETA_STEPS)
        return (low + (high - low) * shares).astype(np.float32), float(distances[0])


def encode_beta(beta: np.ndarray, beta_range: np.ndarray) -> np.ndarray:
    """(N, E) expressions to the uint8 of :attr:`ExpressionDictionary.beta`."""
    low, high = beta_range
    return np.round((beta - low) / (high - low) * _BETA_STEPS).clip(0, _BETA_STEPS).astype(np.uint8)


def save_dictionary(path: Path, dictionary: ExpressionDictionary) -> None:
    """Write a dictionary as npz; the metric as half floats."""
    arrays: dict[str, np.ndarray] = {"format_version": np.int32(FORMAT_VERSION)}
    arrays |= {f"metric.{name}": value.astype(np.float16) for name, value in vars(dictionary.metric).items()}
    arrays |= {name: np.array(value) for name, value in vars(dictionary).items() if name != "metric"}
    np.savez_compressed(path, **arrays)


def load_dictionary(path: Path | None = None) -> ExpressionDictionary:
    """Read a dictionary; without a path the shipped one.

    Raises:
        AssetError: missing, of another format, or with arrays of wrong shape or non-finite values.
    """
    path = path or find_weights(FILE_NAME)
    try:
        arrays = with_names(read_arrays(path), {"usual_distance": "reference_distance"})
        require_format(arrays, FORMAT_VERSION)
        dictionary = _decode(arrays)
    except (ValueError, TypeError, KeyError) as error:
        raise AssetError(f"The expression dictionary {path} cannot be read: {error}.", _REMEDY) from error
    _check(dictionary, path)
    return dictionary


def _decode(arrays: dict[str, np.ndarray]) -> ExpressionDictionary:
    metric = {field.name: arrays[f"metric.{field.name}"].astype(np.float32) for field in fields(FeatureMetric)}
    values: dict[str, object] = {"metric": FeatureMetric(**metric)}
    for field in fields(ExpressionDictionary):
        if field.name != "metric":
            value = arrays[field.name]
            values[field.name] = field.type(value) if field.type in (str, int, float) else value
    values["expression_names"] = tuple(values["expression_names"].tolist())
    return ExpressionDictionary(**values)


def _check(d: ExpressionDictionary, path: Path) -> None:
    count = len(d.beta)
    typed = d.entries.dtype == np.int8 and d.beta.dtype == np.uint8 and d.precision.dtype == np.float32
    shapes = (
        d.entries.ndim == d.beta.ndim == 2
        and d.entries.shape == (count, d.metric.size)
        and d.precision.shape == (d.beta.shape[1],) * 2
        and len(set(d.expression_names)) == d.beta.shape[1]
        and d.beta_range.shape == (2,)
        and d.step.shape == (d.metric.size,)
    )
    positive = np.append(d.step, [d.bandwidth, d.reference_distance])
    finite = all(np.isfinite(array).all() for array in (d.precision, d.beta_range, positive))
    if not (d.metric.fits() and typed and shapes and finite and positive.min() > 0 and 0 < d.neighbours <= count):
        raise AssetError(f"The expression dictionary {path} holds wrong shapes or values.", _REMEDY)
