# SPDX-License-Identifier: GPL-3.0-or-later
"""The head that follows pins: refitted from the automatic fit, as often as an artist's hand asks for it.

All that the automatic fit weighs is linearised once, about the head that it found. Pins are added to these equations,
and every refit begins with the automatic head: so it depends on the pins as they are, not on how they came there, and
without pins it is the automatic fit to the last bit. Each side of the head has an identity of its own, so that pins on
one leave the other alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...settings import LANDMARKS
from ..errors import FaceDetailError
from ..face_model.model import FaceModel
from ..geometry.camera import PerspectiveCamera
from ..observe.types import Observation
from .dense import terms_of
from .eyes import aimed, can_aim, gaze_of
from .pin_places import PinPoints, PinSurface, pin_points
from .pin_solve import PinTerm, solve_pins
from .pins import SKIN, PinnedEdit, PinSettings, require_photos
from .prepared import PreparedModel
from .profile import in_profile
from .sides import MIRRORED
from .solve import Unknowns, linearised
from .types import HeadFit

_AWAY = -0.3  # cosine from which a place faces away from the camera


@dataclass(frozen=True)
class PinnedStart:
    """An automatic fit, prepared so that pins refit it within some milliseconds.

    Attributes:
        surface: of the face model. observations, automatic: what was fitted to what.
        cameras: of each photo; where another lens was chosen, as the landmarks then ask for.
        shape: equations of the change of α and of all photos' β about the automatic head. poses: of each camera.
        aims: of each photo, whether the eyes follow its irises. focal_px: the chosen lenses, None for automatic ones.
    """

    surface: PinSurface
    observations: tuple[Observation, ...]
    automatic: HeadFit
    cameras: tuple[PerspectiveCamera, ...]
    shape: np.ndarray
    poses: tuple[np.ndarray, ...]
    aims: tuple[bool, ...]
    focal_px: tuple[float | None, ...]

    @property
    def model(self) -> FaceModel:
        return self.surface.model

    def is_for(self, settings: PinSettings) -> bool:
        """Whether it was prepared for these lenses."""
        return self.focal_px == tuple(settings.focal_of(view) for view in range(len(self.observations)))


@dataclass(frozen=True)
class PinnedFit:
    """What pins make of an automatic fit.

    Attributes:
        start: that fit. points: the places of the pins.
        left_alpha, right_alpha: (K,) changes of the identity on both sides, σ.
        local_mm: (N, 3) what the skin about each pin does beyond what heads do.
        betas: (E,) float32 expression of each photo. cameras: of each.
        pulls_px: (N, 2) from where each pin's place has come to where it was dropped; NaN for those that do not count.
        hidden: (N,) bool: pins that do not count, because their place faces away from the camera.
        mirror: what happens on one side happens on the other.
    """

    start: PinnedStart
    points: PinPoints
    left_alpha: np.ndarray
    right_alpha: np.ndarray
    local_mm: np.ndarray
    betas: tuple[np.ndarray, ...]
    cameras: tuple[PerspectiveCamera, ...]
    pulls_px: np.ndarray
    hidden: np.ndarray
    mirror: bool = False

    @property
    def reshapes(self) -> bool:
        """Whether the head at rest is another one."""
        return bool(self.left_alpha.any() or self.right_alpha.any() or self.local_mm.any())

    def posed(self, view: int, rows: slice = slice(None)) -> np.ndarray:
        """(V, 3) float32 mm of the head as in a photo, or some of its vertices."""
        automatic = self.start.automatic.poses[view]
        change = self.betas[view] - automatic.beta
        if not (self.reshapes or change.any()):
            return automatic.vertices[rows]
        out = automatic.vertices[rows] + self._reshaping(rows)
        return out + _combined(self.start.model.expression_basis[:, rows], change) if change.any() else out

    def head(self) -> HeadFit:
        """The whole head, with its pose in each photo."""
        before, model = self.start.automatic, self.start.model
        change = ((self.left_alpha + self.right_alpha) / 2).astype(np.float32)
        poses = []
        for view, pose in enumerate(before.poses):
            vertices = self.posed(view)
            changed = {"beta": self.betas[view], "perspective": self.cameras[view], "vertices": vertices}
            poses.append(replace(pose, **changed, landmarks68_mm=model.landmarks68.points(vertices)))
        return replace(
            before,
            alpha=before.alpha + change,
            alpha_shown=None if before.alpha_shown is None else before.alpha_shown + change,
            vertices_neutral=before.vertices_neutral + self._reshaping(slice(None)),
            poses=tuple(poses),
        )

    def _reshaping(self, rows: slice) -> np.ndarray:
        """(V, 3) float32 mm that vertices of the head at rest move by."""
        basis = self.start.model.identity_basis[:, rows]
        if not self.reshapes:
            return np.zeros(basis.shape[1:], np.float32)
        left = self.start.surface.left[rows, None].astype(np.float32)
        both = _combined(basis, np.stack([self.left_alpha, self.right_alpha]))
        out = left * both[0] + (1 - left) * both[1]
        if self.local_mm.any():
            local = self.local_mm.astype(np.float32)
            skin = self.points.near.T[rows] @ local
            if self.mirror:
                skin += self.points.near_mirrored.T[rows] @ (local * MIRRORED.astype(np.float32))
            out[: len(skin)] += skin  # the skin comes first
        return out


def prepare_pins(
    observations: Sequence[Observation],
    automatic: HeadFit,
    prepared: PreparedModel,
    expression: str = LANDMARKS,
    settings: PinSettings | None = None,
    surface: PinSurface | None = None,
) -> PinnedStart:
    """Linearise the automatic fit about its head; some hundredths of a second.

    Args:
        observations: that the head was fitted to. expression: what it was taken from. settings: the lenses count.
        surface: of the model, prepared anew where None.

    Raises:
        FaceDetailError: a photo's landmarks were not kept, or are not usable.
    """
    model, count = prepared.model, len(observations)
    chosen = tuple((settings or PinSettings()).focal_of(view) for view in range(count))
    cameras = [
        pose.perspective if focal is None else _with_focal(pose.perspective, focal)
        for pose, focal in zip(automatic.poses, chosen, strict=True)
    ]
    terms = terms_of(observations, prepared, expression)
    unknowns = Unknowns(len(automatic.alpha) + 1, len(model.expression_names), count)
    values = unknowns.join(automatic.identity, [pose.beta for pose in automatic.poses])
    priors = [observation.camera_prior for observation in observations]
    equations, poses, found = linearised(terms, unknowns, values, cameras, priors)
    if not np.isfinite(equations.quadratic).all():
        raise FaceDetailError(
            "What was found in the photo of this result does not belong to its head.", "Reconstruct the photo again."
        )
    kept = np.delete(np.arange(unknowns.count), len(automatic.alpha))  # the scale, which no photo tells, stays
    return PinnedStart(
        surface=surface or PinSurface.of(model),
        observations=tuple(observations),
        automatic=automatic,
        cameras=tuple(
            camera if focal is None else again for camera, again, focal in zip(cameras, found, chosen, strict=True)
        ),
        shape=equations.quadratic[np.ix_(kept, kept)],
        poses=tuple(pose.quadratic for pose in poses),
        aims=tuple(not in_profile(observation, prepared) for observation in observations),
        focal_px=chosen,
    )


def refit(start: PinnedStart, edit: PinnedEdit, points: PinPoints | None = None) -> PinnedFit:
    """The head that follows the pins.

    Args:
        start: prepared for the lenses of the edit. points: the places of its pins, as of an earlier refit with this
            start; found anew where they are None or of other pins.

    Raises:
        PinError: a pin is of no such photo or place. ValueError: the start is of other lenses.
    """
    require_photos(edit, [observation.camera_prior.image_size for observation in start.observations])
    if not start.is_for(edit.settings):
        raise ValueError("what was prepared for the pins is of other lenses")
    if points is None or not points.are_of(edit.pins):
        points = pin_points(start.surface, start.automatic.vertices_neutral, edit.pins)
    hidden = _facing_away(start, edit, points)
    betas, cameras = [pose.beta for pose in start.automatic.poses], list(start.cameras)
    modes = len(start.automatic.alpha)
    nothing = np.zeros(modes), np.zeros(modes), np.zeros((len(edit.pins), 3))
    pulls = np.full((len(edit.pins), 2), np.nan)
    fit = PinnedFit(start, points, *nothing, tuple(betas), tuple(cameras), pulls, hidden, edit.settings.mirror)
    counts = np.flatnonzero(~hidden)
    if len(counts):
        term = _term(start, edit, points, counts)
        solved = solve_pins(term, edit.settings, start.model, start.shape, dict(enumerate(start.poses)))
        layout = term.layout
        for view in layout.views:
            cameras[view] = term.camera(solved.values, view)
            betas[view] = (betas[view] + solved.values[layout.beta(view)]).clip(0, 1).astype(np.float32)
        fit.local_mm[counts], pulls[counts] = solved.local_mm, solved.pulls_px
        left, right = solved.values[layout.left], solved.values[layout.right]
        fit = replace(fit, left_alpha=left, right_alpha=right, betas=tuple(betas), cameras=tuple(cameras))
    if edit.settings.lock_eyes or edit.is_automatic:
        return fit
    return _aiming(fit, {edit.pins[one].photo for one in counts.tolist() if edit.pins[one].part != SKIN})


def _term(start: PinnedStart, edit: PinnedEdit, points: PinPoints, counts: np.ndarray) -> PinTerm:
    """The pins that count, by number, as a term."""
    pins, poses = [edit.pins[number] for number in counts.tolist()], start.automatic.poses
    views = sorted({pin.photo for pin in pins})
    own = points if len(counts) == len(edit.pins) else points.only(counts)
    base = [
        poses[pin.photo].vertices[rows].astype(np.float64).T @ weights
        for pin, rows, weights in zip(pins, own.at.vertices, own.at.weights, strict=True)
    ]
    return PinTerm(
        points=own,
        views=np.array([pin.photo for pin in pins]),
        px=np.array([pin.px for pin in pins], np.float64),
        base=np.array(base),
        cameras={view: start.cameras[view] for view in views},
        alpha=start.automatic.identity[:-1],
        betas={view: poses[view].beta for view in views},
        mirror=start.surface.mirror if edit.settings.mirror else None,
    )


def _facing_away(start: PinnedStart, edit: PinnedEdit, points: PinPoints) -> np.ndarray:
    """(N,) bool: pins whose place the camera sees from behind."""
    out = np.zeros(len(edit.pins), bool)
    for number, (pin, rows) in enumerate(zip(edit.pins, points.at.vertices, strict=True)):
        corners = start.automatic.poses[pin.photo].vertices[rows].astype(np.float64)
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        towards = start.cameras[pin.photo].position() - corners.mean(axis=0)
        out[number] = normal @ towards < _AWAY * np.linalg.norm(normal) * np.linalg.norm(towards)
    return out


def _aiming(fit: PinnedFit, held: set[int]) -> PinnedFit:
    """The same with eyes that follow the photos' irises, where the automatic fit's do and no pin holds them."""
    start, model = fit.start, fit.start.model
    gaze, betas = gaze_of(model), list(fit.betas)
    for view, aims in enumerate(start.aims):
        before = start.automatic.poses[view]
        moved = fit.reshapes or fit.cameras[view] is not before.perspective
        if not aims or view in held or not moved or not (can_aim(model, betas[view]) and can_aim(model, before.beta)):
            continue
        was, now = before.vertices.astype(np.float64), before.vertices.astype(np.float64)
        for part in model.eyes.values():
            ahead = _combined(model.expression_basis[gaze][:, part.rows], before.beta[gaze])
            was[part.rows] -= ahead
            now[part.rows] = fit.posed(view, part.rows) - ahead
        mesh_px = start.observations[view].landmarks.mesh_px
        turned = aimed(model, now, betas[view], fit.cameras[view], mesh_px)
        turned -= aimed(model, was, before.beta, before.perspective, mesh_px)
        betas[view] = np.where(gaze, (before.beta + turned).clip(0, 1), betas[view]).astype(np.float32)
    return replace(fit, betas=tuple(betas))


def _combined(basis: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3) float32 of (K,) weights, or (M, V, 3) of (M, K), by a (K, V, 3) basis."""
    flat = np.asarray(weights, np.float32) @ basis.reshape(len(basis), -1)
    return flat.reshape(*flat.shape[:-1], *basis.shape[1:])


def _with_focal(camera: PerspectiveCamera, focal_px: float) -> PerspectiveCamera:
    """Another lens, from as far away that the head is as large."""
    translation = camera.translation * np.array([1, 1, focal_px / camera.focal_px])
    return replace(camera, translation=translation, focal_px=float(focal_px))
