# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and skin colour of one photo, from its visible vertices (Chen et al., ICCV 2019, section 4.3).

The paper solves I = M_alb(γ) ⊙ S(N) for the light and γ; its supplement is not public. Here S is the shadowed transfer
of :mod:`.transport` with light from skin to skin, the surface's own reflection is added, and both unknowns have
Gaussian priors: γ its own, the light that of photos in general (mostly white, about as bright as display white, smooth).
What a photo alone cannot tell, how much of its brightness and tint is light and how much is skin, follows from them.
"""

from dataclasses import dataclass

import numpy as np

from ..albedo.types import AlbedoBasis
from ..colour import LUMINANCE
from ..results import Notice
from ..uv.types import Atlas, UnwrappedPhoto
from .environment import realisable
from .types import LightEstimate, Transfer

_ROUNDS = 12
_BOUNCES = 2
_PATCH_MM2 = 100.0  # skin of this area says as much as one independent measurement
_PHOTO_NOISE = 0.03  # relative, of fit, camera and shadows, besides what the basis leaves over
_DARK_FLOOR = 0.02  # linear; differences below this share of display white do not count as relative ones
_OUTLIER = (2.0, 3.0)  # standard deviations at which a vertex counts half: brighter than the model, darker
_LEVEL = 1.0  # linear; what a white surface in the place of the face shows in a well exposed photo
_LEVEL_SPREAD, _TINT_SPREAD = 0.25, 0.2  # standard deviations of that, and of the light's colour, relative
_BAND_SPREAD = (1.0, 1.0, 0.55, 0.3)  # standard deviation of higher bands' coefficients relative to the level
_ANY = 10.0  # relative; says nothing
_GREY = 0.02  # a photo whose skin has less chroma than this is monochrome
_LEAST_WEIGHT = 3.0  # independent measurements; below this there is nothing to estimate from


@dataclass(frozen=True)
class _Data:
    """Vertices that count.

    Attributes:
        rows: (N,) int, which of the skin's. colour: (N, 3). weight: (N,). noise: (N,) relative.
    """

    rows: np.ndarray
    colour: np.ndarray
    weight: np.ndarray
    noise: np.ndarray


def estimate_light(
    unwrapped: UnwrappedPhoto, transfer: Transfer, basis: AlbedoBasis, atlas: Atlas
) -> LightEstimate:
    """The light on the head and the coefficients of its skin colour.

    Gauss–Newton over light and γ together, with weights of Geman and McClure: the problem is bilinear, and solving for
    one after the other creeps along the valley where brighter light and darker skin look alike.

    Args:
        unwrapped: what the photo shows. transfer: of the posed head, B² coefficients for B bands.
        basis: statistical albedo of the same face model. atlas: of the model.
    """
    data = _data(unwrapped, basis, atlas)
    monochrome = _is_monochrome(data)
    if monochrome:
        basis = basis.grey()
    count = transfer.diffuse.shape[1]
    solver = _Solver(data, transfer, basis, monochrome)
    if data.weight.sum() < _LEAST_WEIGHT:
        radiance, gamma = solver.prior_light(_LEVEL), np.zeros(len(basis.modes), np.float32)
    else:
        radiance, gamma = solver.solve()
    radiance = realisable(radiance.astype(np.float32)).reshape(count, 3)
    gamma = solver.gamma_for(radiance, gamma)
    shading, gloss = shade(transfer, radiance, basis.albedo(gamma))
    return LightEstimate(
        radiance=radiance.astype(np.float32),
        gamma=gamma.astype(np.float32),
        shading=shading,
        gloss=gloss,
        residual=solver.residual(shading, gloss, gamma),
        monochrome=monochrome,
    )


def shade(transfer: Transfer, radiance: np.ndarray, albedo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shading and gloss of every vertex in some light.

    Args:
        transfer: of V vertices. radiance: (B², 3). albedo: (V, 3), which colours the light from skin to skin.

    Returns:
        (V, 3) float32 positive shading and (V, 3) float32 gloss ≥ 0.
    """
    direct = transfer.diffuse @ radiance
    total = direct
    for _ in range(_BOUNCES):
        total = direct + transfer.bounce @ (albedo * total)
    shading = np.maximum(transfer.transmission[:, None] * total, _smallest(total))
    return shading.astype(np.float32), np.maximum(transfer.gloss @ radiance, 0).astype(np.float32)


def notices(light: LightEstimate, unwrapped: UnwrappedPhoto) -> tuple[Notice, ...]:
    """What an artist should know about the estimate."""
    seen = unwrapped.vertex_confidence > 0.5
    found = []
    if seen.sum() < 500:
        message = "Too little skin is seen to tell light from skin; the skin's colour is a guess."
        return (Notice("light_unseen", message),)
    color, shading = unwrapped.vertex_color[seen], light.shading[seen] @ LUMINANCE
    if float(unwrapped.vertex_clipped[seen].mean()) > 0.08:
        found.append(Notice("overexposed", "Parts of the face are overexposed; their skin is filled in from around."))
    if float(np.median(color.max(axis=1))) < 0.03:
        found.append(Notice("underexposed", "The face is nearly black; colour and light are uncertain."))
    if light.monochrome:
        found.append(Notice("monochrome", "The photo has no colours; the skin's texture is grey, too."))
    tint = np.maximum(light.radiance[0], 1e-6)
    if not light.monochrome and float(tint.max() / tint.min()) > 2.0:
        found.append(Notice("coloured_light", "The light is strongly coloured; the skin's own colour is uncertain."))
    low, high = np.percentile(shading, (10, 90))
    if low < 0.12 * high:
        found.append(Notice("deep_shadow", "Part of the face lies in deep shadow; its skin is partly filled in."))
    if light.residual > 0.2:
        message = "Light and skin explain the photo badly; glasses, hair, a beard or make-up may be why."
        found.append(Notice("light_uncertain", message))
    return tuple(found)


class _Solver:
    """The least-squares problem of one photo."""

    def __init__(self, data: _Data, transfer: Transfer, basis: AlbedoBasis, monochrome: bool):
        self._data, self._transfer, self._basis = data, transfer, basis
        self._mean, self._modes = basis.mean[data.rows], basis.modes[:, data.rows]
        self._transmission = transfer.transmission[data.rows][:, None]
        self._gloss = transfer.gloss[data.rows].astype(np.float64)
        self._count = transfer.diffuse.shape[1]
        self._tint = 1e-3 if monochrome else _TINT_SPREAD
        weights = data.weight / max(float(data.weight.sum()), 1e-9)
        self._on_face = weights @ (transfer.transmission[:, None] * transfer.diffuse)[data.rows].astype(np.float64)

    def prior_light(self, level: float) -> np.ndarray:
        """(B², 3) even white light in which a white surface shows ``level``."""
        out = np.zeros((self._count, 3))
        out[0] = level * np.sqrt(4 * np.pi)
        return out

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Light (B², 3) and γ (G,)."""
        gamma = np.zeros(len(self._modes))
        ratio = self._data.colour @ LUMINANCE / (np.exp(self._mean) @ LUMINANCE)
        radiance = self.prior_light(float(np.clip(np.average(ratio, weights=self._data.weight), 0.02, 3.0)))
        for _ in range(_ROUNDS):
            radiance, gamma = self._step(radiance, gamma)
        return radiance, gamma

    def gamma_for(self, radiance: np.ndarray, gamma: np.ndarray) -> np.ndarray:
        """(G,) γ in a light that is given."""
        if self._data.weight.sum() < _LEAST_WEIGHT:
            return gamma
        for _ in range(3):
            direct = self._direct(gamma)
            albedo, lit, gloss, weight = self._state(direct, radiance, gamma)
            jacobian = ((lit * albedo)[None] * self._modes).reshape(len(gamma), -1) * weight.ravel()
            off = ((self._data.colour - gloss - lit * albedo) * weight).ravel() + gamma @ jacobian
            gamma = np.linalg.solve(jacobian @ jacobian.T + np.eye(len(gamma)), jacobian @ off)
        return gamma

    def residual(self, shading: np.ndarray, gloss: np.ndarray, gamma: np.ndarray) -> float:
        """Median relative difference of the seen vertices."""
        rows = self._data.rows
        if len(rows) == 0:
            return 0.0
        model = self._basis.albedo(gamma)[rows] * shading[rows] + gloss[rows]
        off = np.abs(self._data.colour - model) @ LUMINANCE / (model @ LUMINANCE + _DARK_FLOOR)
        return float(np.median(off))

    def _direct(self, gamma: np.ndarray) -> np.ndarray:
        """(N, 3, B²) transfer per channel, light from skin of this colour included."""
        albedo = self._basis.albedo(gamma)
        out = np.empty((len(self._data.rows), 3, self._count))
        for channel in range(3):
            total = self._transfer.diffuse
            for _ in range(_BOUNCES):
                total = self._transfer.diffuse + self._transfer.bounce @ (albedo[:, channel, None] * total)
            out[:, channel] = total[self._data.rows] * self._transmission
        return out

    def _state(
        self, direct: np.ndarray, radiance: np.ndarray, gamma: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(N, 3) albedo, shading, gloss and square roots of weights (of residuals in linear units)."""
        albedo = self._basis.albedo(gamma)[self._data.rows]
        lit = np.einsum("ncb,bc->nc", direct, radiance)
        lit = np.maximum(lit, _smallest(lit))
        gloss = self._gloss @ radiance
        model = albedo * lit + gloss
        scale = self._data.noise[:, None] * (model @ LUMINANCE)[:, None] + _DARK_FLOOR * _PHOTO_NOISE
        off = (self._data.colour - model) @ LUMINANCE / scale[:, 0]
        cutoff = np.where(off > 0, *_OUTLIER)
        robust = 1 / (1 + (off / cutoff) ** 2)
        weight = np.sqrt(self._data.weight) * robust / scale[:, 0]
        return albedo, lit, gloss, np.repeat(weight[:, None], 3, axis=1)

    def _step(self, radiance: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One step of Gauss–Newton for all unknowns."""
        direct = self._direct(gamma)
        albedo, lit, gloss, weight = self._state(direct, radiance, gamma)
        count, modes = self._count, len(gamma)
        normal = np.zeros((3 * count + modes, 3 * count + modes))
        right = np.zeros(3 * count + modes)
        for channel in range(3):
            # Residual to first order: colour + M Δγ-part at the present state, unknowns absolute, not steps.
            by_light = (albedo[:, channel, None] * direct[:, channel] + self._gloss) * weight[:, channel, None]
            by_gamma = (albedo[:, channel] * lit[:, channel] * weight[:, channel])[:, None] * self._modes[:, :, channel].T
            wanted = self._data.colour[:, channel] - albedo[:, channel] * lit[:, channel] - gloss[:, channel]
            wanted = wanted * weight[:, channel] + by_light @ radiance[:, channel] + by_gamma @ gamma
            jacobian = np.concatenate([by_light, by_gamma], axis=1)
            places = np.concatenate([np.arange(count) * 3 + channel, 3 * count + np.arange(modes)])
            normal[np.ix_(places, places)] += jacobian.T @ jacobian
            right[places] += jacobian.T @ wanted
        precision, wanted = self._light_prior(radiance)
        normal[: 3 * count, : 3 * count] += precision
        right[: 3 * count] += wanted
        normal[3 * count :, 3 * count :] += np.eye(modes)
        solved = np.linalg.solve(normal, right)
        return solved[: 3 * count].reshape(count, 3), solved[3 * count :]

    def _light_prior(self, radiance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Precision (3·B², 3·B²) of the light and what it pulls to (3·B²,): white, smooth, of the usual brightness.

        How fast higher bands fall off goes with the light's present level; its brightness is that on the seen face.
        """
        level = float(np.clip(radiance[0] @ LUMINANCE, 0.05, None))
        precision = np.zeros((3 * self._count, 3 * self._count))
        for index in range(self._count):
            band = int(np.sqrt(index))
            spread = _BAND_SPREAD[min(band, 3)] * (1 if band < 4 else 3 / band) * level
            width = _ANY * level if band == 0 else spread / np.sqrt(2 * band + 1)
            covariance = width**2 * np.ones((3, 3)) + (self._tint * spread) ** 2 * np.eye(3)
            precision[3 * index : 3 * index + 3, 3 * index : 3 * index + 3] = np.linalg.inv(covariance)
        brightness = np.outer(self._on_face, LUMINANCE).ravel() / _LEVEL_SPREAD
        return precision + np.outer(brightness, brightness), brightness * (_LEVEL / _LEVEL_SPREAD)


def _data(unwrapped: UnwrappedPhoto, basis: AlbedoBasis, atlas: Atlas) -> _Data:
    trust = unwrapped.vertex_confidence * (1 - unwrapped.vertex_clipped).clip(0, 1) ** 2 * basis.known
    rows = np.flatnonzero(trust > 0.05)
    weight = trust[rows] * (atlas.areas[rows] / _PATCH_MM2)
    noise = np.hypot(basis.spread[rows], _PHOTO_NOISE)
    return _Data(rows, unwrapped.vertex_color[rows].astype(np.float64), weight, noise.astype(np.float64))


def _is_monochrome(data: _Data) -> bool:
    if len(data.rows) == 0:
        return False
    chroma = np.ptp(data.colour, axis=1) / np.maximum(data.colour.max(axis=1), 1e-3)
    return float(np.median(chroma)) < _GREY


def _smallest(lit: np.ndarray) -> float:
    """Light is nowhere less than this: what rings of the harmonics would take away."""
    return max(0.01 * float(np.median(lit)), 1e-4)
