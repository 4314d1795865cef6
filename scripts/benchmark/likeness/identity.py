# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the picture of a reconstruction is the photo's person, as face recognition sees it."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.pipeline import illuminate, paint, reconstruct
from facedetail_addon.core.result.preview import appearance_of
from facedetail_addon.core.result.preview_frame import trace_frame
from facedetail_addon.core.result.preview_panels import paint_of, relit
from facedetail_addon.core.result.record import PhotoLight, Reconstruction
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.benchmark.errors import rounded
from scripts.benchmark.likeness.portraits import mean_head
from scripts.benchmark.recognition import describe, distances
from scripts.harness import table

PHOTO, OTHER_PHOTO = "the photo", "the other photo"
ON_GREY, IN_PHOTO, THREE_QUARTER = "photo's view, on grey", "photo's view, in the photo", "three-quarter view, on grey"
MEAN_ON_GREY, MEAN_THREE_QUARTER = "mean head, photo's view, on grey", "mean head, three-quarter view, on grey"
RENDERS = (ON_GREY, IN_PHOTO, MEAN_ON_GREY, THREE_QUARTER, MEAN_THREE_QUARTER)
TARGETS = {ON_GREY: 0.25, IN_PHOTO: 0.25, MEAN_ON_GREY: 0.25, THREE_QUARTER: 0.40, MEAN_THREE_QUARTER: 0.40}
THREE_QUARTER_DEG = (-40.0, 40.0)
SETTINGS = Settings(resolution=1024, detail=NO_DETAIL)
COLUMNS = (
    "picture", "to the photo: mean", "median", "largest", "within the target, %", "to the other photo: mean",
    "rank-1 among the other photos, %", "to the picture in the photo's view: mean",
)  # fmt: skip
_FACE_PX = 300  # from ear to ear
_AROUND = 0.25  # of the head's size, so that a chip is filled
_STRIP_PX = 480  # height of kept pictures
_JAW = (0, 16)  # of iBUG's 68, beside the ears

Descriptors = dict[str, np.ndarray]
"""(K, 128) by kind of picture; one a picture but for the three-quarter view, which has one a side."""


@cache
def load_models() -> Models:
    """Once per process."""
    return Models.load(SETTINGS)


def described(photos: tuple[Path, Path], keep: Path | None = None) -> Descriptors | None:
    """Reconstruct a person from one photo, draw the head, and describe photos and drawings.

    Args:
        photos: that to reconstruct, and another of the same person. keep: a folder for a strip of pictures a person.

    Returns:
        None where no face is found.
    """
    models = load_models()
    try:
        found = reconstruct(photos[0], models, SETTINGS, lambda _text, _done: None)
    except NoFaceError:
        return None
    other = read_photo(photos[1]).pixels
    faces = models.landmarker.find(other)
    if not faces:
        return None
    photo, landmarks = found.maps["photo"], found.record.observation.landmarks.sparse_px
    drawn, of_mean = drawings(found, models), drawings(on_mean_head(found, models), models)
    drawn |= {MEAN_ON_GREY: of_mean[ON_GREY], MEAN_THREE_QUARTER: of_mean[THREE_QUARTER]}
    if keep is not None:
        pictures = [picture for kind in drawn.values() for picture, _ in kind]
        sizes = [(round(_STRIP_PX * one.shape[1] / one.shape[0]), _STRIP_PX) for one in pictures]
        strip = np.hstack([cv2.resize(one, size) for one, size in zip(pictures, sizes, strict=True)])
        cv2.imwrite(str(keep / f"{photos[0].stem}.png"), strip[..., ::-1])
    return {
        PHOTO: describe(photo, landmarks)[None],
        OTHER_PHOTO: describe(other, faces[0].sparse_px)[None],
        **{kind: np.array([describe(*one) for one in pictures]) for kind, pictures in drawn.items()},
    }


def on_mean_head(found: Reconstruction, models: Models) -> Reconstruction:
    """The photo's colours on the mean head: what a likeness is without the person's shape."""
    observation = found.record.observation
    head = mean_head(observation, models)
    light = illuminate(observation, head.pose, models, SETTINGS)
    appearance = paint(observation, head.pose, light, models)
    lights = (PhotoLight(light.estimate.gamma, light.estimate.radiance),)
    record = replace(found.record, fit=head, lights=lights, eyes=appearance.eyes)
    return replace(found, record=record, maps={**found.maps, "albedo": appearance.skin.albedo})


def drawings(found: Reconstruction, models: Models) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """By kind, pictures, (h, w, 3) uint8, with the 68 landmarks in them, (68, 2) px.

    In the photo's view they are those of the photo, so that both chips show the same; elsewhere the fitted head's.
    """
    camera, marks = found.record.pose.perspective, found.record.pose.landmarks68_mm.astype(np.float64)
    scale = _FACE_PX / float(np.ptp(camera.project(marks[list(_JAW)])[:, 0]))
    box = _box(found, camera, models)
    picture, cover = _drawn(found, camera, box, scale, models)
    photo = cv2.resize(_cut(found.maps["photo"], box), picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    over = (cover * picture + (1 - cover) * photo + 0.5).astype(np.uint8)
    landmarks = _inside(found.record.observation.landmarks.sparse_px, box, picture)
    turned = []
    for degrees in THREE_QUARTER_DEG:
        orbit = orbited(camera, marks.mean(axis=0), degrees)
        box = _box(found, orbit, models)
        side, _ = _drawn(found, orbit, box, scale, models)
        turned.append((side, _inside(orbit.project(marks), box, side)))
    return {ON_GREY: [(picture, landmarks)], IN_PHOTO: [(over, landmarks)], THREE_QUARTER: turned}


def identity_table(people: list[Descriptors]) -> tuple[list[str], dict[str, dict[str, float]]]:
    """A line per kind of picture, with the same person's other photo and other people's photos for comparison.

    The last column is what turning alone costs: the same head with the same skin in the same light, from the side.

    Args:
        people: at least two.
    """
    photos, others = (np.concatenate([one[kind] for one in people]) for kind in (PHOTO, OTHER_PHOTO))
    figures = {OTHER_PHOTO: _summary(others[:, None], photos, photos)}
    del figures[OTHER_PHOTO]["to_other_photo"], figures[OTHER_PHOTO]["rank1_percent"]
    figures |= {kind: _summary(np.array([one[kind] for one in people]), photos, others) for kind in RENDERS}
    for kind, target in TARGETS.items():
        near = np.array([np.linalg.norm(one[kind] - one[PHOTO], axis=1).mean() for one in people])
        figures[kind]["within_target_percent"] = rounded(100 * (near <= target).mean(), 1)
    for turned, front in ((THREE_QUARTER, ON_GREY), (MEAN_THREE_QUARTER, MEAN_ON_GREY)):
        own = [np.linalg.norm(one[turned] - one[front], axis=1).mean() for one in people]
        figures[turned]["to_front"] = rounded(np.mean(own))
    apart = distances(photos, photos)[np.triu_indices(len(people), 1)]
    figures["other people's photos"] = {"mean": rounded(apart.mean()), "median": rounded(np.median(apart))}
    keys = ("mean", "median", "largest", "within_target_percent", "to_other_photo", "rank1_percent", "to_front")
    return table(COLUMNS, [(name, *map(row.get, keys)) for name, row in figures.items()]), figures


def _summary(pictures: np.ndarray, photos: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """Figures of (N, K, 128) pictures against (N, 128) photos they were made from and the same people's other ones."""
    own = np.linalg.norm(pictures - photos[:, None], axis=-1).mean(axis=1)
    second = np.linalg.norm(pictures - others[:, None], axis=-1)
    nearest = np.stack([distances(side, others).argmin(axis=1) for side in pictures.swapaxes(0, 1)])
    return {
        "mean": rounded(own.mean()),
        "median": rounded(np.median(own)),
        "largest": rounded(own.max()),
        "to_other_photo": rounded(second.mean()),
        "rank1_percent": rounded(100 * (nearest == np.arange(len(others))).mean(), 1),
    }


_Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in px of a camera's picture; may reach beyond it."""


def _box(found: Reconstruction, camera: PerspectiveCamera, models: Models) -> _Box:
    """Around the head without the neck, and what a chip shows beside it."""
    head = models.model.skin.of(found.record.pose.vertices)[~models.model.in_region("neck", "socket")]
    at = camera.project(head.astype(np.float64))
    low, high = at.min(axis=0), at.max(axis=0)
    around = _AROUND * (high - low).max()
    return (*np.floor(low - around).astype(int).tolist(), *np.ceil(high + around).astype(int).tolist())


def _drawn(
    found: Reconstruction, camera: PerspectiveCamera, box: _Box, scale: float, models: Models
) -> tuple[np.ndarray, np.ndarray]:
    """The head in its light on grey, (h, w, 3) uint8, and how much of each pixel it covers, (h, w, 1) 0..1."""
    appearance = appearance_of(found)
    size = (round(scale * (box[2] - box[0])), round(scale * (box[3] - box[1])))
    frame = trace_frame(found.record.pose.vertices, models.model, camera, size, box)
    cover = frame.cover.reshape(*frame.size[::-1], 1)
    return relit(appearance, paint_of(appearance, frame), frame), cover


def _cut(photo: np.ndarray, box: _Box) -> np.ndarray:
    """A box of the photo, black beyond it as in chips."""
    height, width = photo.shape[:2]
    x0, y0, x1, y1 = box
    beyond = ((max(0, -y0), max(0, y1 - height)), (max(0, -x0), max(0, x1 - width)), (0, 0))
    wide = np.pad(photo, beyond)
    x, y = x0 + beyond[1][0], y0 + beyond[0][0]
    return wide[y : y + y1 - y0, x : x + x1 - x0]


def _inside(places_px: np.ndarray, box: _Box, picture: np.ndarray) -> np.ndarray:
    """(N, 2) px of a camera's picture to those of the picture of a box."""
    low, high = np.array(box[:2]), np.array(box[2:])
    return (places_px - low) * (np.array(picture.shape[1::-1]) / (high - low))


def orbited(camera: PerspectiveCamera, middle: np.ndarray, degrees: float) -> PerspectiveCamera:
    """The camera moved around the head, whose vertical is the head frame's, looking at the same point as before."""
    rotation = camera.rotation @ Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    seen_at = camera.rotation @ middle + camera.translation
    return replace(camera, rotation=rotation, translation=seen_at - rotation @ middle)
