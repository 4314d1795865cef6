# SPDX-License-Identifier: GPL-3.0-or-later
"""Between two languages of expression: a model's own modes, of either sign and without names, and ARKit's weights."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..face_model.model import FACE_REGIONS, FaceModel, NativeExpressions
from ..observe.expression.types import ExpressionPrior
from .bounded import minimise_in_box

# So many vertices of the face say it all; modes are smooth.
_SAMPLES = 3000
# What own modes and named expressions cannot say to each other, mm: keeps small modes from doing large things.
_RIDGE_MM = 0.1
# σ, how far own modes differ from what was read for want of words.
_UNSAID = 0.25


@dataclass(frozen=True)
class NativePrior:
    """A reading in a model's own modes: ``mean`` (S,) in σ units and ``precision`` (S, S), its inverse covariance."""

    mean: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True)
class BlendshapeMapping:
    """A model's two kinds of expressions, seen on N vertices of its face; all in mm divided by √N.

    Attributes:
        average: (3N,) its average expression. native: (S, 3N) per σ. named: (E, 3N) at weight 1.
    """

    average: np.ndarray
    native: np.ndarray
    named: np.ndarray

    @classmethod
    def of(cls, model: FaceModel, native: NativeExpressions) -> "BlendshapeMapping":
        """The mapping of a model that has expressions ``native``."""
        face = np.flatnonzero(model.in_region(*FACE_REGIONS))
        face = face[:: max(1, len(face) // _SAMPLES)]
        share = 1 / np.sqrt(len(face))
        arrays = (native.mean[None], native.basis, model.expression_basis)
        average, basis, named = (
            (array[:, face].astype(np.float64) * share).reshape(len(array), -1) for array in arrays
        )
        return cls(average[0], basis, named)

    def prior(self, reading: ExpressionPrior) -> NativePrior:
        """What was read, in own modes: least squares with a ridge, and the reading's covariance sent the same way."""
        gram = self.native @ self.native.T + _RIDGE_MM**2 * np.eye(len(self.native))
        to_native = np.linalg.solve(gram, self.native @ self.named.T)  # (S, E)
        rest = np.linalg.solve(gram, self.native @ self.average)
        covariance = to_native @ np.linalg.solve(reading.precision, to_native.T) + _UNSAID**2 * np.eye(len(gram))
        return NativePrior(to_native @ reading.beta_prior - rest, np.linalg.inv(covariance))

    def weights(self, native_beta: np.ndarray) -> np.ndarray:
        """(E,) float32 in [0, 1]: the named expressions that come nearest to (S,) own ones."""
        wanted = self.average + native_beta @ self.native
        quadratic = self._named_gram + _RIDGE_MM**2 * np.eye(len(self.named))
        limits = np.zeros(len(self.named)), np.ones(len(self.named))
        return minimise_in_box(quadratic, self.named @ wanted, *limits).astype(np.float32)

    @cached_property
    def _named_gram(self) -> np.ndarray:
        return self.named @ self.named.T


def native_vertices(
    model: FaceModel, native: NativeExpressions, alpha: np.ndarray, native_beta: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """(V, 3) float32 mm: the skin with own expressions (S,); teeth and eyes with named ones (E,), for these move them.

    Args:
        alpha: (K,) float32.
    """
    out = model.vertices(alpha)
    skin = model.skin.rows
    out[skin] += native.mean[skin] + np.tensordot(np.asarray(native_beta, np.float32), native.basis, 1)[skin]
    for part in model.parts[1:]:
        out[part.rows] += np.tensordot(np.asarray(beta, np.float32), part.of(model.expression_basis), 1)
    return out
