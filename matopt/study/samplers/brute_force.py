"""All points of a finite space, in random order."""

from __future__ import annotations

import optuna

from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, exhaustive_refusal, sampler_seed


@SAMPLERS.register("brute_force")
class BruteForce(Sampler):
    """Takes at random, of the points of a space of whole numbers and choices, one that was not tried yet."""

    is_exhaustive = True

    def refusal(self, search: SearchSpec) -> str:
        """Refuses spaces with endlessly many points, and more trials than there are points."""
        return exhaustive_refusal("brute_force", search)

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make Optuna's sampler."""
        return optuna.samplers.BruteForceSampler(seed=sampler_seed(search, n_started))
