# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found of one photo once the head is known."""

from dataclasses import dataclass

import numpy as np

from .detail.types import DetailMaps
from .eyes.types import EyeLook
from .fit.pin_notices import notices as pin_notices
from .fit.pinned import PinnedFit
from .fit.pins import PinnedEdit
from .fit.types import HeadFit
from .lighting.types import LightEstimate
from .notices import Notice
from .rendering.rays import RayScene
from .rendering.stage import LightStage
from .rendering.transfer import open_sky
from .rendering.types import SkinLight, Transfer
from .result.record import ByHand, PhotoLight
from .skin.types import SkinMaps
from .uv.types import UnwrappedPhoto


@dataclass(frozen=True)
class FittedHead:
    """A head, and what it became of.

    Attributes:
        automatic: the fit to landmarks, outline, light and shade. by_landmarks: the same without light and shade; None
            where nobody knows any more.
        pinned: what an artist's pins make of that, and ``edit`` the pins; None where there are none.
    """

    automatic: HeadFit
    by_landmarks: HeadFit | None
    pinned: PinnedFit | None = None
    edit: PinnedEdit = PinnedEdit()

    @property
    def head(self) -> HeadFit:
        """The head itself."""
        return self.automatic if self.pinned is None else self.pinned.head()

    @property
    def by_hand(self) -> ByHand | None:
        """What its record keeps of the pins."""
        return None if self.pinned is None else ByHand(self.edit, self.automatic)

    @property
    def pin_notices(self) -> tuple[Notice, ...]:
        """What an artist should know of the pins."""
        return () if self.pinned is None else pin_notices(self.pinned, self.edit)


@dataclass(frozen=True)
class Illumination:
    """One photo's light on the fitted head.

    Attributes:
        unwrapped: what the photo shows of the skin, in canonical UV. transfer: of the posed head.
        estimate: the light, the albedo's coefficients, and what both make of the skin.
        stage: the same light as lamps.
        scene: the posed head for rays, where more of them are wanted.
    """

    unwrapped: UnwrappedPhoto
    transfer: Transfer
    estimate: LightEstimate
    stage: LightStage
    scene: RayScene | None = None


@dataclass(frozen=True)
class Appearance:
    """The skin's maps and the eyes' colours, without the photo's light."""

    skin: SkinMaps
    eyes: EyeLook


@dataclass(frozen=True)
class Relief:
    """Displacement and its normals, and what an artist should know of them.

    Attributes:
        shares: (R, R, G) uint8, 255 = 1, of the relief that belongs to the photo's expression; any R.
    """

    maps: DetailMaps
    shares: np.ndarray
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class SeenSkin:
    """What one photo tells of light and skin; ``hair``: (S, S) uint8, 255 = where it shows hair, any S."""

    light: Illumination
    relief: Relief
    appearance: Appearance
    hair: np.ndarray

    @property
    def photo_light(self) -> PhotoLight:
        """As results have it."""
        return PhotoLight(self.light.estimate.gamma, self.light.estimate.radiance, self.light.stage)

    @property
    def skin_light(self) -> SkinLight:
        """What it makes of the skin."""
        return SkinLight(self.light.estimate.shading, self.light.estimate.gloss, open_sky(self.light.transfer))
