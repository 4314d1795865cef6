# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and skin colour of one photo, from its visible vertices (Chen et al., ICCV 2019, section 4.3).

The paper solves I = M_alb(γ) ⊙ S(N) for the light and γ; its supplement is not public. Here S is the shadowed
transfer of :mod:`.transport` with light from skin to skin, the surface's own reflection is added, and both unknowns
have priors: γ its own, the light that of photos in general (mostly white, about as bright as display white, smooth).
What a photo alone cannot tell, how much of its brightness and tint is light and how much is skin, follows from them.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..colour import LUMINANCE
from ..notices import Notice
from ..rendering.environment import nonnegative
from ..skin.types import AlbedoBasis
from ..uv.types import Atlas, UnwrappedPhoto
from .types import LightEstimate, Transfer

# Round by round, how many times wider than in the end a vertex may be off: who is darker or lighter than the mean is
# no outlier.
_TOLERANT = (20.0, 20.0, 10.0, 6.0, 4.0, 2.5, 1.6, 1.0)
_LAST_ROUNDS = 4
_NORMAL_MEDIAN = 0.6745  # of the absolute value of a standard normal variable
_BOUNCES = 2  # of light between skin; while solving, one will do
_PATCH_MM2 = 1000.0  # skin of this area says as much as one independent measurement: blush, beard and make-up are wide
_PAINTED = 0.05  # what brows, lids, lips, ears and neck count, whose colours differ more than the light on them
_PHOTO_NOISE = 0.03  # relative, of fit, camera and shadows, besides what the basis leaves over
_DARK_FLOOR = 0.02  # linear; differences below this share of display white do not count as relative ones
_OUTLIER = (2.0, 3.0)  # standard deviations at which a vertex counts half: brighter than the model, darker
_STEPS = (1.0, 0.5, 0.25, 0.1)  # shares of a Gauss–Newton step that are tried
_LEVEL = 1.0  # linear; what a white surface in the place of the face shows in a well exposed photo
_LEVEL_SPREAD, _TINT_SPREAD = 0.18, 0.2  # standard deviations of that, and of the light's colour, relative
_BAND_SIGMA = (0.35, 0.5, 0.4, 0.25)  # standard deviation of higher bands' coefficients relative to the level
_BAND_TINT = 0.7  # how much of that the single bands may differ in colour: light from behind is not seen
_BEYOND = 20.0  # how much more it costs to leave the range of people than to leave their mean
_USUAL_TILT, _USUAL_HEIGHT_DEG = 0.5, 25.0  # second band relative to the first, and how high light usually stands
_EVEN_SHARE = 0.75  # of the light on the face comes from all around, usually
_GREY = 0.02  # a photo whose skin has less chroma than this is monochrome
_BAD_RESIDUAL = 0.25
_MOST_ROWS = 20_000  # vertices that are asked, all of the built-in head; a denser mesh says the same again
_LEAST_WEIGHT = 1.0  # independent measurements; below this there is nothing to estimate from


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
    unwrapped: UnwrappedPhoto,
    transfer: Transfer,
    basis: AlbedoBasis,
    atlas: Atlas,
    prior_direction: np.ndarray | None = None,
) -> LightEstimate:
    """The light on the head and the coefficients of its skin colour.

    Gauss–Newton over light and γ together, with weights of Geman and McClure: the problem is bilinear, and solving for
    one after the other creeps along the valley where brighter light and darker skin look alike.

    Args:
        unwrapped: what the photo shows. transfer: of the posed head, B² coefficients for B bands.
        basis: statistical albedo of the same face model. atlas: of the model.
        prior_direction: (3,) unit vector, head frame, from where light usually comes; see :func:`prior_direction_of`.
            By default from everywhere alike.
    """
    data = _data(unwrapped, basis, atlas)
    monochrome = _is_monochrome(data)
    if monochrome:
        basis = basis.grey()
    count = transfer.diffuse.shape[1]
    solver = _Solver(data, transfer, basis, monochrome, prior_direction)
    if data.weight.sum() < _LEAST_WEIGHT:
        radiance, gamma = solver.prior_light(_LEVEL), np.zeros(len(basis.modes), np.float32)
    else:
        radiance, gamma = solver.solve()
    radiance = nonnegative(radiance.astype(np.float32)).reshape(count, 3)
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


def prior_direction_of(rotation: np.ndarray) -> np.ndarray:
    """(3,) unit vector, head frame: from behind the photographer and above.

    Args:
        rotation: (3, 3) of the photo's camera, head to camera axes (x right, y down, z forward).
    """
    up = np.radians(_USUAL_HEIGHT_DEG)
    return np.asarray(rotation, np.float64).T @ [0.0, -np.sin(up), -np.cos(up)]


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
        total = direct + transfer.interreflection @ (albedo * total)
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
    if light.residual > _BAD_RESIDUAL:
        message = "Light and skin explain the photo badly; glasses, hair, a beard or make-up may be why."
        found.append(Notice("light_uncertain", message))
    return tuple(found)


class _Solver:
    """The least-squares problem of one photo."""

    def __init__(
        self,
        data: _Data,
        transfer: Transfer,
        basis: AlbedoBasis,
        monochrome: bool,
        prior_direction: np.ndarray | None = None,
    ):
        self._data, self._transfer, self._basis = data, transfer, basis
        self._modes = basis.modes[:, data.rows]
        self._transmission = transfer.transmission[data.rows][:, None]
        self._gloss = transfer.gloss[data.rows].astype(np.float64)
        self._count = transfer.diffuse.shape[1]
        self._interreflection = transfer.interreflection[data.rows]
        self._tint = 1e-3 if monochrome else _TINT_SPREAD
        self._prior_direction = prior_direction
        weights = data.weight / max(float(data.weight.sum()), 1e-9)
        self._on_face = weights @ (transfer.transmission[:, None] * transfer.diffuse)[data.rows].astype(np.float64)

    def prior_light(self, level: float) -> np.ndarray:
        """(B², 3) white light in which a white surface shows ``level`` in the mean of all directions."""
        out = np.zeros((self._count, 3))
        out[0] = level * np.sqrt(4 * np.pi)
        if self._prior_direction is not None:
            out[1:4] = (_USUAL_TILT * out[0, 0] * self._prior_direction[[1, 2, 0]])[:, None]
        return out

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Light (B², 3) and γ (G,)."""
        radiance = self.prior_light(_LEVEL)
        gamma = self.gamma_for(radiance, np.zeros(len(self._modes)), _TOLERANT[0])
        for tolerance in _TOLERANT:
            radiance, gamma = self._step(radiance, gamma, tolerance)
        # Hair, make-up and a shape that is off make some photos agree worse with any skin: they say less, then.
        _, residual, _, _ = self._state(self._direct(gamma), radiance, gamma, 1.0)
        misfit = float(np.median(np.abs(residual @ LUMINANCE) / self._data.noise)) / _NORMAL_MEDIAN
        self._data = replace(self._data, noise=self._data.noise * max(1.0, misfit))
        for _ in range(_LAST_ROUNDS):
            radiance, gamma = self._step(radiance, gamma, 1.0)
        return radiance, gamma

    def gamma_for(self, radiance: np.ndarray, gamma: np.ndarray, tolerance: float = 1.0) -> np.ndarray:
        """(G,) γ in a light that is given."""
        if self._data.weight.sum() < _LEAST_WEIGHT:
            return gamma
        for _ in range(3):
            albedo, off, inverse, weight = self._state(self._direct(gamma), radiance, gamma, tolerance)
            lit = (np.exp(-off) * (self._data.colour + _DARK_FLOOR) - _DARK_FLOOR - self._gloss @ radiance).clip(0)
            jacobian = (self._modes * (lit * inverse * weight)).reshape(len(gamma), -1)
            pull, precise = self._gamma_prior(gamma)
            right = jacobian @ (off * weight).ravel() - pull
            gamma = gamma + np.linalg.solve(jacobian @ jacobian.T + np.diag(precise), right)
        return gamma

    def residual(self, shading: np.ndarray, gloss: np.ndarray, gamma: np.ndarray) -> float:
        """Median relative difference of the seen vertices that count fully."""
        plain = self._basis.plain[self._data.rows] & (self._data.weight > 0)
        rows = self._data.rows[plain]
        if len(rows) == 0:
            return 0.0
        model = self._basis.albedo(gamma)[rows] * shading[rows] + gloss[rows]
        off = np.abs(self._data.colour[plain] - model) @ LUMINANCE / (model @ LUMINANCE + _DARK_FLOOR)
        return float(np.median(off))

    def _direct(self, gamma: np.ndarray) -> np.ndarray:
        """(N, 3, B²) transfer per channel, light that comes from skin of this colour included (once)."""
        albedo = self._basis.albedo(gamma)
        diffuse = self._transfer.diffuse
        out = np.empty((len(self._data.rows), 3, self._count))
        for channel in range(3):
            total = diffuse[self._data.rows] + self._interreflection @ (albedo[:, channel, None] * diffuse)
            out[:, channel] = total * self._transmission
        return out

    def _state(
        self, direct: np.ndarray, radiance: np.ndarray, gamma: np.ndarray, tolerance: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(N, 3) albedo, log residuals, 1 / (model + floor), and (N, 1) square roots of weights."""
        albedo = self._basis.albedo(gamma)[self._data.rows]
        lit = np.einsum("ncb,bc->nc", direct, radiance)
        model = albedo * np.maximum(lit, _smallest(lit)) + np.maximum(self._gloss @ radiance, 0)
        residual = np.log((self._data.colour + _DARK_FLOOR) / (model + _DARK_FLOOR))
        off = residual @ LUMINANCE / self._data.noise
        robust = 1 / (1 + (off / (tolerance * np.where(off > 0, *_OUTLIER))) ** 2)
        weight = np.sqrt(self._data.weight) * robust / self._data.noise
        return albedo, residual, 1 / (model + _DARK_FLOOR), weight[:, None]

    def _step(self, radiance: np.ndarray, gamma: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """One step of Gauss–Newton for all unknowns."""
        direct = self._direct(gamma)
        albedo, residual, inverse, weight = self._state(direct, radiance, gamma, tolerance)
        lit = np.einsum("ncb,bc->nc", direct, radiance).clip(0)
        count, modes = self._count, len(gamma)
        normal = np.zeros((3 * count + modes, 3 * count + modes))
        right = np.zeros(3 * count + modes)
        for channel in range(3):
            scale = weight * inverse[:, channel, None]
            by_light = (albedo[:, channel, None] * direct[:, channel] + self._gloss) * scale
            by_gamma = (albedo[:, channel] * lit[:, channel])[:, None] * self._modes[:, :, channel].T * scale
            jacobian = np.concatenate([by_light, by_gamma], axis=1)
            places = np.concatenate([np.arange(count) * 3 + channel, 3 * count + np.arange(modes)])
            normal[np.ix_(places, places)] += jacobian.T @ jacobian
            right[places] += jacobian.T @ (residual[:, channel] * weight[:, 0])
        precision, wanted = self._light_prior()
        normal[: 3 * count, : 3 * count] += precision
        right[: 3 * count] += wanted - precision @ radiance.ravel()
        pull, precise = self._gamma_prior(gamma)
        normal[3 * count :, 3 * count :] += np.diag(precise)
        right[3 * count :] -= pull
        step = np.linalg.solve(normal, right)
        change = step[: 3 * count].reshape(count, 3)
        before = self._cost(direct, radiance, gamma, tolerance)
        for share in _STEPS:
            light = nonnegative((radiance + share * change).astype(np.float32)).astype(np.float64)
            skin = gamma + share * step[3 * count :]
            if self._cost(direct, light, skin, tolerance) < before:
                return light, skin
        return radiance, gamma

    def _cost(self, direct: np.ndarray, radiance: np.ndarray, gamma: np.ndarray, tolerance: float) -> float:
        """What the steps minimise: robust misfit (Geman and McClure), γ's prior and the light's."""
        _, residual, _, _ = self._state(direct, radiance, gamma, tolerance)
        off = residual @ LUMINANCE / self._data.noise
        cutoff = tolerance * np.where(off > 0, *_OUTLIER)
        squares = (residual**2).sum(axis=1) / self._data.noise**2
        precision, wanted = self._light_prior()
        light = radiance.ravel()
        return float(
            (self._data.weight * squares / (1 + (off / cutoff) ** 2)).sum()
            + gamma @ gamma
            + _BEYOND * (self._beyond(gamma) ** 2).sum()
            + light @ precision @ light
            - 2 * wanted @ light
        )

    def _beyond(self, gamma: np.ndarray) -> np.ndarray:
        """(G,) how far γ lies outside the range of people; a normal distribution knows no palest skin."""
        return gamma - gamma.clip(self._basis.lowest, self._basis.highest)

    def _gamma_prior(self, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(G,) half the gradient of γ's cost, and half its second derivative."""
        beyond = self._beyond(gamma)
        return gamma + _BEYOND * beyond, 1 + _BEYOND * (beyond != 0)

    def _light_prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Precision (3·B², 3·B²) of the light and what it pulls to (3·B²,): white, smooth, of the usual brightness.

        Brightness is that on the seen face, because a face in frontal light says nothing of what lies behind it.
        """
        level = _LEVEL * np.sqrt(4 * np.pi)
        precision = np.zeros((3 * self._count, 3 * self._count))
        for index in range(self._count):
            band = int(np.sqrt(index))
            sigma = _BAND_SIGMA[min(band, 3)] * (1 if band < 4 else 3 / band) * level
            width = sigma / np.sqrt(2 * band + 1)
            tint = self._tint * (_BAND_TINT * sigma if band else level)
            covariance = width**2 * np.ones((3, 3)) + tint**2 * np.eye(3)
            precision[3 * index : 3 * index + 3, 3 * index : 3 * index + 3] = np.linalg.inv(covariance)
        wanted = precision @ self.prior_light(_EVEN_SHARE * _LEVEL).ravel()
        brightness = np.outer(self._on_face, LUMINANCE).ravel() / _LEVEL_SPREAD
        return precision + np.outer(brightness, brightness), wanted + brightness * (_LEVEL / _LEVEL_SPREAD)


def _data(unwrapped: UnwrappedPhoto, basis: AlbedoBasis, atlas: Atlas) -> _Data:
    trust = unwrapped.vertex_confidence * (1 - unwrapped.vertex_clipped).clip(0, 1) ** 2 * basis.known
    rows = np.flatnonzero(trust > 0.05)
    share = 1.0
    if len(rows) > _MOST_ROWS:
        share = _MOST_ROWS / len(rows)
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False))
    weight = trust[rows] * (atlas.areas[rows] / _PATCH_MM2) * np.where(basis.plain[rows], 1, _PAINTED) / share
    noise = np.hypot(basis.residual_sigma[rows], _PHOTO_NOISE)
    return _Data(rows, unwrapped.vertex_color[rows].astype(np.float64), weight, noise.astype(np.float64))


def _is_monochrome(data: _Data) -> bool:
    if len(data.rows) == 0:
        return False
    chroma = np.ptp(data.colour, axis=1) / np.maximum(data.colour.max(axis=1), 1e-3)
    return float(np.median(chroma)) < _GREY


def _smallest(lit: np.ndarray) -> float:
    """Light is nowhere less than this: what rings of the harmonics would take away."""
    return max(0.01 * float(np.median(lit)), 1e-4)
