"""What designs gained, as promised and as the physics has it."""

from __future__ import annotations

import numpy as np

from matopt.properties import Property
from matopt.report.style import display_values
from matopt.stages.records import DesignResult, SpaceResult


def gains(run: SpaceResult, design: DesignResult, p: Property) -> tuple[np.ndarray, np.ndarray]:
    """Compute the gains of N designs from start to end, in display units.

    Returns:
        ``(N,)`` promised and ``(N,)`` true ones.
    """
    promised, true = (_nearer(display_values(p, v), design.goal, p.display_factor) for v in (run.predicted, run.true))
    return promised, true


def is_solved(run: SpaceResult) -> np.ndarray:
    """``(N,)`` bool, whether the physics could solve start and end of each design."""
    return (run.usable[:, 0] & run.usable[:, -1]).numpy()


def _nearer(values: np.ndarray, goal: str | float, factor: float) -> np.ndarray:
    """How much nearer to the goal ``(N, C)`` values in display units end than they began."""
    if isinstance(goal, str):
        return (values[:, -1] - values[:, 0]) * (1 if goal == "maximize" else -1)
    off = np.abs(values - goal * factor)
    return off[:, 0] - off[:, -1]
