"""Tree-structured Parzen estimator."""

from __future__ import annotations

from typing import Annotated

import optuna
from pydantic import Field

from matopt.study.parzen import Observations, ParzenSampler
from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, sampler_seed


@SAMPLERS.register("tpe")
class TPE(Sampler):
    """Models the densities of good and of other points by Parzen windows, and draws where their ratio is high.

    Args:
        multivariate: model all dimensions jointly; null leaves it to Optuna, which does with one objective.
        n_ei_candidates: points among which the one of highest expected improvement is taken.

    Source: Bergstra, Bardenet, Bengio, Kegl, Advances in Neural Information Processing Systems 24 (2011).
    """

    def __init__(self, multivariate: bool | None = None, n_ei_candidates: Annotated[int, Field(ge=1)] = 24) -> None:
        self.multivariate = multivariate
        self.n_ei_candidates = n_ei_candidates
        self._observations = Observations()

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make the sampler; where trials run at once it takes those that run for bad ones, to stay apart."""
        return ParzenSampler(
            self._observations,
            n_startup_trials=search.startup,
            n_ei_candidates=self.n_ei_candidates,
            multivariate=self.multivariate,
            constant_liar=search.concurrent > 1,
            seed=sampler_seed(search, n_started),
        )
