"""All points of a finite space, in the order of a shuffled grid."""

from __future__ import annotations

import optuna

from matopt.study.samplers.base import SAMPLERS, Sampler, SearchSpec, exhaustive_refusal, finite_space, sampler_seed


@SAMPLERS.register("grid")
class Grid(Sampler):
    """Takes every point of a space of whole numbers and choices once, in an order that follows from the seed."""

    is_exhaustive = True

    def refusal(self, search: SearchSpec) -> str:
        """Refuses spaces with endlessly many points, and more trials than there are points."""
        return exhaustive_refusal("grid", search)

    def build(self, search: SearchSpec, n_started: int) -> optuna.samplers.BaseSampler:
        """Make Optuna's sampler, shuffled by the study's seed: one order for all launches."""
        values = finite_space(search)
        assert values is not None
        return optuna.samplers.GridSampler(values, seed=sampler_seed(search))
