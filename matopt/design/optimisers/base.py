"""The interface of all optimisers of designs, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from matopt.design.problem import Candidates, DesignProblem
from matopt.registry import Registry


class Optimiser(ABC):
    """Improves the objective of a batch of designs. Settings are keyword arguments."""

    needs_draws: ClassVar[bool] = False
    """Whether it works only in spaces that can draw microstructures of the material."""

    @abstractmethod
    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        """Yield the N designs at their start, and then after each step.

        No more than ``steps`` of them are taken; of fewer the last is repeated. Designs that are yielded break the
        constraints by no more than their start does, and the same seed gives the same ones.

        Args:
            problem: says where designs start, and evaluates others in their place.
            steps: how many steps are taken.
            seed: of whatever is random.
        """


OPTIMISERS: Registry[Optimiser] = Registry("optimisers", "matopt.design.optimisers")
