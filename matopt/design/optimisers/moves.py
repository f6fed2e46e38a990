"""Random changes of designs, each kept where the model says that it is better."""

from __future__ import annotations

from collections.abc import Iterator

from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.problem import Candidates, DesignProblem
from matopt.design.screening import require_draws, screened


@OPTIMISERS.register("moves")
class Moves(Optimiser):
    """A climb by random moves, as the space makes them, from the best of several draws.

    No gradient is followed: a model's gradient tells least where designs go, and moves that a generator makes stay in
    what it has learnt. The first step draws and screens, where the space can draw; each further one tries a move.

    Args:
        draws: for each design, in the first step.
    """

    def __init__(self, draws: int = 64) -> None:
        self._draws = require_draws(draws)

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        """Yield the designs at their start, and then after each step."""
        designs = problem.start
        yield designs
        designs = screened(problem, designs, self._draws, seed)
        for step in range(steps):
            if step or not self._draws:
                moved = problem.move(designs, seed + step)
                designs = designs.updated(moved, moved.is_better_than(designs))
            yield designs
