# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the light around a head: equirectangular, linear, positive everywhere.

A few spherical harmonics leave open what the light really looks like. Of all positive lights with the same
coefficients the one of greatest entropy is taken: the exponential of a sum of harmonics (Jaynes 1957), found by
Newton's method on the convex dual. Where no positive light has the coefficients, they are windowed just as far as
needed (Sloan 2008), so that nothing is ever cut off at black; the window is the heat kernel's, which is positive.

Pictures have the orientation of Blender's Environment Texture for the head as the scene builds it: head +X is Blender's
+X, head +Y is +Z, head +Z is −Y.
"""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from ..colour import LUMINANCE
from .harmonics import bands_of, evaluate, fibonacci_sphere, window

_SAMPLES, _SAMPLES_EACH = 3000, 250  # directions over which light is summed: at most, and for each coefficient
_PEAK = 0.9  # brightest over mean, relative to B²: light from one point has that when B bands draw it
_ROUNDS = 60  # of Newton's method at most
_TOLERANCE = 1e-6  # of the moments, relative to the first
_CLOSE_ENOUGH = 1e-4  # the same after the last round
_WINDOWS = np.geomspace(0.003, 3.0, 30)  # strengths that are tried
_DARKEST = 0.01  # of the mean; a windowed light is nowhere darker
_LEAST = 1e-5  # radiance is nowhere less
_SUN_SHARES = np.linspace(1.0, 0.1, 10)  # of the fitted sun that are tried
_SUN_ANGLE_DEG = 2.0  # how large its disc looks
_STUDIO = (  # azimuth to the subject's left, elevation, half width and half height in degrees, softness, radiance
    (-44.0, 34.0, 26.0, 30.0, 7.0, 1.9),
    (-32.0, 22.0, 6.5, 6.5, 2.0, 58.0),  # the lamp behind the key's cloth: eyes mirror it as a catchlight
    (58.0, 8.0, 30.0, 38.0, 7.0, 1.1),
    (148.0, 35.0, 16.0, 34.0, 7.0, 5.0),
    (-150.0, 25.0, 12.0, 34.0, 7.0, 2.5),
)
_STUDIO_ROOM, _STUDIO_FLOOR = 0.16, 0.07  # radiance of walls and ceiling, and of the floor


@dataclass(frozen=True)
class Sun:
    """A light so far away that all of it comes from one direction.

    Attributes:
        direction: (3,) unit vector towards it, head frame.
        irradiance: (3,) on a surface that faces it, linear Rec. 709; a white diffuse one shows irradiance / π.
        angle_deg: how large its disc looks.
    """

    direction: np.ndarray
    irradiance: np.ndarray
    angle_deg: float


def nonnegative(radiance: np.ndarray, darkest: float = 0.0) -> np.ndarray:
    """The coefficients that :func:`environment_image` stands for: the given ones where a positive light has them.

    Args:
        radiance: (B², 3) head frame. darkest: of the mean; where the light with the given ones falls below, smoother
            ones are given, too.

    Returns:
        (B², 3) float32.
    """
    radiance = _checked(radiance)
    damped, _ = _solve(radiance, darkest)
    return damped.astype(np.float32)


def environment_image(radiance: np.ndarray, height: int = 128) -> np.ndarray:
    """The light as a picture.

    Args:
        radiance: (B², 3) spherical harmonics of the radiance, head frame, linear Rec. 709.

    Returns:
        (height, 2·height, 3) float32, positive, row 0 at the top.
    """
    return positive_light(_checked(radiance), image_directions(height)).astype(np.float32)


def positive_light(radiance: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """What comes from some directions of the light that :func:`environment_image` shows.

    Args:
        radiance: (B², C) finite. directions: (..., 3) unit vectors.

    Returns:
        (..., C) float64, positive.
    """
    _, exponents = _solve(radiance)
    harmonics = evaluate(directions, bands_of(radiance), np.float64)
    return np.maximum(np.exp((harmonics @ exponents).clip(-30, 30)), _LEAST)


def image_directions(height: int) -> np.ndarray:
    """(height, 2·height, 3) float64 where each pixel's light comes from, head frame."""
    theta = np.pi * (np.arange(height) + 0.5) / height
    phi = np.pi * (1 - (np.arange(2 * height) + 0.5) / height)
    theta, phi = np.meshgrid(theta, phi, indexing="ij")
    # Blender's x, y, z are the head's x, −z, y.
    return np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), -np.sin(theta) * np.sin(phi)], axis=-1)


def split_sun(radiance: np.ndarray) -> tuple[Sun, np.ndarray]:
    """The dominant light as a sun, and the rest.

    The direction is that of the second band (Sloan 2008, section on extracting conventional lights); the strength is
    the least-squares one per channel, or the largest share of it that leaves a positive light.

    Args:
        radiance: (B², 3) that :func:`nonnegative` leaves as they are.

    Returns:
        the sun, and (B², 3) float32 of the light without it.
    """
    radiance = _checked(radiance)
    linear = radiance[1:4] @ LUMINANCE
    length = float(np.linalg.norm(linear))
    if length < 1e-6 * max(float(radiance[0] @ LUMINANCE), 1e-6):
        return Sun(np.array([0.0, 1.0, 0.0]), np.zeros(3), _SUN_ANGLE_DEG), radiance.astype(np.float32)
    direction = linear[[2, 0, 1]] / length
    pattern = evaluate(direction, bands_of(radiance)).astype(np.float64)
    strength = (pattern[1:] @ radiance[1:] / (pattern[1:] @ pattern[1:])).clip(0)
    for share in _SUN_SHARES:
        rest = radiance - pattern[:, None] * strength * share
        damped, _ = _solve(rest)
        if rest[0].min() > 0 and np.allclose(damped, rest, atol=1e-3 * float(radiance[0].max())):
            return Sun(direction, strength * share, _SUN_ANGLE_DEG), rest.astype(np.float32)
    return Sun(direction, np.zeros(3), _SUN_ANGLE_DEG), radiance.astype(np.float32)


def studio_image(height: int = 128) -> np.ndarray:
    """A neutral studio: key, fill and two rim softboxes around a dim room, white; for a camera before the face.

    Returns:
        (height, 2·height, 3) float32; a white surface that faces the camera shows about 1.
    """
    x, y, z = np.moveaxis(image_directions(height), -1, 0)
    azimuth, elevation = np.degrees(np.arctan2(x, z)), np.degrees(np.arcsin(y.clip(-1, 1)))
    light = _STUDIO_FLOOR + (_STUDIO_ROOM - _STUDIO_FLOOR) * _smooth((elevation + 30) / 60)
    for at, high, half_width, half_height, edge, radiance in _STUDIO:
        across = np.abs((azimuth - at + 180) % 360 - 180) * np.cos(np.radians(high))
        inside = _smooth((half_width - across) / edge) * _smooth((half_height - np.abs(elevation - high)) / edge)
        light = light + radiance * inside
    return np.repeat(light[..., None], 3, axis=-1).astype(np.float32)


def _smooth(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _checked(radiance: np.ndarray) -> np.ndarray:
    radiance = np.asarray(radiance, np.float64)
    bands_of(radiance)
    if radiance.ndim != 2 or radiance.shape[1] != 3 or not np.isfinite(radiance).all():
        raise ValueError("radiance must be finite (B², 3) coefficients")
    return radiance


def _solve(radiance: np.ndarray, darkest: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (B², 3) damped as little as possible, and the exponents (B², 3) of the light that has them.

    A wider window makes a smoother light, so that the narrowest that will do is found by bisection.
    """
    bands = bands_of(radiance)
    count = min(_SAMPLES, _SAMPLES_EACH * bands**2)
    harmonics = np.ascontiguousarray(evaluate(fibonacci_sphere(count), bands, np.float64).T)
    least = _LEAST * np.sqrt(4 * np.pi)

    def solved(strength: float) -> tuple[np.ndarray, np.ndarray] | None:
        damped, dark = radiance * window(bands, strength)[:, None], radiance[0] <= least
        exponents = _greatest_entropy(damped, harmonics, least)
        if exponents is None:
            return None
        limit = max(darkest, _DARKEST) if strength > 0 else darkest
        if limit > 0 and not _stays_above(limit, exponents, harmonics, ~dark):
            return None
        damped[:, dark] = 0
        damped[0, dark] = least
        return damped, exponents

    as_given = solved(0.0)
    if as_given is not None:
        return as_given
    first = bisect_left(_WINDOWS, True, key=lambda strength: solved(strength) is not None)
    if first < len(_WINDOWS):
        return solved(_WINDOWS[first])
    flat = np.zeros_like(radiance)
    flat[0] = np.maximum(radiance[0], least)
    return flat, _uniform(flat[0], len(radiance))


def _stays_above(share: float, exponents: np.ndarray, harmonics: np.ndarray, channels: np.ndarray) -> bool:
    light = np.exp((harmonics.T @ exponents[:, channels]).clip(-60, 60))
    return bool((light.min(axis=0) >= share * light.mean(axis=0)).all())


def _uniform(first: np.ndarray, count: int) -> np.ndarray:
    """(count, C) exponents of uniform light with these first coefficients (C,)."""
    out = np.zeros((count, len(first)))
    out[0] = np.log(first / np.sqrt(4 * np.pi)) * np.sqrt(4 * np.pi)
    return out


def _greatest_entropy(moments: np.ndarray, harmonics: np.ndarray, least: float) -> np.ndarray | None:
    """(B², C) exponents c of the lights exp(Σ c Y) with these moments, (B², C); None where a channel has none, or none
    so smooth. ``harmonics``: (B², N)."""
    out = _uniform(np.full(moments.shape[1], least), len(moments))
    bright = np.flatnonzero(moments[0] > least)
    if len(bright) == 0:
        return out
    relative = (moments[:, bright] / moments[0, bright]).T
    exponents = _uniform(np.ones(len(bright)), len(moments)).T
    count, samples = harmonics.shape
    area, brightest = 4 * np.pi / samples, _PEAK * count

    def dual(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        light = np.exp((c @ harmonics).clip(-60, 60))
        return area * light.sum(axis=1) - (c * relative).sum(axis=1), light

    value, light = dual(exponents)
    for _ in range(_ROUNDS):
        gradient = area * (light @ harmonics.T) - relative
        wrong = np.abs(gradient).max(axis=1)
        if wrong.max() < _TOLERANCE:
            break
        hessian = area * np.stack([(harmonics * channel) @ harmonics.T for channel in light])
        step = np.linalg.solve(hessian + 1e-10 * np.eye(count), gradient[..., None])[..., 0]
        step[wrong < _TOLERANCE] = 0
        fall = 1e-4 * (gradient * step).sum(axis=1)
        length = np.ones(len(bright))
        while True:
            tried, tried_light = dual(exponents - length[:, None] * step)
            short = tried > value - length * fall
            if not short.any():
                break
            length[short] /= 2
            if length.min() <= 1e-3:
                return None
        exponents, value, light = exponents - length[:, None] * step, tried, tried_light
        if (light.max(axis=1) > 4 * brightest * light.mean(axis=1)).any():
            return None
    if wrong.max() > _CLOSE_ENOUGH or (light.max(axis=1) > brightest * light.mean(axis=1)).any():
        return None
    out[:, bright] = exponents.T
    out[0, bright] += np.log(moments[0, bright]) * np.sqrt(4 * np.pi)
    return out
