# SPDX-License-Identifier: GPL-3.0-or-later
"""Real spherical harmonics: values, projection, rotation, windows, and the Lambertian convolution.

Orthonormal over the sphere, index l² + l + m, polar axis z, without the Condon–Shortley phase: the second band is
√(3/4π) · (y, z, x), as in Ramamoorthi and Hanrahan (2001). B bands have B² coefficients.
"""

import numpy as np


def evaluate(directions: np.ndarray, bands: int, dtype: type = np.float32) -> np.ndarray:
    """Values of the first B² harmonics.

    Args:
        directions: (..., 3) unit vectors. bands: B ≥ 1. dtype: of the result; computed in double precision anyway.

    Returns:
        (..., B²).
    """
    x, y, z = np.moveaxis(np.asarray(directions, np.float64), -1, 0)
    out = np.empty((*x.shape, bands**2))
    around = np.ones_like(x) + 0j  # (x + iy)^m, which carries sinᵐθ as well
    start = np.full_like(x, np.sqrt(1 / (4 * np.pi)))
    for m in range(bands):
        if m:
            around = around * (x + 1j * y)
            start = start * np.sqrt((2 * m + 1) / (2 * m))
        before, now = np.zeros_like(x), start
        for band in range(m, bands):
            if band > m:
                rise = np.sqrt((4 * band**2 - 1) / (band**2 - m**2))
                fall = np.sqrt(((band - 1) ** 2 - m**2) / (4 * (band - 1) ** 2 - 1))
                before, now = now, rise * (z * now - fall * before)
            centre = band**2 + band
            if m == 0:
                out[..., centre] = now
            else:
                out[..., centre + m] = np.sqrt(2) * now * around.real
                out[..., centre - m] = np.sqrt(2) * now * around.imag
    return out.astype(dtype, copy=False)


def bands_of(coefficients: np.ndarray) -> int:
    """B of (B², …) coefficients. ValueError where the count is no square."""
    bands = round(len(coefficients) ** 0.5)
    if bands < 1 or bands**2 != len(coefficients):
        raise ValueError(f"{len(coefficients)} coefficients are no whole number of bands")
    return bands


def band_index(bands: int) -> np.ndarray:
    """(B²,) int: the band l of each coefficient."""
    return np.repeat(np.arange(bands), 2 * np.arange(bands) + 1)


def lambert(bands: int) -> np.ndarray:
    """(B²,) float64 factors A_l / π from radiance to what a white diffuse surface shows (irradiance / π).

    1, 2/3, 1/4, 0, −1/24, …: Ramamoorthi and Hanrahan (2001), equation 19 (there A_l itself).
    """
    factors = np.zeros(bands)
    for band in range(bands):
        if band == 1:
            factors[band] = 2 / 3
        elif band % 2 == 0:
            half = band // 2
            central = np.prod([(2 * k - 1) / (2 * k) for k in range(1, half + 1)])  # (2h)! / (2ʰ h!)²
            factors[band] = 2 * (-1) ** (half - 1) / ((band + 2) * (band - 1)) * central if band else 1.0
    return factors[band_index(bands)]


def window(bands: int, strength: float) -> np.ndarray:
    """(B²,) float64 factors that damp higher bands: exp(−s l (l + 1)), the heat kernel on the sphere.

    Args:
        strength: s ≥ 0; 0 changes nothing. A positive light stays positive under any.
    """
    band = band_index(bands)
    return np.exp(-strength * band * (band + 1.0))


def rotation(matrix: np.ndarray, bands: int) -> np.ndarray:
    """How coefficients change when what they describe is turned, by least squares on directions (off by about 1e-15).

    The turned function has at ``matrix @ ω`` the value of the old one at ω.

    Args:
        matrix: (3, 3) rotation.

    Returns:
        (B², B²) float64; ``rotation(R, B) @ coefficients`` are those of the turned function.
    """
    samples = fibonacci_sphere(4 * bands**2)
    values, turned = evaluate(samples, bands, np.float64), evaluate(samples @ matrix, bands, np.float64)
    return np.linalg.lstsq(values, turned, rcond=None)[0]


def project(image: np.ndarray, directions: np.ndarray, solid_angles: np.ndarray, bands: int) -> np.ndarray:
    """Coefficients of a sampled function.

    Args:
        image: (..., C) values. directions: (..., 3) unit vectors of the samples. solid_angles: (...) steradians.

    Returns:
        (B², C) float64.
    """
    values = np.asarray(image, np.float64).reshape(-1, image.shape[-1]) * np.ravel(solid_angles)[:, None]
    return evaluate(np.reshape(directions, (-1, 3)), bands, np.float64).T @ values


def fibonacci_sphere(count: int) -> np.ndarray:
    """(count, 3) float64 well spread unit vectors, each standing for 4π / count of the sphere."""
    step = np.arange(count) + 0.5
    z = 1 - 2 * step / count
    angle = np.pi * (1 + np.sqrt(5)) * step
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)
