# SPDX-License-Identifier: GPL-3.0-or-later
"""The equations of pins: both sides' identity, the expressions and lenses of the photos that have pins, and the skin
around each pin.

What heads do explains a pull as far as that is likely; what is left over is a smooth field of the skin about the pins.
Both together are one Gaussian process (Lüthi et al., *Gaussian Process Morphable Models*, PAMI 2018): the sum of the
model's kernel and a local one.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..face_model.model import FaceModel
from ..geometry.camera import PerspectiveCamera
from .bounded import minimise_rarely_bound
from .equations import NormalEquations
from .eyes import gaze_of
from .perspective import point_jacobian, pose_jacobian
from .pin_places import PinPoints
from .pins import PinSettings
from .sides import MIRRORED, sided

_SIGMA_MM = 0.02  # of a pin: what is left of a pull is far below a pixel
_LOCAL_MM = 0.7  # of the skin about a pin beyond what heads do
_MOST_LOCAL_MM = 6.0  # of it: no spikes, whatever the pull
_POSE, _POSE_PINS = 300.0, 1.0  # times as sure as the landmarks are of the pose, halved by a pin on both sides
_FOCAL_SIGMA = 0.2  # of its logarithm, where pins may change it
_MIRROR = 1e5  # price of a difference between sides that are to follow each other
_ALPHA = 3.5  # most of |α| on each side
_ROUNDS, _SETTLED_PX = 6, 0.02
_LENS = 7  # turns, shifts and the focal length of a camera
_TOUCHED = 0.02  # share of a pin on a side
_LIDS = ("eyeLook", "eyeBlink", "eyeWide", "eyeSquint")
_SIDEWAYS = ("mouth", "jaw")  # mouthLeft turns the whole mouth


@dataclass(frozen=True)
class Layout:
    """Where the changes stand among the unknowns: both sides' α, then β and lens of each photo that has pins."""

    modes: int
    expressions: int
    views: tuple[int, ...]

    @property
    def count(self) -> int:
        return 2 * self.modes + len(self.views) * (self.expressions + _LENS)

    @property
    def left(self) -> slice:
        return slice(0, self.modes)

    @property
    def right(self) -> slice:
        return slice(self.modes, 2 * self.modes)

    def beta(self, view: int) -> slice:
        """Of a photo's expressions."""
        start = 2 * self.modes + self.views.index(view) * (self.expressions + _LENS)
        return slice(start, start + self.expressions)

    def lens(self, view: int) -> slice:
        """Of a photo's camera."""
        start = self.beta(view).stop
        return slice(start, start + _LENS)


@dataclass(frozen=True)
class PinTerm:
    """Pins as a term of the fit, with the head that they begin at.

    Attributes:
        points: N places. views: (N,) the photo of each. px: (N, 2) where they were dropped.
        base: (N, 3) mm where they lie in their photos. cameras: of the photos that have pins.
        alpha: (K,) and betas: (E,) of the head and of those photos, before.
        mirror: of :func:`.sides.mirrored_identity` where what happens on one side happens on the other, else None.
    """

    points: PinPoints
    views: np.ndarray
    px: np.ndarray
    base: np.ndarray
    cameras: dict[int, PerspectiveCamera]
    alpha: np.ndarray
    betas: dict[int, np.ndarray]
    mirror: np.ndarray | None

    @property
    def layout(self) -> Layout:
        return Layout(len(self.points.identity), len(self.points.expression), tuple(self.cameras))

    def placed(self, values: np.ndarray) -> np.ndarray:
        """(N, 3) mm of the pins' places by what heads do."""
        layout, left, points = self.layout, self.points.left[:, None], self.points
        both = np.tensordot(np.stack([values[layout.left], values[layout.right]]), points.identity, 1)
        out = self.base + left * both[0] + (1 - left) * both[1]
        for view in layout.views:
            here = self.views == view
            out[here] += np.tensordot(values[layout.beta(view)], points.expression[:, here], 1)
        return out

    def camera(self, values: np.ndarray, view: int) -> PerspectiveCamera:
        """Of a photo that has pins."""
        return with_lens(self.cameras[view], values[self.layout.lens(view)])

    def drawn(self, values: np.ndarray, placed: np.ndarray) -> np.ndarray:
        """(N, 2) px."""
        out = np.empty((len(placed), 2))
        for view in self.layout.views:
            here = self.views == view
            out[here] = self.camera(values, view).project(placed[here])
        return out

    def rows(self, values: np.ndarray, placed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(2 N, unknowns) of the picture's px about the head as it stands; (N, 2, 3) px per mm of each place."""
        layout, points = self.layout, self.points
        to_px, out = np.empty((len(placed), 2, 3)), np.zeros((len(placed), 2, layout.count))
        left = points.left[:, None, None]
        for view in layout.views:
            here, camera = self.views == view, self.camera(values, view)
            to_px[here] = point_jacobian(camera, placed[here])
            beside = (camera.project(placed[here]) - camera.center_px)[:, :, None]
            out[here, :, layout.lens(view)] = np.concatenate([pose_jacobian(camera, placed[here]), beside], axis=2)
            out[here, :, layout.beta(view)] = np.einsum("nij,knj->nik", to_px[here], points.expression[:, here])
        shape = np.einsum("nij,knj->nik", to_px, points.identity)
        out[:, :, layout.left], out[:, :, layout.right] = left * shape, (1 - left) * shape
        return out.reshape(2 * len(placed), -1), to_px

    def around(self, local_mm: np.ndarray) -> np.ndarray:
        """(N, 3) mm that the fields about all pins move each pin's place by."""
        out = self.points.together.T @ local_mm
        return out + self.points.together_mirrored.T @ (local_mm * MIRRORED) if self.mirror is not None else out

    def local(self, to_px: np.ndarray) -> np.ndarray:
        """(2 N, 2 N) px², the covariance of what the skin about the pins does beyond what heads do."""
        kernel = self.points.together[:, :, None] * np.ones(3)
        if self.mirror is not None:
            kernel = kernel + self.points.together_mirrored[:, :, None] * MIRRORED
        kernel = (kernel + kernel.transpose(1, 0, 2)) / 2  # places within triangles make it a little uneven
        by_pins = np.einsum("nia,nma,mja->nimj", to_px, _LOCAL_MM**2 * kernel, to_px)
        return by_pins.reshape(2 * len(to_px), -1)


@dataclass(frozen=True)
class Solved:
    """What pins change.

    Attributes:
        values: of all unknowns. local_mm: (N, 3) of the field about each pin, to be multiplied with ``near``.
        pulls_px: (N, 2) what is left between the pins' places and where they were dropped.
    """

    values: np.ndarray
    local_mm: np.ndarray
    pulls_px: np.ndarray


def solve_pins(
    term: PinTerm, settings: PinSettings, model: FaceModel, shape: np.ndarray, poses: dict[int, np.ndarray]
) -> Solved:
    """The change that pins and the automatic fit agree on, by Gauss and Newton within bounds.

    Args:
        shape: equations of α and all photos' β about the automatic head. poses: of the cameras.
    """
    known, bounds = _known(term, settings, model, shape, poses), _bounds(term, settings, model)
    noise = {view: (_SIGMA_MM * px_per_mm(camera)) ** 2 for view, camera in term.cameras.items()}
    noise = np.repeat([noise[view] for view in term.views.tolist()], 2)
    values = _by_model(term, known, bounds, noise, with_skin=True)
    local = _by_skin(term, values, noise)
    most = np.linalg.norm(term.around(local), axis=1).max(initial=0)
    if most > _MOST_LOCAL_MM:
        # The rest of the pull is the model's.
        local *= _MOST_LOCAL_MM / most
        beyond = replace(term, base=term.base + term.around(local))
        values = _by_model(beyond, known, bounds, noise, with_skin=False)
    return Solved(values, local, term.px - term.drawn(values, term.placed(values) + term.around(local)))


def _by_model(
    term: PinTerm, known: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], noise: np.ndarray, *, with_skin: bool
) -> np.ndarray:
    """All unknowns; ``with_skin``: the skin about the pins may take its share."""
    values, rarely = np.zeros(term.layout.count), np.ones(term.layout.count, bool)
    for view in term.layout.views:
        rarely[term.layout.beta(view)] = False  # most expressions are at rest
    drawn = term.drawn(values, placed := term.placed(values))
    for _ in range(_ROUNDS):
        rows, to_px = term.rows(values, placed)
        sure = np.linalg.inv(term.local(to_px) * with_skin + np.diag(noise))
        target = (term.px - drawn).ravel() + rows @ values
        weighted = rows.T @ sure
        values = minimise_rarely_bound(known + weighted @ rows, weighted @ target, *bounds, rarely, values)
        before, drawn = drawn, term.drawn(values, placed := term.placed(values))
        if np.abs(drawn - before).max() < _SETTLED_PX:
            break
    return values


def _by_skin(term: PinTerm, values: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(N, 3) mm of the fields about the pins that take what is left of the pulls."""
    placed, local = term.placed(values), np.zeros((len(term.px), 3))
    for _ in range(2):  # it is not quite linear
        moved = placed + term.around(local)
        _, to_px = term.rows(values, moved)
        left_over = (term.px - term.drawn(values, moved)).ravel()
        push = np.linalg.solve(term.local(to_px) + np.diag(noise), left_over).reshape(-1, 2)
        local += _LOCAL_MM**2 * np.einsum("nij,ni->nj", to_px, push)
    return local


def _known(
    term: PinTerm, settings: PinSettings, model: FaceModel, shape: np.ndarray, poses: dict[int, np.ndarray]
) -> np.ndarray:
    """What the automatic fit weighs, as far as it may change, with the artist's rigidities."""
    layout = term.layout
    modes, expressions = layout.modes, layout.expressions
    photos = [modes + view * expressions + np.arange(expressions) for view in layout.views]
    at = np.concatenate([np.arange(modes), *photos])  # what other photos show stays as it is
    rigid = np.full(len(at), settings.expression_rigidity)
    rigid[:modes] = settings.shape_rigidity
    stiff = np.sqrt(rigid)[:, None] * shape[np.ix_(at, at)] * np.sqrt(rigid)
    both = sided(NormalEquations(stiff, np.zeros(len(at))), modes).quadratic
    out = np.zeros((layout.count, layout.count))
    free = np.concatenate([np.arange(2 * modes), *(np.r_[layout.beta(view)] for view in layout.views)])
    out[np.ix_(free, free)] = both
    for view in layout.views:
        here = term.points.left[term.views == view]
        both_sides = min(here.sum(), (1 - here).sum()) / _POSE_PINS
        lens = layout.lens(view)
        out[lens, lens][:6, :6] = _POSE / (1 + both_sides**2) * settings.pose_rigidity * poses[view]
        out[lens, lens][6, 6] = _FOCAL_SIGMA**-2
    if term.mirror is not None:
        _tie_sides(out, term.mirror, model.expression_names, layout)
    return out


def _tie_sides(quadratic: np.ndarray, mirror: np.ndarray, names: tuple[str, ...], layout: Layout) -> None:
    """Let both sides change alike."""
    unequal = np.hstack([mirror, -np.eye(layout.modes)])
    quadratic[: 2 * layout.modes, : 2 * layout.modes] += _MIRROR * unequal.T @ unequal
    for view in layout.views:
        first = layout.beta(view).start
        for name in names:
            other = name.removesuffix("Left") + "Right"
            if name.endswith("Left") and other in names and not name.startswith("eyeLook"):
                pair = [first + names.index(name), first + names.index(other)]
                quadratic[np.ix_(pair, pair)] += _MIRROR * np.array([[1, -1], [-1, 1]])


def _bounds(term: PinTerm, settings: PinSettings, model: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest change of all unknowns."""
    layout = term.layout
    lower, upper = np.full(layout.count, -np.inf), np.full(layout.count, np.inf)
    touched = _touched(term, np.ones(len(term.views), bool))
    for side, at in (("Left", layout.left), ("Right", layout.right)):
        free = touched[side]
        lower[at], upper[at] = free * np.minimum(-_ALPHA - term.alpha, 0), free * np.maximum(_ALPHA - term.alpha, 0)
    for view in layout.views:
        beta, known = layout.beta(view), term.betas[view].astype(np.float64)
        still = _still(term, view, settings, model)
        lower[beta], upper[beta] = np.where(still, 0, -known), np.where(still, 0, 1 - known)
        if settings.lock_focal:
            focal = layout.lens(view).stop - 1
            lower[focal] = upper[focal] = 0
    return lower, upper


def _still(term: PinTerm, view: int, settings: PinSettings, model: FaceModel) -> np.ndarray:
    """(E,) bool: expressions that stay in a photo, by the artist's wish or because no pin is on their side.

    The eyes follow the irises, not the pins, but where a pin holds one.
    """
    names, here = model.expression_names, term.views == view
    sides = _touched(term, here)
    touched = np.array([all(sides.values()) or sides.get(_side_of(name), False) for name in names])
    gaze = gaze_of(model)
    on_eyes = bool((term.points.at.vertices[here] >= model.skin.stop).any())
    still = np.where(gaze, not on_eyes, ~touched | settings.lock_expression)
    return still | (np.array([name.startswith(_LIDS) for name in names]) & settings.lock_eyes)


def _touched(term: PinTerm, which: np.ndarray) -> dict[str, bool]:
    """Which sides (N,) bool of the pins lie on; with mirrored pins both."""
    left = term.points.left[which]
    return {
        "Left": bool(term.mirror is not None or (left > _TOUCHED).any()),
        "Right": bool(term.mirror is not None or (left < 1 - _TOUCHED).any()),
    }


def _side_of(name: str) -> str:
    """``Left`` or ``Right`` for an expression of one side; empty for those of the whole face."""
    for side in ("Left", "Right"):
        if name.endswith(side) and name.removesuffix(side) not in _SIDEWAYS:
            return side
    return ""


def with_lens(camera: PerspectiveCamera, change: np.ndarray) -> PerspectiveCamera:
    """A camera turned by a rotation vector, shifted, and with a change of its focal length's logarithm, (7,)."""
    if not change.any():
        return camera
    rotation = Rotation.from_rotvec(change[:3]).as_matrix() @ camera.rotation
    focal_px = camera.focal_px * float(np.exp(change[6]))
    return replace(camera, rotation=rotation, translation=camera.translation + change[3:6], focal_px=focal_px)


def px_per_mm(camera: PerspectiveCamera) -> float:
    """The head's scale in a photo."""
    return float(camera.focal_px / camera.translation[2])
