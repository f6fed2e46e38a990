"""Independent random points."""

from __future__ import annotations

import optuna

from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, sampler_seed


@SAMPLERS.register("random")
class RandomSearch(Sampler):
    """Draws each point at random, whatever earlier trials found."""

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make Optuna's sampler."""
        return optuna.samplers.RandomSampler(sampler_seed(search, n_started))
