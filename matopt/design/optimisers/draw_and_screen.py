"""Many microstructures are drawn for each design, and the model chooses."""

from __future__ import annotations

from collections.abc import Iterator

from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.problem import Candidates, DesignProblem
from matopt.design.screening import screened
from matopt.errors import InputError


@OPTIMISERS.register("draw_and_screen")
class DrawAndScreen(Optimiser):
    """The best of many microstructures of the start's porosity, drawn from the generator: no step leads anywhere.

    Args:
        draws: for each design, spread over the steps.

    Raises:
        InputError: no draw.
    """

    needs_draws = True

    def __init__(self, draws: int = 64) -> None:
        if draws < 1:
            raise InputError(f"draws must be at least 1, got {draws}")
        self._draws = draws

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        """Yield the designs at their start, and then the best so far.

        Raises:
            InputError: the space cannot draw.
        """
        if not problem.space.knows_material:
            raise InputError("draw_and_screen: this space cannot draw microstructures; choose another, like moves")
        designs = problem.start
        yield designs
        for step in range(steps):
            first, last = self._draws * step // steps, self._draws * (step + 1) // steps
            designs = screened(problem, designs, last - first, seed + first)
            yield designs
