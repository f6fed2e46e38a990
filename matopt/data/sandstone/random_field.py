"""Smooth Gaussian random fields that can be evaluated at any place."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

CELLS = 48
SMOOTHING = 1.2
"""Cells of the lattice along each axis, and the Gaussian blur in cells that makes its noise smooth."""


class RandomField:
    """A stationary Gaussian field of three dimensions, with mean 0 and variance 1.

    Args:
        random: where the numbers come from.
        length: standard deviation of the Gaussian that white noise is blurred with; values further apart than
            3 lengths are as good as independent. The field repeats after 40 lengths.
    """

    def __init__(self, random: np.random.Generator, length: float) -> None:
        noise = random.standard_normal((CELLS,) * 3, dtype=np.float32)
        smooth = scipy.ndimage.gaussian_filter(noise, SMOOTHING, mode="wrap")
        self._lattice = (smooth - smooth.mean()) / smooth.std()
        self._cell = length / SMOOTHING

    def at(self, axes: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        """Evaluate the field on the grid that three axes span, linearly between the lattice's values.

        Args:
            axes: coordinates along each axis, in the unit of ``length``.

        Returns:
            One value a grid point, of the shape of the axes' lengths."""
        values = self._lattice
        for number, axis in enumerate(axes):
            place = axis / self._cell
            below = np.floor(place).astype(int)
            shape = [-1 if a == number else 1 for a in range(3)]
            share = (place - below).astype(np.float32).reshape(shape)
            low = values.take(below % CELLS, axis=number)
            values = low + share * (values.take((below + 1) % CELLS, axis=number) - low)
        return values
