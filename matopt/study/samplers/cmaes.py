"""Covariance matrix adaptation evolution strategy."""

from __future__ import annotations

from typing import Annotated

import optuna
from pydantic import Field

from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, sampler_seed
from matopt.study.space import Choice


@SAMPLERS.register("cmaes")
class CMAES(Sampler):
    """Draws points from a normal distribution whose mean and covariance follow the best ones; one objective, numbers.

    Args:
        population_size: points of a generation; null takes ``4 + floor(3 ln d)`` in d dimensions.

    Source: Hansen, Ostermeier, Evolutionary Computation 9 (2001) 159.
    """

    def __init__(self, population_size: Annotated[int, Field(ge=2)] | None = None) -> None:
        self.population_size = population_size

    def refusal(self, search: SearchSpec) -> str:
        """Refuses several objectives, and choices."""
        if len(search.objectives) > 1:
            return f"cmaes takes one objective, and there are {len(search.objectives)}; take tpe, gp, nsga2 or nsga3"
        choices = [key for key, dimension in search.space.items() if isinstance(dimension, Choice)]
        return f"cmaes searches numbers alone, and {choices[0]} is a choice; take tpe, gp or nsga2" if choices else ""

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make Optuna's sampler."""
        return optuna.samplers.CmaEsSampler(
            n_startup_trials=search.startup, popsize=self.population_size, seed=sampler_seed(search, n_started)
        )
