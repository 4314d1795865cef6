# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet to look at: twenty people who do not exist, and their heads in grey clay.

    FACEDETAIL_DATA=… python -m scripts.benchmark.clay_sheet OUT.jpg [--relief] [--people ID …]

For each, from left to right: the photo; the clay with the photo's expression through its camera; and the neutral head
from the front, at three quarters and in profile, 300 mm across the cell for everybody. Clay shows what colours hide:
whether sex, age and person can be told from the shape alone. People are by name of ``synthetic_portraits``: both sexes,
18 to 87 years, dark to light, hardly turned. Forty seconds without relief.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.pipeline import detail, fit, illuminate, observe, refine
from facedetail_addon.core.result.preview_frame import trace_frame
from facedetail_addon.core.result.preview_panels import SOFT_LIGHTS, clay, surface_of, with_relief
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.harness import data_folder, description, errors_told, progress, whole_file
from scripts.training.heads.samples import head_rotation

PEOPLE = (
    "female-42", "female-68", "female-91", "female-44", "female-92", "female-36", "female-13", "female-78", "female-96",
    "female-34", "male-7", "male-32", "male-83", "male-12", "male-49", "male-8", "male-3", "male-44", "male-47",
    "male-92",
)  # fmt: skip
CELL = 220
YAWS = (0, -40, -90)
"""Degrees of the neutral heads; to the side that the key light comes from."""
_ACROSS = 2  # people in a line
_GAP_PX = 12
_QUALITY = 85
_FROM_MM, _SHOWN_MM, _CENTRE_MM = 1500.0, 300.0, np.array([0.0, 10.0, 10.0])
_ROOM = 1.15  # of the photo's cell, over the head's extent
_KEY = SOFT_LIGHTS[:1]


@dataclass(frozen=True)
class Person:
    """A reconstructed head.

    Attributes:
        photo: (H, W, 3) uint8 sRGB. camera: the photo's. posed, neutral: (V, 3) mm.
        normal: (R, R, 3) uint16 normal map of the relief, or None.
    """

    photo: np.ndarray
    camera: PerspectiveCamera
    posed: np.ndarray
    neutral: np.ndarray
    normal: np.ndarray | None


def main() -> None:
    """Write the sheet."""
    parser = description(__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.jpg", help="the sheet")
    parser.add_argument("--relief", action="store_true", help="with wrinkles and pores: ten seconds a person")
    parser.add_argument("--people", nargs="+", metavar="ID", default=PEOPLE, help="others of the portraits")
    options = parser.parse_args()
    with errors_told():
        write_sheet(options.out, options.people, options.relief)


def write_sheet(out: Path, names: tuple[str, ...], relief: bool) -> None:
    """Reconstruct the people and draw them.

    Raises:
        AssetError: there is no such portrait, or the sheet's name does not end in ``.jpg``.
    """
    photos = portraits_for(out, names)
    settings = Settings() if relief else Settings(resolution=512, detail=NO_DETAIL)
    models, rows = Models.load(settings), []
    for photo in photos:
        rows.append(row(reconstructed(photo, models, settings), models.model, photo.stem))
        progress(f"{photo.stem}: {len(rows)} of {len(photos)}")
    write_jpg(out, sheet(rows), _QUALITY)


def portraits_for(out: Path, names: tuple[str, ...]) -> list[Path]:
    """Photos of the people of a sheet.

    Raises:
        AssetError: there is no such portrait, or the sheet's name does not end in ``.jpg``.
    """
    if out.suffix.lower() != ".jpg":
        raise AssetError(f"The sheet cannot be written as {out.name}.", "Give it a name that ends in .jpg.")
    photos = [data_folder("synthetic_portraits") / "synthetic_portraits" / f"{name}.jpg" for name in names]
    for photo in photos:
        if not photo.is_file():
            raise AssetError(f"There is no portrait {photo}.", "Name people of its folder, without .jpg.")
    return photos


def write_jpg(out: Path, picture: np.ndarray, quality: int) -> None:
    """An (H, W, 3) uint8 picture, whole or not at all."""
    _, packed = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    with whole_file(out) as path:
        path.write_bytes(packed.tobytes())


def reconstructed(photo: Path, models: Models, settings: Settings) -> Person:
    """As far as the shape needs it."""
    observation = observe(read_photo(photo), models, settings)
    head = refine((observation,), fit((observation,), models, settings), models, settings)
    normal = None
    if models.detail_net is not None:
        light = illuminate(observation, head.pose, models, settings)
        normal = detail(observation, head, light, models).maps.normal
    return Person(observation.pixels, head.pose.perspective, head.pose.vertices, head.vertices_neutral, normal)


def row(person: Person, model: FaceModel, name: str) -> np.ndarray:
    """(CELL, 5 CELL, 3) uint8: photo, clay as in the photo, and the neutral head from three sides."""
    square = head_square(person, model)
    photo = square.crop(person.photo, CELL, cv2.BORDER_CONSTANT)
    cv2.putText(photo, name, (6, CELL - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(photo, name, (6, CELL - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    low, high = square.to_photo(np.array([[0.0, 0.0], [1.0, 1.0]]))
    cells = [photo, in_clay(person.posed, model, person.camera, person.normal, (*low, *high))]
    cells += [in_clay(person.neutral, model, camera_at(yaw), person.normal) for yaw in YAWS]
    return np.concatenate(cells, axis=1)


def head_square(person: Person, model: FaceModel) -> Region:
    """Of the photo around the head without the neck."""
    head = ~model.in_region("neck", "socket")
    px = person.camera.project(model.skin.of(person.posed)[head])
    low, high = px.min(0), px.max(0)
    return Region((low + high) / 2, float((high - low).max()) * _ROOM)


def camera_at(yaw_deg: float) -> PerspectiveCamera:
    """Far before a head that is turned by so much; a cell's picture."""
    rotation = np.diag([1.0, -1.0, -1.0]) @ head_rotation(yaw_deg, 0, 0)
    translation = np.array([0, 0, _FROM_MM]) - rotation @ _CENTRE_MM
    return PerspectiveCamera(rotation, translation, CELL * _FROM_MM / _SHOWN_MM, np.full(2, CELL / 2), (CELL, CELL))


def in_clay(
    vertices: np.ndarray,
    model: FaceModel,
    camera: PerspectiveCamera,
    normal: np.ndarray | None = None,
    box_px: tuple[float, float, float, float] = (0, 0, CELL, CELL),
) -> np.ndarray:
    """(CELL, CELL, 3) uint8 grey: a head, (V, 3) mm, under one lamp; ``normal``: its relief's map, if it is shown."""
    frame = trace_frame(vertices, model, camera, (CELL, CELL), box_px)
    surface = surface_of(frame)
    if normal is not None:
        surface = with_relief(surface, normal, frame)
    grey = cv2.cvtColor(clay(surface, frame, _KEY), cv2.COLOR_RGB2GRAY)
    return np.repeat(grey[..., None], 3, axis=2)


def sheet(rows: list[np.ndarray]) -> np.ndarray:
    """Columns of people side by side, white where there is nobody."""
    height = -(-len(rows) // _ACROSS)
    rows = rows + [np.full_like(rows[0], 255)] * (height * _ACROSS - len(rows))
    columns = [np.concatenate(rows[start : start + height]) for start in range(0, len(rows), height)]
    gap = np.full((len(columns[0]), _GAP_PX, 3), 255, np.uint8)
    return np.concatenate([columns[0]] + [x for column in columns[1:] for x in (gap, column)], axis=1)


if __name__ == "__main__":
    main()
