# SPDX-License-Identifier: GPL-3.0-or-later
"""An artist's pins while they are moved: what a click, a drag, an undo do to them, and the head that follows.

Plain Python: whoever draws asks :meth:`EditSession.poll`, and is never made to wait, for a thread does the refits. Of
moves that come faster than these the last one counts.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .face_model.calibration import LandmarkCalibration
from .face_model.model import FaceModel
from .fit.dense import terms_of
from .fit.outline import OutlineTerm
from .fit.pin_notices import notices
from .fit.pin_places import PinSurface
from .fit.pinned import PinnedFit, PinnedStart, prepare_pins, refit
from .fit.pins import MOST_PINS, NO_PINS, Pin, PinnedEdit, PinSettings
from .fit.prepared import PreparedModel, prepare
from .notices import Notice
from .rendering.normals import vertex_normals
from .result.record import HeadRecord

REACH = 12.0
"""Points of the screen within which a pin or a handle is under the mouse."""
_OUTLINE_STRIDE = 3
_MOST_STEPS = 200
_PAUSE_S = 0.002
_LIGHT = np.array([-0.35, -0.45, -0.82])  # from above and the left, camera axes
_DARKEST = np.float32(0.25)


@dataclass(frozen=True)
class EditBase:
    """What is edited: a result's automatic fit, with the face model prepared for it.

    Attributes:
        record: of the result. prepared, surface: of its face model.
        handles: of each photo places of the head, (part, uv), that are offered: landmarks, and where the outline is.
    """

    record: HeadRecord
    prepared: PreparedModel
    surface: PinSurface
    handles: tuple[tuple[tuple[str, tuple[float, float]], ...], ...]

    @property
    def model(self) -> FaceModel:
        return self.surface.model

    @cached_property
    def solid_triangles(self) -> np.ndarray:
        """(T, 3) of what hides what is behind it."""
        return self.model.solid_triangles()

    @cached_property
    def handle_points(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Of each photo's handles (H, 3) vertices and their weights."""
        found = [[self.surface.embedded(*place) for place in places] for places in self.handles]
        return tuple(tuple(np.array(part) for part in zip(*one, strict=True)) for one in found)

    def start(self, settings: PinSettings) -> PinnedStart:
        """The fit prepared for the chosen lenses."""
        record = self.record
        return prepare_pins(
            record.observations, record.automatic, self.prepared, record.expression_source, settings, self.surface
        )


def edit_base(record: HeadRecord, model: FaceModel, calibration: LandmarkCalibration) -> EditBase:
    """Prepare a result for editing, half a second's work.

    Raises:
        FaceDetailError: the result does not hold what a fit begins with.
    """
    prepared, surface = prepare(model, calibration), PinSurface.of(model)
    place = model.landmarks68
    landmarks = [surface.place_of(*both) for both in zip(place.vertices, place.weights, strict=True)]
    handles = []
    terms = terms_of(record.observations, prepared, record.expression_source)
    outlines = {term.view: term for term in terms if isinstance(term, OutlineTerm)}
    for view, pose in enumerate(record.automatic.poses):
        term, places = outlines.get(view), list(landmarks)
        if term is not None:
            pulls = term.pulls(pose.vertices[term.skin.rows].astype(np.float64), pose.perspective)
            for row in np.unique(term.skin.rows[pulls.rows])[::_OUTLINE_STRIDE].tolist():
                places.append(surface.place_of_vertex(row))
        handles.append(tuple(places))
    return EditBase(record, prepared, surface, tuple(handles))


@dataclass(frozen=True)
class Shown:
    """What a view draws of a photo. All places are pixels of the photo.

    Attributes:
        posed: (V, 3) float32 mm. drawn: (V, 3) float32 px, and depth in mm. shade: (V,) float32, 0 to 1, as clay.
        pins: numbers of the photo's pins among all. dropped, placed: (P, 2) where each was dropped, and where its place
            is. hidden: (P,) bool, those that do not count. handles: (H, 2).
    """

    posed: np.ndarray
    drawn: np.ndarray
    shade: np.ndarray
    pins: np.ndarray
    dropped: np.ndarray
    placed: np.ndarray
    hidden: np.ndarray
    handles: np.ndarray


@dataclass(frozen=True)
class _Answer:
    """A refit that was done, of what was asked for, what a view draws of it, and the processor's seconds it took."""

    edit: PinnedEdit
    photo: int
    fit: PinnedFit
    shown: Shown
    notices: tuple[Notice, ...]
    seconds: float


class EditSession:
    """The pins of one head while an artist moves them.

    Args:
        load: gives what is edited; called in a thread.
        edit: the pins to begin with; None: those of the result.

    Attributes:
        edit: as it is now, a drag that is under way included.
        photo: the photo that is looked at, from 0.
        grabbed: the number of the pin that is dragged, or None.
        refits, busy_s: how many were done and fetched, and the processor's seconds that they took.
    """

    def __init__(self, load: Callable[[], EditBase], edit: PinnedEdit | None = None):
        self.base: EditBase | None = None
        self.edit, self._begun = edit or NO_PINS, edit
        self.photo, self.grabbed, self.refits, self.busy_s = 0, None, 0, 0.0
        self._undone: list[PinnedEdit] = []
        self._done: list[PinnedEdit] = []
        self._before: PinnedEdit | None = None  # the step that is under way began with it
        self._offset = np.zeros(2)
        self._answer: _Answer | None = None
        self._last_kind = ""
        self._worker = _Refitter(load)

    # What a view asks -------------------------------------------------------------------------------------------

    def poll(self) -> bool:
        """Whether something new is there to draw. Returns at once.

        Raises:
            FaceDetailError: the result cannot be edited, or a pin cannot be.
        """
        if self.base is None:
            self.base = self._worker.base()
            if self.base is None:
                return False
            if self._begun is None:
                self.edit = self.base.record.edit
            self._begun = self.edit
            self._ask()
        answer = self._worker.answer()
        if answer is None:
            return False
        self.refits += 1
        self.busy_s += answer.seconds
        self._answer = answer
        return True

    def wait(self) -> None:
        """Until the head has followed all that was done; for scripts and for the end.

        Raises:
            FaceDetailError: as of :meth:`poll`.
        """
        while not self.is_up_to_date:
            if not self.poll():
                time.sleep(_PAUSE_S)

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    @property
    def is_ready(self) -> bool:
        """Whether there is a head to be edited."""
        return self._answer is not None

    @property
    def is_up_to_date(self) -> bool:
        """Whether the head has followed all that was done."""
        return self.is_ready and (self._answer.edit, self._answer.photo) == (self.edit, self.photo)

    @property
    def is_changed(self) -> bool:
        """Whether anything is other than it was at the beginning."""
        return self.edit != self._begun

    @property
    def fit(self) -> PinnedFit | None:
        """The last refit."""
        return None if self._answer is None else self._answer.fit

    @property
    def shown(self) -> Shown | None:
        """What a view draws."""
        return None if self._answer is None else self._answer.shown

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the artist should know of the pins."""
        return () if self._answer is None else self._answer.notices

    @property
    def photos(self) -> int:
        """How many there are."""
        return 0 if self.base is None else len(self.base.record.observations)

    @property
    def image_size(self) -> tuple[int, int]:
        """Of the photo that is looked at."""
        return self.base.record.observations[self.photo].camera_prior.image_size

    def pin_at(self, px: Sequence[float], reach_px: float) -> int | None:
        """The number of the photo's pin under a place, the nearest within reach."""
        own = [number for number, pin in enumerate(self.edit.pins) if pin.photo == self.photo]
        return _nearest([self.edit.pins[number].px for number in own], own, px, reach_px)

    def handle_at(self, px: Sequence[float], reach_px: float) -> int | None:
        """The number of the photo's handle under a place."""
        places = self.shown.handles
        return _nearest(places, range(len(places)), px, reach_px)

    # What an artist does ----------------------------------------------------------------------------------------

    def press(self, px: Sequence[float], reach_px: float) -> bool:
        """Take hold of the pin under a place, or of a new one there: on a handle, or anywhere on the head.

        Returns:
            whether there was anything to take hold of.
        """
        if not self.is_ready:
            return False
        number = self.pin_at(px, reach_px)
        if number is None:
            number = self._added(px, reach_px)
        if number is None:
            return False
        if self._before is None:
            self._before = self.edit
        self.grabbed = number
        self._offset = np.subtract(self.edit.pins[number].px, px)
        return True

    def drag(self, px: Sequence[float]) -> None:
        """Move the pin that is held."""
        if self.grabbed is not None:
            size = np.array(self.image_size, np.float64)
            at = np.clip(np.add(px, self._offset), -size / 2, 1.5 * size)
            pins = list(self.edit.pins)
            pins[self.grabbed] = pins[self.grabbed].moved(tuple(at))
            self._become(self.edit.with_pins(pins))

    def release(self) -> None:
        """Let go of it: one step for undo."""
        self.grabbed = None
        self._finish_step("drag")

    def cancel_drag(self) -> bool:
        """Back to where the drag began; whether there was one."""
        if self.grabbed is None:
            return False
        self.grabbed, before, self._before = None, self._before, None
        self._become(before)
        return True

    def remove(self, number: int) -> None:
        """Take a pin away."""
        self._step(self.edit.with_pins([pin for at, pin in enumerate(self.edit.pins) if at != number]))

    def align_again(self) -> None:
        """The photo's automatic alignment once more: without its pins and with its automatic lens."""
        pins = [pin for pin in self.edit.pins if pin.photo != self.photo]
        settings = self.edit.settings.with_focal(self.photo, None)
        self._step(PinnedEdit(tuple(pins), settings))

    def set(self, **settings: object) -> None:
        """Other rigidities, locks or lenses. Changes of the same thing one after the other are one step."""
        changed = replace(self.edit, settings=replace(self.edit.settings, **settings))
        if changed == self.edit:
            return
        kind = " ".join(sorted(settings))
        if kind == self._last_kind and self._done:
            self._become(changed)
        else:
            self._step(changed)
            self._last_kind = kind

    def set_focal(self, focal_px: float | None) -> None:
        """Another lens for the photo that is looked at; None: the automatic one."""
        self.set(focal_px=self.edit.settings.with_focal(self.photo, focal_px).focal_px)

    def look_at(self, photo: int) -> None:
        """Another photo."""
        if 0 <= photo < self.photos:
            self.release()
            self.photo = photo
            self._ask()

    def undo(self) -> bool:
        """One step back; whether there was one."""
        return self.cancel_drag() or self._go(self._done, self._undone)

    def redo(self) -> bool:
        """One step forth; whether there was one."""
        return self._go(self._undone, self._done)

    # ------------------------------------------------------------------------------------------------------------

    def _added(self, px: Sequence[float], reach_px: float) -> int | None:
        """The number of a new pin; None where nothing of the head is."""
        if len(self.edit.pins) >= MOST_PINS:
            return None
        handle = self.handle_at(px, reach_px)
        if handle is not None:
            place, at = self.base.handles[self.photo][handle], self.shown.handles[handle]
        else:
            fit = self.fit
            place = self.base.surface.place_under(self.shown.posed, fit.cameras[self.photo], tuple(px))
            at = px
        if place is None:
            return None
        self._before = self.edit
        pin = Pin(self.photo, place[1], (float(at[0]), float(at[1])), place[0])
        self._become(self.edit.with_pins((*self.edit.pins, pin)))
        return len(self.edit.pins) - 1

    def _go(self, steps: list[PinnedEdit], others: list[PinnedEdit]) -> bool:
        """To the last of some steps; where we are is the last of the others then."""
        if not steps:
            return False
        others.append(self.edit)
        self._last_kind = ""
        self._become(steps.pop())
        return True

    def _step(self, edit: PinnedEdit) -> None:
        self.release()
        self._before = self.edit
        self._become(edit)
        self._finish_step("step")

    def _finish_step(self, kind: str) -> None:
        before, self._before = self._before, None
        if before is not None and before != self.edit:
            self._done = [*self._done, before][-_MOST_STEPS:]
            self._undone.clear()
            self._last_kind = kind

    def _become(self, edit: PinnedEdit) -> None:
        self.edit = edit
        self._ask()

    def _ask(self) -> None:
        self._worker.ask(self.edit, self.photo)


class _Refitter:
    """A thread that loads what is edited, and then does the last refit that was asked for."""

    def __init__(self, load: Callable[[], EditBase]):
        self._load, self._base, self._error = load, None, None
        self._asked: tuple[PinnedEdit, int] | None = None
        self._answer: _Answer | None = None
        self._ended = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def base(self) -> EditBase | None:
        """What is edited, once it is there."""
        with self._news:
            self._raise_error()
            return self._base

    def ask(self, edit: PinnedEdit, photo: int) -> None:
        """Refit as soon as possible; what was asked for and not begun is forgotten."""
        with self._news:
            self._asked = edit, photo
            self._news.notify_all()

    def answer(self) -> _Answer | None:
        """The last refit that nobody has fetched."""
        with self._news:
            self._raise_error()
            answer, self._answer = self._answer, None
            return answer

    def close(self) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        try:
            base = self._load()
            with self._news:
                self._base = base
        except Exception as error:  # noqa: BLE001  raised again where it is asked for
            self._fail(error)
            return
        start, fit = None, None
        while True:
            with self._news:
                self._news.wait_for(lambda: self._asked is not None or self._ended)
                if self._ended:
                    return
                (edit, photo), self._asked = self._asked, None
            begun = time.thread_time()
            try:
                if start is None or not start.is_for(edit.settings):
                    start = base.start(edit.settings)
                fit = refit(start, edit, None if fit is None else fit.points)
                shown, told = _shown(base, fit, edit, photo), notices(fit, edit)
                answer = _Answer(edit, photo, fit, shown, told, time.thread_time() - begun)
                with self._news:
                    self._answer = answer
            except Exception as error:  # noqa: BLE001  as above; the next refit may be possible
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        with self._news:
            self._error = error


def _shown(base: EditBase, fit: PinnedFit, edit: PinnedEdit, photo: int) -> Shown:
    camera, posed = fit.cameras[photo], fit.posed(photo)
    turned = posed @ camera.rotation.T.astype(np.float32) + camera.translation.astype(np.float32)
    drawn = np.empty_like(turned)
    drawn[:, :2] = turned[:, :2] * np.float32(camera.focal_px) / turned[:, 2:] + camera.center_px.astype(np.float32)
    drawn[:, 2] = turned[:, 2]
    towards = vertex_normals(posed, base.solid_triangles) @ (camera.rotation.T @ _LIGHT).astype(np.float32)
    shade = _DARKEST + (1 - _DARKEST) * towards.clip(0, 1)
    pins = np.array([number for number, pin in enumerate(edit.pins) if pin.photo == photo], int)
    dropped = np.array([edit.pins[number].px for number in pins], np.float64).reshape(-1, 2)
    pulls = np.nan_to_num(fit.pulls_px[pins]).reshape(-1, 2)
    return Shown(posed, drawn, shade, pins, dropped, dropped - pulls, fit.hidden[pins], _handles(base, drawn, photo))


def _handles(base: EditBase, drawn: np.ndarray, photo: int) -> np.ndarray:
    vertices, weights = base.handle_points[photo]
    return np.einsum("nkc,nk->nc", drawn[vertices][..., :2], weights)


def _nearest(
    places: Sequence[Sequence[float]], numbers: Sequence[int], px: Sequence[float], reach_px: float
) -> int | None:
    if not len(places):
        return None
    away = np.linalg.norm(np.subtract(places, px), axis=1)
    nearest = int(away.argmin())
    return numbers[nearest] if away[nearest] <= reach_px else None
