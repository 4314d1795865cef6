# SPDX-License-Identifier: GPL-3.0-or-later
"""The reconstruction of one face, saved to a result folder and read back from it."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..eyes.types import EyeLook
from ..face_model.model import FaceModel
from ..geometry.camera import AffineCamera, PerspectiveCamera
from ..notices import Notice
from ..observe.expression.types import Emotion


@dataclass(frozen=True)
class HeadRecord:
    """What is known about one face of one photo, but for pictures.

    Attributes:
        photo_name: file name of the photo.
        face_model: ``builtin``, or the id of an imported face model.
        landmarker: what found the 68 landmarks, ``mesh`` or ``fan``.
        expression_names: E names in the order of ``beta``.
        alpha: (K,) float32 identity in σ units.
        beta: (E,) float32 expression weights in [0, 1].
        native_beta: (S,) float32 coefficients in σ units of the expression modes of either sign that an imported model
            has of its own (``NativeExpressions``); empty where it has none or they were not fitted.
        expression_source: what ``beta`` was taken from, one of ``EXPRESSION_SOURCES``.
        emotion: of the face in the photo, whatever ``expression_source`` is.
        affine, perspective: cameras, head frame mm to photo px.
        landmarks68_px: (68, 2) float32 found in the photo.
        landmarks68_mm: (68, 3) float32 the same points on the reconstructed posed mesh, head frame.
        vertices, vertices_neutral: (V, 3) float32 mm of all the model's parts, with and without expression. With
            ``native_beta`` the weights ``beta`` come near the expression, and ``vertices`` are the truth.
        gamma: (G,) float32 coefficients of the albedo basis in σ units.
        sh_radiance: (B², 3) float32 linear Rec. 709, spherical harmonics of the light's radiance, head frame (see
            ``core/rendering/harmonics.py``); with it the head shows the photo's linear colours.
        eyes: colours of iris and white; usual ones in results from before they were estimated.
        stage_seconds: seconds per stage, by stage name.
        notices: warnings.
    """

    photo_name: str
    face_model: str
    landmarker: str
    expression_names: tuple[str, ...]
    alpha: np.ndarray
    beta: np.ndarray
    native_beta: np.ndarray
    expression_source: str
    emotion: Emotion
    affine: AffineCamera
    perspective: PerspectiveCamera
    landmarks68_px: np.ndarray
    landmarks68_mm: np.ndarray
    vertices: np.ndarray
    vertices_neutral: np.ndarray
    gamma: np.ndarray
    sh_radiance: np.ndarray
    eyes: EyeLook
    stage_seconds: dict[str, float]
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class Reconstruction(HeadRecord):
    """Everything known about one face of one photo: the head's record and its pictures.

    Attributes:
        photo: (H, W, 3) uint8 sRGB, upright as an artist sees it.
        albedo: (R, R, 3) uint8 sRGB, the skin's diffuse colour in canonical UV without the photo's light, complete.
        roughness, specular: (R, R) uint8, 255 = 1: GGX roughness (its square is α), and Blender's Specular IOR Level.
        displacement_medium, displacement_fine: (R, R) float32 mm along the smooth normal, + outwards: wrinkles; pores
            and lines.
        normal, normal_fine: (R, R, 3) uint16 tangent space normals of both together, and of the fine relief alone (see
            ``core/detail/types.py``).
        confidence: (R, R) float32, 1 seen straight on … 0 filled in.
    """

    photo: np.ndarray
    albedo: np.ndarray
    roughness: np.ndarray
    specular: np.ndarray
    displacement_medium: np.ndarray
    displacement_fine: np.ndarray
    normal: np.ndarray
    normal_fine: np.ndarray
    confidence: np.ndarray

    @property
    def displacement(self) -> np.ndarray:
        """(R, R) float32 mm: the whole relief."""
        return self.displacement_medium + self.displacement_fine

    def save(self, directory: Path, model: FaceModel | None = None, also: Callable[[Path], None] | None = None) -> Path:
        """Write the result folder ``directory/<photo stem>``, whole or not at all.

        An older result there is replaced; a folder that holds anything else is left alone.

        Args:
            directory: where result folders go; made when missing.
            model: the face model of this reconstruction; found by its name when not given.
            also: writes more files (``scene.blend``, ``render.png``) into the folder it is given, before the result
                appears in its place; what it raises leaves nothing behind.

        Returns:
            The result folder.

        Raises:
            OutputError: it cannot be written, or something else lies there.
        """
        from .files import write_result

        return write_result(self, Path(directory), model, also)

    @classmethod
    def load(cls, folder: Path) -> "Reconstruction":
        """Read a result folder back; every value is checked.

        The maps, ``photo`` and all numbers come back exactly, ``confidence`` to 1/65535.

        Raises:
            OutputError: not a result folder, of another version, incomplete, or with values that cannot be.
        """
        from .files import read_result

        return read_result(Path(folder))


def result_folder(directory: Path, photo_name: str) -> Path:
    """Where the result of a photo goes: ``directory/<stem>``, without the dots and spaces Windows drops at the end."""
    stem = Path(photo_name).stem.rstrip(". ")
    return Path(directory) / (stem or "photo")


def same_folder_key(folder: Path) -> str:
    """Equal for folders that are the same one on a disk that ignores case or the form of accents."""
    return unicodedata.normalize("NFC", str(folder.absolute())).casefold()
