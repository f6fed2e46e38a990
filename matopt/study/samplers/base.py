"""What a sampler of the search is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from matopt.registry import Registry
from matopt.study.space import Choice, Dimension, Int, Plain

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class SearchSpec:
    """A search, as its sampler knows it.

    Attributes:
        space: the dimensions by dotted key.
        objectives: the metrics that are optimised.
        trials: how many are to be complete in the end.
        startup: how many points a model-based sampler draws at random before it trusts its model.
        concurrent: how many trials run at once.
        seed: the study's.
    """

    space: Mapping[str, Dimension]
    objectives: tuple[str, ...]
    trials: int
    startup: int
    concurrent: int
    seed: int


class Sampler(ABC):
    """Chooses the points of a search, by a sampler of Optuna's or one with its interface.

    The settings of a sampler are the arguments of its class: ``sampler: {kind: nsga2, population_size: 20}``.
    """

    name: str
    """The registered name."""

    is_exhaustive: bool = False
    """It takes every point of a finite space once."""

    def refusal(self, search: SearchSpec) -> str:
        """Say why this sampler cannot run a search, and what would do; empty where it can."""
        return ""

    @abstractmethod
    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make the Optuna sampler of one point, which knows of the others by their trials alone.

        Args:
            search: what is searched.
            n_started: how many points were chosen before it. A sampler that draws at random is seeded by it too (see
                :func:`sampler_seed`): each point draws other numbers, and the same ones whenever it is drawn.
        """


SAMPLERS: Registry[Sampler] = Registry("samplers", "matopt.study.samplers")


def sampler_seed(search: SearchSpec, n_started: int = 0) -> int:
    """Make a seed of 32 bits, as samplers take, of the study's and of how many points were chosen before."""
    return int(np.random.SeedSequence([search.seed, n_started]).generate_state(1)[0])


def finite_space(search: SearchSpec) -> dict[str, tuple[Plain, ...]] | None:
    """List the values of every dimension; None where one of them is continuous."""
    values: dict[str, tuple[Plain, ...]] = {}
    for name, dimension in search.space.items():
        if isinstance(dimension, Choice):
            values[name] = dimension.values
        elif isinstance(dimension, Int):
            values[name] = tuple(range(dimension.low, dimension.high + 1))
        else:
            return None
    return values


def most_points(sampler: Sampler, search: SearchSpec, replacements: int) -> int:
    """Count the points that a search may go to: its trials, and others in place of those that fail, if there are."""
    if not search.space:
        return search.trials
    values = finite_space(search) if sampler.is_exhaustive else None
    wanted = search.trials + replacements
    return wanted if values is None else min(wanted, prod(map(len, values.values())))


def exhaustive_refusal(name: str, search: SearchSpec) -> str:
    """Say why the points of a search cannot be gone through one by one: a continuous dimension, or too few points."""
    values = finite_space(search)
    if values is None:
        continuous = [key for key, dimension in search.space.items() if not isinstance(dimension, Choice | Int)]
        return f"{name} goes through all points, and {continuous[0]} has endlessly many; search it by int or choice"
    n_points = prod(map(len, values.values()))
    if search.trials > n_points:
        return f"{name} goes through all points, and there are {n_points} for {search.trials} trials; ask for fewer"
    return ""
