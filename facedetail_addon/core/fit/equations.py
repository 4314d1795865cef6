# SPDX-License-Identifier: GPL-3.0-or-later
"""The linear equations of the fit: what landmarks are measured to say, where they lie, and the priors."""

from dataclasses import dataclass

import numpy as np

from ..face_model.calibration import LandmarkCalibration, pose_terms
from ..face_model.normalise import NormalisedLandmarks
from ..geometry.camera import PerspectiveCamera
from ..observe.expression.types import ExpressionPrior
from ..robust import geman_mcclure
from .perspective import point_jacobian
from .points import LandmarkPoints

# Where landmarks are out of place: what the others leave unexplained, and the distance from their consensus that
# halves a landmark's say twice.
_NOISE_MM, _SURPRISE_MM = 0.3, 3.0
_SCALE_WEIGHT = 0.02  # of the scale's ridge: what is known of the size makes the scale, not α


@dataclass(frozen=True)
class FitSettings:
    """How strongly each thing pulls.

    Attributes:
        rounds: how often camera and coefficients take turns.
        identity_weight: λ_s, ridge of α in σ units; 1 is the model's own statistics, and right where errors are as on
            the drawn heads of the calibration. In real skin errors of landmarks go together and are larger: chosen on
            photos of the same people and on heads in photographed skin.
        expression_ridge: ridge of β.
        expression_sparsity: price per unit of β (an exponential prior): few muscles, not a little of each.
        gaze_price: per unit of the eyeLook expressions, instead of the sparsity's price.
        gaze_agreement: how strongly both eyes look the same way, per squared unit of their difference.
        sides_agreement: the same for the left and right of all other expressions; faces are mostly symmetric.
        reading_weight: of an expression reading's precision. Chosen on drawn heads: the precision was measured
            with all that photos add, and the landmarks err together with what is read.
        reading_sparsity: what takes the place of the sparsity's price where there is a reading; the ridge is none then.
        picture_weight: of the distances in the picture, each in units of its landmark's spread. Errors of neighbouring
            landmarks go together, so 478 of them count as far fewer.
        outline_weight: of the distances across the outline; its points err together, too. Chosen on photos of the
            same people; on heads in drawn hair, on which the masks are less sure, less (0.5) would be as good.
        correspondence_weight: of the correspondence network's points in the picture, each in units of its own σ. Errors
            of neighbouring points go together, so 368 of them count as far fewer.
        profile_weight, profile_outline_weight: of points and outline for heads in profile, which nothing else tells of.
            Chosen on drawn heads of 60°, 75° and 90°.
        alpha_limit: bound of |α|.
    """

    rounds: int = 6
    identity_weight: float = 6.0
    expression_ridge: float = 3.0
    expression_sparsity: float = 7.0
    gaze_price: float = 1.0
    gaze_agreement: float = 40.0
    sides_agreement: float = 15.0
    reading_weight: float = 2.5
    reading_sparsity: float = 1.0
    picture_weight: float = 0.03
    outline_weight: float = 1.0
    correspondence_weight: float = 0.03
    profile_weight: float = 0.3
    profile_outline_weight: float = 0.03
    alpha_limit: float = 3.5


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations H x = g of the unknowns x = (α, β)."""

    quadratic: np.ndarray
    linear: np.ndarray

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return NormalEquations(self.quadratic + other.quadratic, self.linear + other.linear)

    def times(self, weight: float) -> "NormalEquations":
        """The same equations with another say."""
        return NormalEquations(weight * self.quadratic, weight * self.linear)


def measurement_equations(
    calibration: LandmarkCalibration, response: np.ndarray, view: NormalisedLandmarks
) -> NormalEquations:
    """What the calibration says of identity and β, the less the farther the head is turned.

    Args:
        response: (Q, K + 1 + E) of the landmarks' coordinates.
    """
    coordinates = _robust_coordinates(calibration, view)
    variance, shift = calibration.noise_at(view.yaw)
    whitener = calibration.whitener.astype(np.float64) / np.sqrt(variance)
    target = whitener @ (coordinates - calibration.pose_response @ pose_terms(view.yaw, view.pitch) - shift)
    responses = whitener @ response
    return NormalEquations(responses.T @ responses, responses.T @ target)


def _robust_coordinates(calibration: LandmarkCalibration, view: NormalisedLandmarks, rounds: int = 5) -> np.ndarray:
    """(Q,) coordinates in the measured directions; points marked as outliers are filled in from the rest."""
    directions = calibration.directions.astype(np.float64)
    offset = (view.points - calibration.mean).ravel()
    coordinates = directions.T @ offset
    if view.weights.min() > 0.999:
        return coordinates
    trusted, prior = view.weights, (_NOISE_MM / calibration.deviation.astype(np.float64)) ** 2
    for _ in range(rounds):
        weighted = directions * np.repeat(trusted, 3)[:, None]
        coordinates = np.linalg.solve(directions.T @ weighted + np.diag(prior), weighted.T @ offset)
        surprise = np.linalg.norm((offset - directions @ coordinates).reshape(-1, 3), axis=1)
        trusted = view.weights * geman_mcclure(surprise / _SURPRISE_MM)
    return coordinates


def identity_equations(
    modes: int, weight: float, mean: np.ndarray | None = None, scaled: bool = False
) -> NormalEquations:
    """Ridge of α alone, in σ units; a weight of 1 is the model's own statistics.

    Args:
        modes: K. mean: (K,) that α is drawn to; None: the mean head. scaled: there is a scale beside them, K + 1.
    """
    towards = np.zeros(modes + scaled)
    towards[:modes] = 0 if mean is None else mean
    weights = np.append(np.full(modes, weight), [_SCALE_WEIGHT] * scaled)
    return NormalEquations(np.diag(weights), weights * towards)


def expression_equations(
    expression_names: tuple[str, ...], identities: int, settings: FitSettings, reading: ExpressionPrior | None
) -> NormalEquations:
    """Ridge of β, the price of expressions, both sides of the face doing much the same, and the photo's prior."""
    expressions = len(expression_names)
    gaze = np.array([name.startswith("eyeLook") for name in expression_names])
    sparsity, least = (
        (settings.expression_sparsity, settings.expression_ridge)
        if reading is None
        else (settings.reading_sparsity, 0.0)
    )
    ridge = np.append(np.zeros(identities), np.full(expressions, least))
    price = np.where(gaze, settings.gaze_price, sparsity)
    quadratic = np.diag(ridge)
    pairs = [({"eyeLookOutLeft": 1, "eyeLookInLeft": -1, "eyeLookInRight": -1, "eyeLookOutRight": 1}, True)]
    pairs.append(({"eyeLookUpLeft": 1, "eyeLookDownLeft": -1, "eyeLookUpRight": -1, "eyeLookDownRight": 1}, True))
    stems = [name.removesuffix("Left") for name in expression_names if name.endswith("Left")]
    # Turning the mouth or jaw sideways is one expression per side, not a pair.
    stems = [stem for stem in stems if not stem.startswith("eyeLook") and stem not in ("mouth", "jaw")]
    pairs += [({f"{stem}Left": 1, f"{stem}Right": -1}, False) for stem in stems]
    for signs, both_eyes in pairs:
        difference = np.append(np.zeros(identities), [signs.get(name, 0) for name in expression_names])
        weight = settings.gaze_agreement if both_eyes else settings.sides_agreement
        quadratic += weight * np.outer(difference, difference)
    linear = np.append(np.zeros(identities), -price)
    if reading is not None:
        precision = settings.reading_weight * reading.precision
        quadratic[identities:, identities:] += precision
        linear[identities:] += precision @ reading.beta_prior
    return NormalEquations(quadratic, linear)


def picture_equations(
    seen: LandmarkPoints, posed: np.ndarray, camera: PerspectiveCamera, points_px: np.ndarray, px_per_mm: float,
    unknowns: np.ndarray, weights: np.ndarray,
) -> NormalEquations:  # fmt: skip
    """Distances in the picture, linear about the current head, divided by the scale to be in mm.

    Args:
        seen: N landmarks on the model. posed: (N, 3) mm, where they lie with ``unknowns`` (K + E,).
        points_px: (N, 2). px_per_mm: the face's scale in the photo. weights: (N,) of squared mm.
    """
    to_px = point_jacobian(camera, posed) / px_per_mm  # (N, 2, 3)
    bases = np.concatenate([seen.identity, seen.expression])  # (K + E, N, 3)
    rows = np.einsum("nij,knj->nik", to_px, bases).reshape(-1, len(bases))
    residual = ((points_px - camera.project(posed)) / px_per_mm).ravel()
    target = residual + rows @ unknowns
    weighted = rows * np.repeat(weights, 2)[:, None]
    return NormalEquations(weighted.T @ rows, weighted.T @ target)


def outline_equations(
    seen: LandmarkPoints, posed: np.ndarray, camera: PerspectiveCamera, points_px: np.ndarray, normals: np.ndarray,
    px_per_mm: float, unknowns: np.ndarray, weights: np.ndarray,
) -> NormalEquations:  # fmt: skip
    """Distances along the (N, 2) normals of an outline alone; the rest as for :func:`picture_equations`."""
    across = np.einsum("ni,nij->nj", normals, point_jacobian(camera, posed)) / px_per_mm  # (N, 3)
    bases = np.concatenate([seen.identity, seen.expression])  # (K + E, N, 3)
    rows = np.einsum("nj,knj->nk", across, bases)
    residual = ((points_px - camera.project(posed)) * normals).sum(1) / px_per_mm
    target = residual + rows @ unknowns
    weighted = rows * weights[:, None]
    return NormalEquations(weighted.T @ rows, weighted.T @ target)
