"""Fronts of two wanted properties: which designs no other exceeds in both, and how much they dominate."""

from __future__ import annotations

import numpy as np


def on_front(merits: np.ndarray) -> np.ndarray:
    """Find the points that no other one exceeds in one merit and reaches in the other.

    Args:
        merits: ``(N, 2)``, the larger the better.

    Returns:
        the rows of the front, by the first merit ascending; of equal points the first.
    """
    order = np.lexsort((np.arange(len(merits)), -merits[:, 1], -merits[:, 0]))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], merits[order, 1]]))
    return order[merits[order, 1] > best[:-1]][::-1]


def dominated_area(merits: np.ndarray, reference: np.ndarray) -> float:
    """The area between a reference point and what points dominate: their hypervolume (Zitzler, Thiele 1998).

    Args:
        merits: ``(N, 2)``, the larger the better.
        reference: ``(2,)``; a point that does not exceed it in both adds nothing.
    """
    beyond = merits[(merits > reference).all(1)]
    points = beyond[on_front(beyond)]
    widths = np.diff(points[:, 0], prepend=reference[0])
    return float((widths * (points[:, 1] - reference[1])).sum())
