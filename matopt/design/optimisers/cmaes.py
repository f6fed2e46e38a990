"""CMA-ES: a normal distribution of each design's coordinates that learns where better ones are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from cmaes import CMA

from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.problem import Candidates, DesignProblem
from matopt.design.screening import require_draws, screened
from matopt.errors import InputError

MOST_COORDINATES = 200
"""Beyond so many the covariances cost more than the model."""


@OPTIMISERS.register("cmaes")
class CMAES(Optimiser):
    """Covariance matrix adaptation (Hansen, arXiv 1604.00772), one for each design, from the best of some draws.

    Needs no gradient. A step is a generation of ``4 + 3 log(D)`` candidates of D coordinates; those that break the
    constraints rank behind all others.

    Args:
        spread: standard deviation of the first generation, in usual steps of the space.
        draws: for each design, in the first step; 0 climbs from the start.

    Raises:
        InputError: a spread that is not positive, or fewer than 0 draws.
    """

    def __init__(self, spread: float = 6.0, draws: int = 64) -> None:
        if not spread > 0:
            raise InputError(f"spread must be above 0, got {spread}")
        self._spread = spread
        self._draws = require_draws(draws)

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        """Yield the designs at their start, and then the best so far after each generation.

        Raises:
            InputError: too many coordinates.
        """
        best = problem.start
        n, dimension = best.x.shape
        if not 2 <= dimension <= MOST_COORDINATES:
            raise InputError(
                f"cmaes: this space has {dimension} coordinates, and it takes 2 to {MOST_COORDINATES}; "
                "choose another optimiser, like moves"
            )
        yield best
        best = screened(problem, best, self._draws, seed)
        searches = [
            CMA(x.astype(float), self._spread * problem.space.step_size, seed=int(s))
            for x, s in zip(best.x.cpu().numpy(), np.random.SeedSequence(seed).generate_state(n), strict=True)
        ]
        size = searches[0].population_size
        rows = torch.arange(n, device=best.x.device).repeat_interleave(size)
        for step in range(steps):
            if step or not self._draws:
                asked = np.stack([search.ask() for search in searches for _ in range(size)])
                found = problem.evaluate(torch.from_numpy(asked).to(best.x), rows)
                ranks = _ranks(found, n).reshape(n, size)
                # The coordinates as they were asked for: those of the space may be projected.
                for search, points, cost in zip(searches, asked.reshape(n, size, -1), ranks, strict=True):
                    search.tell([(point, float(c)) for point, c in zip(points, cost, strict=True)])
                first = torch.from_numpy(ranks.argmin(1) + size * np.arange(n)).to(rows)
                chosen = found.taken(first)
                best = best.updated(chosen, chosen.is_better_than(best))
            yield best


def _ranks(found: Candidates, n: int) -> np.ndarray:
    """``(n, K)`` places of n groups of K candidates, the best first, by violation and then by value."""
    violation, value = (t.double().cpu().numpy().reshape(n, -1) for t in (found.violation, found.value))
    order = np.lexsort((-value, violation), axis=1)
    return np.argsort(order, axis=1)
