# SPDX-License-Identifier: GPL-3.0-or-later
"""The reconstruction of one person: what is known of the head and of each photo, and the maps."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..eyes.types import EyeLook
from ..fit.pins import PinnedEdit
from ..fit.types import HeadFit, PoseFit
from ..notices import Notice
from ..observe.types import Observation
from ..rendering.stage import LightStage
from ..rendering.types import SkinLight

MOST_PHOTOS = 12
"""Of one person."""
MORE_OBSERVATIONS = tuple(f"observation_{number}.npz" for number in range(2, MOST_PHOTOS + 1))
MORE_PHOTOS = tuple(f"photo_{number}.png" for number in range(2, MOST_PHOTOS + 1))
"""In a result folder, of other photos of the same person."""


@dataclass(frozen=True)
class PhotoLight:
    """The light of one photo.

    Attributes:
        gamma: (G,) float32 coefficients of the albedo basis in σ units, as this photo shows the skin.
        radiance: (B², 3) float32 linear Rec. 709, spherical harmonics of the light's radiance, head frame (see
            ``core/rendering/harmonics.py``); with it the head shows the photo's linear colours.
        stage: the same light as lamps; None in results from before they were estimated.
    """

    gamma: np.ndarray
    radiance: np.ndarray
    stage: LightStage | None = None


@dataclass(frozen=True)
class ByHand:
    """What an artist has done to the automatic fit, and that fit, which every later refit begins with."""

    edit: PinnedEdit
    automatic: HeadFit


@dataclass(frozen=True)
class HeadRecord:
    """What is known of a person, but for pictures: one head, and what each of their photos adds.

    Attributes:
        face_model: ``builtin``, or the id of an imported face model.
        landmarker: what found the 68 landmarks, ``mesh`` or ``fan``.
        expression_source: what ``beta`` was taken from, one of ``EXPRESSION_SOURCES``.
        expression_names: E names in the order of ``beta``.
        observations: the photos, the first the one that the scene's camera and expression come from.
        fit: the head, and its pose in each photo. With ``native_beta`` the weights ``beta`` come near the expression,
            and ``vertices`` are the truth.
        lights: of each photo.
        eyes: colours of iris and white; default ones in results from before they were estimated.
        stage_seconds: seconds per stage, by stage name.
        notices: warnings.
        by_hand: pins that ``fit`` follows; None where nobody has pinned anything.
    """

    face_model: str
    landmarker: str
    expression_source: str
    expression_names: tuple[str, ...]
    observations: tuple[Observation, ...]
    fit: HeadFit
    lights: tuple[PhotoLight, ...]
    eyes: EyeLook
    stage_seconds: dict[str, float]
    notices: tuple[Notice, ...]
    by_hand: ByHand | None = None

    @property
    def automatic(self) -> HeadFit:
        """The fit before anybody pinned anything."""
        return self.fit if self.by_hand is None else self.by_hand.automatic

    @property
    def edit(self) -> PinnedEdit:
        """What has been pinned."""
        return PinnedEdit() if self.by_hand is None else self.by_hand.edit

    @property
    def observation(self) -> Observation:
        """The first photo."""
        return self.observations[0]

    @property
    def pose(self) -> PoseFit:
        """The head in the first photo."""
        return self.fit.pose

    @property
    def light(self) -> PhotoLight:
        """The first photo's."""
        return self.lights[0]


@dataclass(frozen=True)
class Reconstruction:
    """A person's record and maps.

    Attributes:
        record: all but pictures.
        maps: arrays by name, as :data:`~.maps.MAPS` says.
        skin_light: what the first photo's light makes of the head in it; no file keeps it, and None there.
    """

    record: HeadRecord
    maps: Mapping[str, np.ndarray]
    skin_light: SkinLight | None = None

    @property
    def displacement(self) -> np.ndarray:
        """(R, R) float32 mm along the smooth normal, + outwards: the whole relief that the photo shows."""
        return self.maps["displacement_medium"] + self.maps["displacement_fine"]


def result_key(record: HeadRecord) -> str:
    """Tells results of other photos apart."""
    digest = hashlib.sha256()
    for observation in record.observations:
        digest.update(np.ascontiguousarray(observation.landmarks.sparse_px, np.float32))
    return digest.hexdigest()[:16]


def result_folder(directory: Path, photo_name: str) -> Path:
    """Where the result of a photo goes: ``directory/<stem>``, without the dots and spaces Windows drops at the end."""
    stem = Path(photo_name).stem.rstrip(". ")
    return Path(directory) / (stem or "photo")


def same_folder_key(folder: Path) -> str:
    """Equal for folders that are the same one on a disk that ignores case or the form of accents."""
    return unicodedata.normalize("NFC", str(folder.absolute())).casefold()
