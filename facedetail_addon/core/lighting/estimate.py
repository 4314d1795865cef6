# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and skin colour of one photo, from its visible vertices (Chen et al., ICCV 2019, section 4.3).

The paper solves I = M_alb(γ) ⊙ S(N) for the light and γ; its supplement is not public. Here S is the shadowed
transfer of :mod:`..rendering.transfer` with light from skin to skin, the surface's own reflection is added, and both
unknowns have priors: γ its own, the light that of photos in general (:mod:`.prior`). What a photo alone cannot tell,
how much of its brightness and tint is light and how much is skin, follows from them.
"""

from dataclasses import replace

import numpy as np

from ..colour import LUMINANCE
from ..notices import Notice
from ..rendering.shade import shade
from ..rendering.types import Transfer
from ..skin.types import AlbedoBasis
from ..uv.types import Atlas, UnwrappedPhoto
from .prior import light_prior
from .solver import SkinSamples, light_problem, relative_residual, solve_light
from .types import LightEstimate

_USUAL_HEIGHT_DEG = 25.0  # how high light stands in most photos
_PATCH_MM2 = 1000.0  # skin of this area says as much as one independent measurement: blush, beard and make-up are wide
_PAINTED = 0.05  # what brows, lids, lips, ears and neck count, whose colours differ more than the light on them; hair
_MOSTLY = 0.5  # of a place that is bare, plain skin
_PHOTO_NOISE = 0.03  # relative, of fit, camera and shadows, besides what the basis leaves over
_LEAST_CONFIDENCE = 0.05  # of a vertex that counts
_MOST_ROWS = 20_000  # vertices that are asked, all of the built-in head; a denser mesh says the same again
_MONOCHROME_CHROMA = 0.02  # a photo whose skin has less is monochrome
_BAD_RESIDUAL = 0.23  # relative, of which the artist is told


def estimate_light(
    unwrapped: UnwrappedPhoto,
    transfer: Transfer,
    basis: AlbedoBasis,
    atlas: Atlas,
    prior_direction: np.ndarray | None = None,
    bare: np.ndarray | None = None,
) -> LightEstimate:
    """The light on the head and the coefficients of its skin colour.

    Args:
        unwrapped: what the photo shows. transfer: of the posed head, B² coefficients for B bands.
        basis: statistical albedo of the same face model. atlas: of the model.
        prior_direction: (3,) unit vector, head frame, from where light usually comes; see :func:`prior_direction_of`.
            By default from everywhere alike.
        bare: (V_skin,) in [0, 1], where nothing lies over the skin; everywhere by default.
    """
    samples = skin_samples(unwrapped, basis, atlas, bare)
    monochrome = _is_monochrome(samples)
    basis = basis.grey() if monochrome else basis
    prior = light_prior(_mean_transfer(transfer, samples), monochrome, prior_direction)
    radiance, gamma = solve_light(light_problem(samples, transfer, basis, prior))
    shading, gloss = shade(transfer, radiance, basis.albedo(gamma))
    return LightEstimate(
        radiance=radiance.astype(np.float32),
        gamma=gamma.astype(np.float32),
        shading=shading,
        gloss=gloss,
        residual=relative_residual(samples, basis, gamma, shading, gloss),
        monochrome=monochrome,
    )


def relit(light: LightEstimate, transfer: Transfer, basis: AlbedoBasis) -> LightEstimate:
    """The same light and skin colour on a head of another transfer."""
    basis = basis.grey() if light.monochrome else basis
    shading, gloss = shade(transfer, light.radiance, basis.albedo(light.gamma))
    return replace(light, shading=shading, gloss=gloss)


def prior_direction_of(rotation: np.ndarray) -> np.ndarray:
    """(3,) unit vector, head frame: from behind the photographer and above.

    Args:
        rotation: (3, 3) of the photo's camera, head to camera axes (x right, y down, z forward).
    """
    up = np.radians(_USUAL_HEIGHT_DEG)
    return np.asarray(rotation, np.float64).T @ [0.0, -np.sin(up), -np.cos(up)]


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


def skin_samples(
    unwrapped: UnwrappedPhoto, basis: AlbedoBasis, atlas: Atlas, bare: np.ndarray | None = None
) -> SkinSamples:
    """The vertices of which a photo tells light and skin; ``bare``: of :func:`estimate_light`."""
    confidence = unwrapped.vertex_confidence * (1 - unwrapped.vertex_clipped).clip(0, 1) ** 2 * basis.known
    rows = np.flatnonzero(confidence > _LEAST_CONFIDENCE)
    share = 1.0
    if len(rows) > _MOST_ROWS:
        share = _MOST_ROWS / len(rows)
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False))
    plain = basis.plain if bare is None else basis.plain * bare
    weight = confidence[rows] * (atlas.areas[rows] / _PATCH_MM2) * np.maximum(plain[rows], _PAINTED) / share
    noise = np.hypot(basis.residual_sigma[rows], _PHOTO_NOISE)
    colour = unwrapped.vertex_color[rows].astype(np.float64)
    return SkinSamples(rows, colour, weight, noise.astype(np.float64), plain[rows] > _MOSTLY)


def _is_monochrome(samples: SkinSamples) -> bool:
    if len(samples.rows) == 0:
        return False
    chroma = np.ptp(samples.colour, axis=1) / np.maximum(samples.colour.max(axis=1), 1e-3)
    return float(np.median(chroma)) < _MONOCHROME_CHROMA


def _mean_transfer(transfer: Transfer, samples: SkinSamples) -> np.ndarray:
    """(B²,) float64 diffuse transfer in the mean of the seen face."""
    weights = samples.weight / max(float(samples.weight.sum()), 1e-9)
    diffuse = transfer.transmission[samples.rows, None] * transfer.diffuse[samples.rows]
    return weights @ diffuse.astype(np.float64)
