# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the colours of a face's eyes."""

from dataclasses import dataclass

from ..face_model.eyeball import IRIS_RADIUS_MM

Colour = tuple[float, float, float]
"""Linear Rec. 709."""


@dataclass(frozen=True)
class EyeLook:
    """Iris and white of both eyes of a face, without the photo's light.

    Reflectances are those of paint on the eyeball: what cornea and tears take away is in them, their gloss is not.

    Attributes:
        iris: median of the iris between pupil and limbus. sclera: of the white, away from lids and corners.
        iris_mm: visible diameter of the iris on the fitted head.
        confidence: 0 where the photo says nothing and ``iris`` is a usual brown, towards 1 where it is seen well.
        iris_inner: of the ring around the pupil, as bright as ``iris``; None where nobody has looked.
    """

    iris: Colour
    sclera: Colour
    iris_mm: float
    confidence: float
    iris_inner: Colour | None = None


DEFAULT_EYES = EyeLook(
    iris=(0.045, 0.028, 0.020), sclera=(0.45, 0.40, 0.385), iris_mm=2 * IRIS_RADIUS_MM, confidence=0.0
)
"""Where nothing is seen."""
CORNEA_GLOSS = 0.4
"""Of a cornea's reflection, what a drawn eye has. A photo's light is too smooth for catchlights: all of it would be a
grey veil over the pupil. Lamps, suns and the studio's softboxes still show as highlights."""
CORNEA_IOR = 1.376
"""Index of refraction."""
EYE_REFLECTED = CORNEA_GLOSS * ((CORNEA_IOR - 1) / (CORNEA_IOR + 1)) ** 2
"""What an eye so reflects of the light in front of it."""
EYE_VEIL = 0.3 * EYE_REFLECTED
"""The same of a photo's smooth light around the pupil: lids and brows hide the rest (0.001 to 0.008 in Cycles)."""
