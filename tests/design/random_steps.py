"""An optimiser of designs of a user's own, which a study names as ``random_steps.py:RandomSteps``."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from matopt.design.optimisers.base import Optimiser
from matopt.design.problem import Candidates, DesignProblem


class RandomSteps(Optimiser):
    """Random steps, of which those are kept that do not lower the prediction, inside the constraints.

    Args:
        spread: standard deviation of a coordinate's change, in usual steps of the space.
    """

    def __init__(self, spread: float = 1.0) -> None:
        self.spread = spread

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        random = torch.Generator().manual_seed(seed)
        designs = problem.start
        yield designs
        for _ in range(steps):
            change = self.spread * problem.space.step_size * torch.randn(designs.x.shape, generator=random)
            others = problem.evaluate(designs.x + change)
            designs = designs.updated(others, others.is_inside & (others.value >= designs.value))
            yield designs
