"""Whether neighbours are alike, which tells the order of a file's axes and bytes."""

from __future__ import annotations

import itertools

import numpy as np

SAMPLES = 1 << 14
"""Pairs of voxels whose likeness is measured."""

ALIKE = 0.3
"""Correlation of neighbours along every axis above which a shape is believed."""


def likelier_shape(grey: np.ndarray) -> tuple[int, ...] | None:
    """Find the order of an image's edges in which neighbours are alike, where they are not in that of its shape.

    Args:
        grey: laid out in the order of its axes, the last one fastest.

    Returns:
        A permutation of its shape, or None where none is better by far.
    """
    flat = grey.ravel()

    def alike(shape: tuple[int, ...]) -> float:
        return min(likeness(flat, int(np.prod(shape[axis:]))) for axis in range(1, len(shape)))

    orders = [order for order in dict.fromkeys(itertools.permutations(grey.shape)) if order != grey.shape]
    if not orders or grey.size < 64 or (given := alike(grey.shape)) > ALIKE:
        return None
    most, best = max((alike(order), order) for order in orders)
    return best if most > ALIKE and given < most / 2 else None


def likeness(flat: np.ndarray, apart: int) -> float:
    """Correlation of voxels ``apart`` from each other in a file; 0 where one of them is constant."""
    if apart >= flat.size:
        return 0.0
    first = np.random.default_rng(0).integers(0, flat.size - apart, SAMPLES)
    a, b = flat[first].astype(np.float64), flat[first + apart].astype(np.float64)
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 0 else 0.0
