"""Fronts of two wanted properties: which designs no other exceeds in both, and how much they dominate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import torch

from matopt.design.objective import Goal, Scale
from matopt.properties import Property
from matopt.report.gains import is_solved
from matopt.stages.records import DesignResult, SpaceResult

Source = Literal["promised", "true"]
SOURCES: tuple[Source, ...] = ("promised", "true")


def on_front(points: np.ndarray) -> np.ndarray:
    """Find the points that no other one exceeds in one merit and reaches in the other.

    Args:
        points: ``(N, 2)`` merits, the larger the better.

    Returns:
        the rows of the front, by the first merit ascending; of equal points the first.
    """
    order = np.lexsort((np.arange(len(points)), -points[:, 1], -points[:, 0]))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], points[order, 1]]))
    return order[points[order, 1] > best[:-1]][::-1]


def dominated_area(points: np.ndarray, reference: np.ndarray) -> float:
    """The area between a reference point and what points dominate: their hypervolume (Zitzler, Thiele 1998).

    Args:
        points: ``(N, 2)`` merits, the larger the better.
        reference: ``(2,)``; a point that does not exceed it in both adds nothing.
    """
    beyond = points[(points > reference).all(1)]
    front = beyond[on_front(beyond)]
    widths = np.diff(front[:, 0], prepend=reference[0])
    return float((widths * (front[:, 1] - reference[1])).sum())


def are_solved(run: SpaceResult) -> np.ndarray:
    """``(N,)`` bool, whether the physics could solve start and end of each design, for both properties."""
    assert run.against is not None
    return is_solved(run) & (run.against.usable[:, 0] & run.against.usable[:, -1]).numpy()


def solved_values(run: SpaceResult, source: Source, column: int) -> np.ndarray | None:
    """``(K, 2)`` of those :func:`values` whose designs the physics could solve."""
    found = values(run, source, column)
    return None if found is None else found[are_solved(run)]


def values(run: SpaceResult, source: Source, column: int) -> np.ndarray | None:
    """``(N, 2)`` values of designs at a step, SI; None where the judge foretold one property alone."""
    other = run.against
    assert other is not None
    first, second = (run.predicted, other.predicted) if source == "promised" else (run.true, other.true)
    if second is None:
        return None
    return torch.stack([first[:, column].double(), second[:, column].double()], 1).numpy()


@dataclass(frozen=True)
class FrontScale:
    """What the two properties of a front are measured in: the starts of the first space, as the physics has them.

    Attributes:
        goals: what is to become of the properties.
        scales: of the properties; their deviations are those of the starts.
        worst: ``(2,)`` the least merits of the starts; NaN where none was solved.
    """

    goals: tuple[Goal, Goal]
    scales: tuple[Scale, Scale]
    worst: np.ndarray

    @classmethod
    def of(cls, design: DesignResult, properties: tuple[Property, Property]) -> Self:
        """Measure the starts."""
        goals = (design.goal, design.against_goal)
        starts = solved_values(design.spaces[0], "true", 0)
        known = np.zeros((0, 2)) if starts is None else starts
        first, second = (Scale.of(p, torch.from_numpy(known[:, i])) for i, p in enumerate(properties))
        found = cls(goals, (first, second), np.full(2, np.nan))
        return replace(found, worst=found.merits(known).min(0)) if len(known) else found

    def merits(self, found: np.ndarray) -> np.ndarray:
        """``(N, 2)`` of SI values of both properties, the larger the better, in deviations."""
        columns = zip(self.scales, self.goals, torch.from_numpy(found).unbind(1), strict=True)
        return torch.stack([scale.towards(goal, column) for scale, goal, column in columns], 1).numpy()

    def gains(self, run: SpaceResult, source: Source) -> np.ndarray:
        """``(N,)`` gains from start to end, of both properties as each design weighs them; NaN where one is unknown."""
        start, end = values(run, source, 0), values(run, source, -1)
        if start is None or end is None:
            return np.full(len(run.true), np.nan)
        share = np.linspace(0, 1, len(run.true))
        gained = self.merits(end) - self.merits(start)
        return np.where(are_solved(run), (gained * np.stack([1 - share, share], 1)).sum(1), np.nan)

    def area(self, run: SpaceResult, source: Source) -> float:
        """What the ends dominate beyond the worst start, in deviations; NaN where it is unknown."""
        ends = solved_values(run, source, -1)
        if ends is None or not len(ends) or not np.isfinite(self.worst).all():
            return np.nan
        return dominated_area(self.merits(ends) - self.worst, np.zeros(2))
