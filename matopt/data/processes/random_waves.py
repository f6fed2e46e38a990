"""A spinodal structure: many waves of about one length, superposed and cut at a level."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from matopt.data.processes.periodic import Axes

WAVES = 600
"""Plane waves in the sum: enough for it to be as good as Gaussian."""


class RandomWaves:
    """A superposition of plane waves in random directions and phases, solid where it exceeds a level.

    In the unit of the mean wavelength. By the central limit theorem the sum is a Gaussian field of variance 1, whose
    covariance at distance r is the mean of ``sin(k r) / (k r)`` over the wave numbers k.

    Args:
        random: where the numbers come from.
        spread: standard deviation of the logarithm of the wave number.
        porosity: share of the volume below the level.

    Source: Cahn, J. Chem. Phys. 42, 93 (1965).
    """

    def __init__(self, random: np.random.Generator, spread: float, porosity: float) -> None:
        direction = random.standard_normal((WAVES, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        number = 2 * np.pi * np.exp(spread * random.standard_normal(WAVES))
        self._wave = number[:, None] * direction
        self._phase = 2 * np.pi * random.random(WAVES)
        self._level = ndtri(porosity)

    def phases(self, corner: np.ndarray, shape: tuple[int, int, int], voxel: float) -> np.ndarray:
        """Compute the phases of a box of voxels; see :class:`matopt.data.sources.base.Specimen`."""
        x, y, z = (c + voxel * np.arange(n) for c, n in zip(corner, shape, strict=True))
        return (self.at((x, y, z)) > self._level).astype(np.uint8)

    def at(self, axes: Axes) -> np.ndarray:
        """Evaluate the field on the grid that three axes span, float32 of the shape of the axes' lengths."""
        x, y, z = (_phasors(np.outer(a, w)) for a, w in zip(axes, self._wave.T, strict=True))
        x *= np.sqrt(np.float32(2 / WAVES)) * _phasors(self._phase)
        real, imaginary = z.real.T.copy(), z.imag.T.copy()
        values = np.empty((len(x), len(y), len(z)), np.float32)
        for sheet, along in zip(values, x, strict=True):
            waves = along * y
            sheet[:] = waves.real @ real - waves.imag @ imaginary
        return values


def _phasors(angle: np.ndarray) -> np.ndarray:
    """Compute ``exp(i angle)`` in single precision."""
    angle = angle.astype(np.float32)
    return np.cos(angle) + 1j * np.sin(angle)
