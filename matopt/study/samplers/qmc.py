"""Quasi-random points."""

from __future__ import annotations

from typing import Literal

import optuna

from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, sampler_seed


@SAMPLERS.register("qmc")
class QuasiMonteCarlo(Sampler):
    """Takes the points of a low-discrepancy sequence, which fill the space more evenly than random ones.

    The first point is random. Where earlier launches began trials, the sequence goes on.

    Args:
        sequence: "sobol" or "halton".

    Source: Bergstra, Bengio, Journal of Machine Learning Research 13 (2012) 281.
    """

    def __init__(self, sequence: Literal["sobol", "halton"] = "sobol") -> None:
        self.sequence = sequence

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make Optuna's sampler, scrambled by the study's seed: one sequence for all launches."""
        return optuna.samplers.QMCSampler(qmc_type=self.sequence, scramble=True, seed=sampler_seed(search))
