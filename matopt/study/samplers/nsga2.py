"""Non-dominated sorting genetic algorithm II."""

from __future__ import annotations

from typing import Annotated

import optuna
from pydantic import Field

from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, sampler_seed


@SAMPLERS.register("nsga2")
class NSGAII(Sampler):
    """Breeds generations of points ranked by non-domination and crowding distance.

    Args:
        population_size: points of a generation; the first one is random.

    Source: Deb, Pratap, Agarwal, Meyarivan, IEEE Transactions on Evolutionary Computation 6 (2002) 182.
    """

    def __init__(self, population_size: Annotated[int, Field(ge=2)] = 50) -> None:
        self.population_size = population_size

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make Optuna's sampler."""
        return optuna.samplers.NSGAIISampler(population_size=self.population_size, seed=sampler_seed(search, n_started))
