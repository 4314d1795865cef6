# SPDX-License-Identifier: GPL-3.0-or-later
"""The one loop of every fit: cameras and coefficients take turns until both agree with all terms.

After Chen et al. (ICCV 2019, section 3.1) and the iterative linear method of eos: with the head as it stands each
photo's camera follows from its correspondences (affine by the Gold Standard algorithm, then perspective); with the
cameras as they stand, identity and expressions are a regularised linear least-squares problem within bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.camera import AffineCamera, PerspectiveCamera
from ..observe.types import CameraPrior
from .affine import closest_scaled_orthography, gold_standard_affine
from .bounded import minimise_in_box
from .correspondence import CorrespondenceTerm
from .equations import NormalEquations, outline_equations, picture_equations
from .outline import OutlineTerm
from .perspective import default_focal_px, perspective_like, pose_jacobian, refine_perspective
from .photometric.term import PhotometricTerm
from .stereo import StereoTerm
from .terms import LandmarkPoints, LandmarkTerm, PriorTerm

Term = PriorTerm | LandmarkTerm | OutlineTerm | CorrespondenceTerm | PhotometricTerm | StereoTerm
Views = int | tuple[int, int] | None
"""Which photos' β equations are of beside α."""


@dataclass(frozen=True)
class Unknowns:
    """Where α and the photos' β stand among all unknowns: x = (α, β of the first photo, β of the second, …).

    Attributes:
        identities: K, or K + 1 with the head's scale. expressions: E. views: number of photos.
    """

    identities: int
    expressions: int
    views: int

    @property
    def count(self) -> int:
        return self.identities + self.views * self.expressions

    def columns(self, view: Views) -> np.ndarray:
        """Indices of α and the β of a photo or two; of α alone for None."""
        views = () if view is None else np.atleast_1d(view)
        starts = [self.identities + one * self.expressions for one in views]
        return np.concatenate(
            [np.arange(self.identities), *(np.arange(start, start + self.expressions) for start in starts)]
        )

    def join(self, alpha: np.ndarray, betas: Sequence[np.ndarray]) -> np.ndarray:
        """(K,) and (E,) each to (K + views · E,) float64."""
        return np.concatenate([alpha, *betas]).astype(np.float64)

    def beta(self, values: np.ndarray, view: int) -> np.ndarray:
        """A photo's (E,) of all unknowns."""
        return values[self.columns(view)[self.identities :]]


@dataclass(frozen=True)
class Start:
    """Where the loop begins: all unknowns, and the cameras that are known already (None: to be found)."""

    values: np.ndarray
    cameras: tuple[PerspectiveCamera | None, ...]


@dataclass(frozen=True)
class Solution:
    """All unknowns; for each photo its cameras and the median distance of its landmarks in px."""

    values: np.ndarray
    affine: tuple[AffineCamera, ...]
    cameras: tuple[PerspectiveCamera, ...]
    residual_px: tuple[float, ...]


@dataclass(frozen=True)
class _Match:
    """A term of landmarks with the head as it stands: the points it means, and where they lie, (N, 3) mm."""

    term: LandmarkTerm
    points: LandmarkPoints
    posed: np.ndarray


@dataclass(frozen=True)
class _View:
    """A photo's cameras, its landmarks on the head, and the face's scale in px per mm."""

    matches: tuple[_Match, ...]
    affine: AffineCamera
    camera: PerspectiveCamera
    px_per_mm: float

    def residual_px(self) -> float:
        distances = [
            np.linalg.norm(self.camera.project(match.posed) - match.term.points_px, axis=1) for match in self.matches
        ]
        return float(np.median(_joined(distances)))

    def pose_equations(self) -> NormalEquations:
        """What the landmarks say of small turns and shifts of the camera, 6 unknowns."""
        quadratic, linear = np.zeros((6, 6)), np.zeros(6)
        for match in self.matches:
            weights = match.term.strength * match.term.weights
            rows = pose_jacobian(self.camera, match.posed) / self.px_per_mm
            residual = (match.term.points_px - self.camera.project(match.posed)) / self.px_per_mm
            quadratic += np.einsum("n,nia,nib->ab", weights, rows, rows)
            linear += np.einsum("n,nia,ni->a", weights, rows, residual)
        return NormalEquations(quadratic, linear)


def solve(
    terms: Sequence[Term],
    unknowns: Unknowns,
    bounds: tuple[np.ndarray, np.ndarray],
    start: Start,
    camera_priors: Sequence[CameraPrior],
    rounds: int,
) -> Solution:
    """Fit one head to one or several photos.

    Args:
        terms: what pulls on the unknowns; every photo needs one with landmarks, for its camera.
        unknowns: how they are arranged. bounds: lowest and highest of all of them.
        start: where to begin. camera_priors: one for each photo.
        rounds: how often the coefficients are solved for; the cameras are found once more at the end.

    Raises:
        FaceDetailError: a photo's landmarks determine no camera.
    """
    values, cameras = start.values, list(start.cameras)
    photometric = [term for term in terms if isinstance(term, PhotometricTerm)]
    nuisances = [term.lit.first for term in photometric]
    for turn in range(rounds + 1):
        views = [
            _look(terms, unknowns, values, view, cameras[view], camera_priors[view]) for view in range(unknowns.views)
        ]
        views = _followed(terms, unknowns, values, views)
        cameras = [view.camera for view in views]
        if turn < rounds:
            # Light and pigment take one step together with the head, and go on from there in the next round.
            joint = [
                term.linearised(values[unknowns.columns(term.view)], views[term.view].camera, known)
                for term, known in zip(photometric, nuisances, strict=True)
            ]
            parts = _linearised(terms, unknowns, values, views)
            parts += [
                (term.view, step.equations.times(term.strength)) for term, step in zip(photometric, joint, strict=True)
            ]
            both = total(parts, unknowns)
            values = minimise_in_box(both.quadratic, both.linear, *bounds)
            nuisances = [
                step.at(values[unknowns.columns(term.view)]) for term, step in zip(photometric, joint, strict=True)
            ]
    return Solution(
        values,
        tuple(view.affine for view in views),
        tuple(view.camera for view in views),
        tuple(view.residual_px() for view in views),
    )


def linearised(
    terms: Sequence[Term],
    unknowns: Unknowns,
    values: np.ndarray,
    cameras: Sequence[PerspectiveCamera],
    camera_priors: Sequence[CameraPrior],
) -> tuple[NormalEquations, tuple[NormalEquations, ...], tuple[PerspectiveCamera, ...]]:
    """What all terms but photometric ones say about a head that is known, without moving it.

    Args:
        values: all unknowns. cameras: of each photo, known; the other arguments as of :func:`solve`.

    Returns:
        the equations of all unknowns; of small turns and shifts of each camera, 6 unknowns each; the cameras that the
        landmarks find from those that were given.
    """
    views = [_look(terms, unknowns, values, view, cameras[view], camera_priors[view]) for view in range(unknowns.views)]
    views = _followed(terms, unknowns, values, views)
    parts = _linearised(terms, unknowns, values, views)
    poses = tuple(view.pose_equations() for view in views)
    return total(parts, unknowns), poses, tuple(view.camera for view in views)


def total(parts: Sequence[tuple[Views, NormalEquations]], unknowns: Unknowns) -> NormalEquations:
    """Equations of all unknowns: the sum of equations of α and the β of a photo or two each (of α alone for None)."""
    quadratic, linear = np.zeros((unknowns.count, unknowns.count)), np.zeros(unknowns.count)
    for view, part in parts:
        at = unknowns.columns(view)
        quadratic[np.ix_(at, at)] += part.quadratic
        linear[at] += part.linear
    return NormalEquations(quadratic, linear)


def _look(
    terms: Sequence[Term],
    unknowns: Unknowns,
    values: np.ndarray,
    view: int,
    camera: PerspectiveCamera | None,
    prior: CameraPrior,
) -> _View:
    """A photo's cameras for the head as it stands."""
    alpha, beta = values[: unknowns.identities], unknowns.beta(values, view)
    matches = []
    for term in terms:
        if isinstance(term, LandmarkTerm) and term.view == view:
            points = term.points_for(alpha, beta, camera)
            matches.append(_Match(term, points, points.posed(alpha, beta)))
    posed = _joined([match.posed for match in matches])
    points_px = _joined([match.term.points_px for match in matches])
    weights = _joined([match.term.weights for match in matches])
    affine = gold_standard_affine(posed, points_px, weights)
    px_per_mm = matches[0].term.px_per_mm or closest_scaled_orthography(affine)[0]
    if camera is None:
        beside_px = float(np.linalg.norm(points_px.mean(0) - prior.center_px))
        focal_px = prior.focal_px or default_focal_px(prior.image_size, px_per_mm, beside_px)
        camera = perspective_like(affine, posed, prior, focal_px)
    return _View(tuple(matches), affine, refine_perspective(camera, posed, points_px, weights), px_per_mm)


def _followed(terms: Sequence[Term], unknowns: Unknowns, values: np.ndarray, views: Sequence[_View]) -> list[_View]:
    """The photos with cameras that follow the places of the skin in other photos, too."""
    out, stereo = list(views), [term for term in terms if isinstance(term, StereoTerm)]
    for view in dict.fromkeys(term.views[1] for term in stereo):
        followed = []
        for term in [term for term in stereo if term.views[1] == view]:
            cameras = tuple(out[one].camera for one in term.views)
            followed.append(term.for_camera(values[unknowns.columns(term.views)], unknowns.identities, cameras))
        marks = [
            (match.posed, match.term.points_px, match.term.strength * match.term.weights)
            for match in views[view].matches
        ]
        points, targets, weights = map(np.concatenate, zip(*marks, *followed, strict=True))
        out[view] = replace(views[view], camera=refine_perspective(views[view].camera, points, targets, weights))
    return out


def _linearised(
    terms: Sequence[Term], unknowns: Unknowns, values: np.ndarray, views: Sequence[_View]
) -> list[tuple[Views, NormalEquations]]:
    """The equations of every term but photometric ones about the head as it stands, in the order of the terms."""
    matches = {id(match.term): match for view in views for match in view.matches}
    parts = []
    for term in terms:
        if isinstance(term, PhotometricTerm):
            continue
        if isinstance(term, PriorTerm):
            parts.append((term.view, term.equations))
            continue
        if isinstance(term, StereoTerm):
            pair = [views[view] for view in term.views]
            cameras, known = tuple(view.camera for view in pair), tuple(view.pose_equations() for view in pair)
            current = values[unknowns.columns(term.views)]
            parts.append((term.views, term.equations(current, unknowns.identities, cameras, known)))
            continue
        view, current = views[term.view], values[unknowns.columns(term.view)]
        if isinstance(term, OutlineTerm):
            parts.append((term.view, _outline_pulls(term, view.camera, current, unknowns.identities)))
            continue
        if isinstance(term, CorrespondenceTerm):
            parts.append((term.view, _correspondence_pulls(term, view.camera, current, unknowns.identities)))
            continue
        match = matches[id(term)]
        weights = term.strength * term.weights
        equations = picture_equations(
            match.points, match.posed, view.camera, term.points_px, view.px_per_mm, current, weights
        )
        parts.append((term.view, equations))
    return parts


def _outline_pulls(
    term: OutlineTerm, camera: PerspectiveCamera, current: np.ndarray, identities: int
) -> NormalEquations:
    single = current.astype(np.float32)
    posed = term.skin.points.posed(single[:identities], single[identities:]).astype(np.float64)
    pulls = term.pulls(posed, camera)
    return outline_equations(
        term.skin.points.only(pulls.rows), posed[pulls.rows], camera, pulls.target_px, pulls.normals, term.px_per_mm,
        current, term.strength * pulls.weights,
    )  # fmt: skip


def _correspondence_pulls(
    term: CorrespondenceTerm, camera: PerspectiveCamera, current: np.ndarray, identities: int
) -> NormalEquations:
    posed = term.points.posed(current[:identities], current[identities:])
    weights = term.weights(posed, camera)
    return picture_equations(term.points, posed, camera, term.points_px, term.px_per_mm, current, weights)


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
