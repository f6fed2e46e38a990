"""Non-dominated sorting genetic algorithm III."""

from __future__ import annotations

from typing import Annotated

import optuna
from pydantic import Field

from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, sampler_seed


@SAMPLERS.register("nsga3")
class NSGAIII(Sampler):
    """Breeds generations of points ranked by non-domination and spread over reference directions.

    Args:
        population_size: points of a generation; the first one is random.

    Source: Deb, Jain, IEEE Transactions on Evolutionary Computation 18 (2014) 577.
    """

    def __init__(self, population_size: Annotated[int, Field(ge=2)] = 50) -> None:
        self.population_size = population_size

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make Optuna's sampler."""
        return optuna.samplers.NSGAIIISampler(
            population_size=self.population_size, seed=sampler_seed(search, n_started)
        )
