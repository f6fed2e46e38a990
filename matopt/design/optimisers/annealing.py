"""Simulated annealing: random changes, of which some that the model calls worse are kept, fewer and fewer."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.problem import Candidates, DesignProblem
from matopt.design.screening import require_draws, screened
from matopt.errors import InputError


@OPTIMISERS.register("annealing")
class Annealing(Optimiser):
    """Metropolis steps at a falling temperature (Kirkpatrick et al., Science 220, 671 (1983)), from the best of draws.

    A move of the space is kept with probability ``exp(change / temperature)`` where the value falls by it, and always
    where it does not. Where moves keep the material's distribution, as those of codes do, designs at one temperature
    are distributed as the material is, times ``exp(value / temperature)``. Moves that break the constraints by more
    are never kept.

    The temperature begins at ``heat`` times the root mean square change that moves of the design make, which is
    measured on the way, and falls evenly to nothing. What is yielded is the best design on the way.

    Args:
        heat: temperature of the first move, in usual changes of the value; 0 keeps no worse design.
        draws: for each design, in the first step; 0 starts from the start.

    Raises:
        InputError: a negative heat, or fewer than 0 draws.
    """

    def __init__(self, heat: float = 0.5, draws: int = 64) -> None:
        if not heat >= 0:
            raise InputError(f"heat must be at least 0, got {heat}")
        self._heat = heat
        self._draws = require_draws(draws)

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        """Yield the designs at their start, and then the best so far after each step."""
        best = problem.start
        yield best
        now = best = screened(problem, best, self._draws, seed)
        random = torch.Generator().manual_seed(seed)
        squares, count = torch.zeros_like(now.value), torch.zeros_like(now.value)
        for step in range(steps):
            if step or not self._draws:
                moved = problem.move(now, seed + step)
                change = moved.value - now.value
                is_known = change.isfinite()
                squares += torch.where(is_known, change.square(), 0.0)
                count += is_known
                usual = (squares / count.clamp_min(1)).sqrt()
                temperature = self._heat * (1 - step / steps) * usual
                least = temperature * torch.rand(len(change), generator=random, dtype=torch.float32).log().to(change)
                is_kept = (moved.violation < now.violation) | ((moved.violation == now.violation) & (change >= least))
                now = now.updated(moved, is_kept)
                best = best.updated(moved, moved.is_better_than(best))
            yield best
