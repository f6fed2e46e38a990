"""Bayesian optimisation with a Gaussian process."""

from __future__ import annotations

import optuna

from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, sampler_seed


@SAMPLERS.register("gp")
class GaussianProcess(Sampler):
    """Fits a Gaussian process to each objective, and takes the point of highest expected improvement.

    With several objectives the improvement is that of the dominated hypervolume. A point takes seconds where there are
    hundreds of trials.

    Source: Jones, Schonlau, Welch, Journal of Global Optimization 13 (1998) 455.
    """

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make Optuna's sampler."""
        return optuna.samplers.GPSampler(n_startup_trials=search.startup, seed=sampler_seed(search, n_started))
