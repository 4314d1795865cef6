# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo itself as a term of the fit: colours of the skin against what shape, light and albedo make of them.

Stage I of Dib et al. (2021) by Gauss–Newton instead of gradient descent: a vertex moves over the photo, whose slopes
tell what it meets there, and its normal turns in the light. Light, γ and a field of pigment are unknowns of the same
step and eliminated from it (as in variable projection, Golub and Pereyra 1973): what they explain bends no head.
"""

from dataclasses import dataclass

import numpy as np

from ...geometry.camera import PerspectiveCamera
from ...geometry.gradients import surface_gradient
from ...lighting.types import LightEstimate
from ...rendering.normals import vertex_normals
from ...rendering.types import Transfer
from ...skin.types import AlbedoBasis
from ...uv.types import UnwrappedPhoto
from ..perspective import point_jacobian
from ..types import PoseFit
from .lit_skin import Eliminated, LitSkin, Shaded
from .photo import BlurredPhoto, blurred_photo
from .skin import PhotometricSkin

_BLUR_MM = 1.5  # about the distance of the mesh's vertices
_PATCH_MM2 = 30.0  # of skin that says as much as one independent measurement
_PHOTO_NOISE = 0.05  # of the logarithm, besides what the albedo basis leaves over
_PAINTED = 1.3  # how much more lids, lips and brows differ than the basis leaves over
_LEAST_CONFIDENCE = 0.1
_LEAST_VERTICES = 300
_STRIDE = 2  # every second vertex pulls, the others are held back


@dataclass(frozen=True)
class Photometry:
    """What a first look told of one photo's colours.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB. unwrapped: of the pose that ``transfer`` and ``light`` belong to.
        basis: of the albedo that ``light.gamma`` is of.
    """

    pixels: np.ndarray
    unwrapped: UnwrappedPhoto
    transfer: Transfer
    light: LightEstimate
    basis: AlbedoBasis


@dataclass(frozen=True)
class PhotometricTerm:
    """The colours of the skin in one photo, in units of their own noise.

    Attributes:
        view: the photo. skin: of the model. rows: (N,) its vertices that are compared. lit: of these.
        photo: its colours. strength: factor beside the other terms.
    """

    view: int
    skin: PhotometricSkin
    rows: np.ndarray
    lit: LitSkin
    photo: BlurredPhoto
    strength: float

    def linearised(self, values: np.ndarray, camera: PerspectiveCamera, nuisances: np.ndarray) -> Eliminated:
        """One joint step of (α, β) and the nuisances about (K + E,) ``values`` and (Q,) ``nuisances``.

        The pigment begins anew at every step: carried on, it would keep what the first, rough shape left to it.
        """
        nuisances = self.lit.without_pigment(nuisances)
        return self.lit.eliminated(*self.compared(values, camera, nuisances), nuisances, values)

    def compared(
        self, values: np.ndarray, camera: PerspectiveCamera, nuisances: np.ndarray
    ) -> tuple[Shaded, np.ndarray]:
        """The model beside the photo, and (N, 3, K + E) float32, how log model − log photo changes with (α, β)."""
        vertices = self.skin.posed(values)
        normals = vertex_normals(vertices, self.skin.triangles)[self.rows].astype(np.float64)
        colour, slopes = self._seen(vertices, camera)
        shaded = self.lit.shaded(colour, normals, nuisances)
        return shaded, self._by_normals(shaded, vertices, normals) - self._by_places(colour, slopes, vertices, camera)

    def misfit(self, values: np.ndarray, camera: PerspectiveCamera) -> float:
        """How badly the photo is explained, 0 to 1: what share of the vertices are outliers, more or less."""
        vertices = self.skin.posed(values)
        normals = vertex_normals(vertices, self.skin.triangles)[self.rows].astype(np.float64)
        shaded = self.lit.suited(self._seen(vertices, camera)[0], normals)
        measurements = self.lit.weight * self.lit.sigma**2
        return float(np.average(1 - np.sqrt(shaded.robust), weights=measurements))

    def _seen(self, vertices: np.ndarray, camera: PerspectiveCamera) -> tuple[np.ndarray, np.ndarray]:
        return self.photo.at(camera.project(vertices[self.rows].astype(np.float64)))

    def _by_places(
        self, colour: np.ndarray, slopes: np.ndarray, vertices: np.ndarray, camera: PerspectiveCamera
    ) -> np.ndarray:
        """(N, 3, M) float32: how log photo changes where a vertex moves to another place."""
        to_px = point_jacobian(camera, vertices[self.rows].astype(np.float64))
        by_mm = np.einsum("ncp,npk->nck", slopes, to_px) / self.lit.floored(colour)[..., None]
        return by_mm.astype(np.float32) @ self.skin.motion[self.rows]

    def _by_normals(self, shaded: Shaded, vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """(N, 3, M) float32: how log model changes where a normal turns; δn = −(∇δx)ᵀ n."""
        count = len(vertices)
        motion = self.skin.motion.reshape(count, -1)
        by_turn = shaded.albedo[..., None] * shaded.light.transpose(0, 2, 1) / shaded.total[..., None]
        out = np.zeros((len(self.rows), 3, self.skin.motion.shape[2]), np.float32)
        for axis, gradient in enumerate(surface_gradient(vertices, self.skin.triangles)):
            change = (gradient[self.rows] @ motion).reshape(len(self.rows), 3, -1)
            turn = np.einsum("nk,nkm->nm", normals.astype(np.float32), change)
            out -= by_turn[:, :, axis, None].astype(np.float32) * turn[:, None]
        return out


def photometric_terms(
    view: int, skin: PhotometricSkin, look: Photometry, pose: PoseFit, strength: float
) -> tuple[PhotometricTerm, PhotometricTerm] | None:
    """The term of a photo, and the same of vertices that it does not look at; None where too little skin is seen.

    Args:
        pose: that of ``look``.
    """
    basis = look.basis.grey() if look.light.monochrome else look.basis
    seen = look.unwrapped
    confidence = seen.vertex_confidence * basis.known * (1 - seen.vertex_clipped).clip(0, 1)
    rows = np.flatnonzero(skin.face & (confidence > _LEAST_CONFIDENCE))
    if len(rows) < _LEAST_VERTICES:
        return None
    camera, points = pose.perspective, pose.vertices[rows].astype(np.float64)
    px_per_mm = camera.focal_px / float(np.median(points @ camera.rotation[2] + camera.translation[2]))
    photo = blurred_photo(look.pixels, camera.project(points), px_per_mm, _BLUR_MM)
    sigma = np.hypot(basis.residual_sigma * np.where(basis.plain, 1, _PAINTED), _PHOTO_NOISE)
    bounce = look.transfer.interreflection @ (basis.albedo(look.light.gamma) * look.light.shading)
    measurements = _STRIDE * confidence * skin.areas / _PATCH_MM2
    both = []
    for first in range(2):
        part = rows[first::_STRIDE]
        lit = _lit_skin(part, skin, basis, look, sigma, measurements, bounce)
        both.append(PhotometricTerm(view, skin, part, lit, photo, strength))
    return tuple(both)


def _lit_skin(
    rows: np.ndarray, skin: PhotometricSkin, basis: AlbedoBasis, look: Photometry,
    sigma: np.ndarray, measurements: np.ndarray, bounce: np.ndarray,
) -> LitSkin:  # fmt: skip
    transfer = look.transfer
    return LitSkin(
        sigma=sigma[rows].astype(np.float64),
        weight=(measurements / sigma**2)[rows],
        mean=basis.mean[rows].astype(np.float64),
        modes=basis.modes[:, rows].transpose(1, 2, 0).astype(np.float64),
        pigment=skin.pigment[rows],
        diffuse=transfer.diffuse[rows].astype(np.float64),
        vector=transfer.vector[rows].astype(np.float64),
        gloss=transfer.gloss[rows].astype(np.float64),
        transmission=transfer.transmission[rows, None].astype(np.float64),
        bounce=bounce[rows].astype(np.float64),
        radiance=look.light.radiance.astype(np.float64),
        gamma=look.light.gamma.astype(np.float64),
    )
