"""Adam along the gradient that the constraints leave free."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.problem import Candidates, DesignProblem
from matopt.design.screening import require_draws, screened
from matopt.errors import InputError

DECAY = (0.8, 0.95)
"""Of the running means of the gradient and of its square: some five and twenty steps, of the tens that are taken."""

SHORTEST = 2.0**-7
"""Of a step whose length is halved again and again, over the first one."""

LONGER = 1.5
"""A step that led somewhere is followed by one so many times as long, up to the first length."""


@OPTIMISERS.register("adam")
class Adam(Optimiser):
    """Projected gradient steps with Adam's moments (Kingma and Ba 2015, arXiv 1412.6980), from the best of some draws.

    The second moment is one for all coordinates of a design: with one for each, a step would no longer be along what
    the constraints leave free, and where it is cut to a ball it would settle beside the optimum.

    Each design has a step length of its own: halved where a step breaks the constraints, and longer again with every
    one that does not. A step may lower the prediction; what is yielded is the best design on the way.

    Args:
        step_size: root mean square change of a coordinate in a step; by default that of the space.
        draws: for each design, in the first step; 0 climbs from the start.
    """

    def __init__(self, step_size: float | None = None, draws: int = 64) -> None:
        if step_size is not None and not step_size > 0:
            raise InputError(f"step_size must be above 0, got {step_size}")
        self._step_size = step_size
        self._draws = require_draws(draws)

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        """Yield the designs at their start, and then the best so far after each step."""
        best = problem.start
        yield best
        best = screened(problem, best, self._draws, seed)
        now = problem.evaluate(best.x, with_gradient=True)
        length = torch.ones_like(now.x[:, :1])
        mean, square = torch.zeros_like(now.x), torch.zeros_like(length)
        count = torch.zeros_like(length)
        size = self._step_size or problem.space.step_size
        for step in range(steps):
            if step or not self._draws:
                assert now.gradient is not None
                count += 1
                mean = DECAY[0] * mean + (1 - DECAY[0]) * now.gradient
                square = DECAY[1] * square + (1 - DECAY[1]) * (now.gradient**2).mean(1, keepdim=True)
                unbiased = mean / (1 - DECAY[0] ** count), square / (1 - DECAY[1] ** count)
                direction = unbiased[0] / (unbiased[1].sqrt() + 1e-8)
                then = problem.evaluate(now.x + size * length * direction, with_gradient=True)
                is_allowed = then.violation <= now.violation
                kept = is_allowed[:, None]
                length = torch.where(kept, (LONGER * length).clamp_max(1), (length / 2).clamp_min(SHORTEST))
                # What led out of the region is forgotten.
                mean, square = torch.where(kept, mean, 0.0), torch.where(kept, square, 0.0)
                count = torch.where(kept, count, 0.0)
                now = now.updated(then, is_allowed)
                best = best.updated(then, is_allowed & then.is_better_than(best))
            yield best
