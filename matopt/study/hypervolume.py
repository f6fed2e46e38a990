"""The part of a front of two objectives that dominates most: greedy hypervolume subset selection.

Source: Guerreiro, Fonseca and Paquete, Evolutionary Computation 24 (2016) 521.
"""

from __future__ import annotations

import heapq

import numpy as np


def dominating_most(front: np.ndarray, size: int, reference: np.ndarray) -> list[int]:
    """Pick points one by one, each the one that adds most to the dominated hypervolume.

    What a point adds lies between its neighbours among those picked, so a pick changes what those beside it add alone.

    Args:
        front: ``(n, 2)`` losses, none of which dominates another, by the first ascending.
        size: how many are picked, at most n.
        reference: ``(2,)``, larger than all losses.

    Returns:
        their rows, in the order in which they were picked; of equal ones the first is.
    """
    rows: list[int] = []
    gaps: list[tuple[float, int, int, int]] = []

    def gap(low: int, high: int) -> None:
        """Enter what lies between two picked points, with the point of it that adds most."""
        if low + 1 < high:
            right = front[high, 0] if high < len(front) else reference[0]
            above = front[low, 1] if low >= 0 else reference[1]
            inside = front[low + 1 : high]
            added = (right - inside[:, 0]) * (above - inside[:, 1])
            best = int(added.argmax())
            heapq.heappush(gaps, (-float(added[best]), low + 1 + best, low, high))

    gap(-1, len(front))
    for _ in range(size):
        _, row, low, high = heapq.heappop(gaps)
        rows.append(row)
        gap(low, row)
        gap(row, high)
    return rows
