"""Optuna's tree-structured Parzen estimator for searches of thousands of trials: the same points, chosen sooner.

Optuna parts the trials into good and others, and reads their points, anew for every dimension. Here the trials are
parted once a point, and each trial's point is read once, when it has ended. What is drawn from, and how, is Optuna's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from optuna._hypervolume.hssp import _solve_hssp
from optuna.distributions import BaseDistribution
from optuna.samplers._tpe.sampler import (
    _get_reference_point,
    _split_pruned_trials,
    default_gamma,
    default_gamma_multiobjective,
)
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.study._multi_objective import _fast_non_domination_rank
from optuna.trial import FrozenTrial, TrialState

from matopt.study.hypervolume import dominating_most


class Observations:
    """The trials of a study as numbers, from one point of its search to the next: each is read once, when it has ended.

    Attributes:
        trials: all, by number.
        losses: ``(trials, objectives)`` of the complete ones, less is better; NaN for the others.
        pruned: the numbers of those that were pruned.
        running: those that run.
        space: what the trials' points have in common.
    """

    def __init__(self) -> None:
        self._of: tuple[Any, str] = (None, "")

    def of(self, study: optuna.Study) -> Observations:
        """Take the trials of a study as they are now; returns itself."""
        if self._of[0] is not study._storage or self._of[1] != study.study_name:
            self._of = study._storage, study.study_name
            self.space = IntersectionSearchSpace(include_pruned=True)
            self.losses = np.empty((0, len(study.directions)))
            self.pruned: list[int] = []
            self._open: list[int] = []
            self._columns: dict[str, tuple[np.ndarray, list[int]]] = {}
        self.trials = study.get_trials(deepcopy=False)
        signs = np.array([1.0 if direction is StudyDirection.MINIMIZE else -1.0 for direction in study.directions])
        self.losses, before = _extended(self.losses, len(self.trials)), len(self.losses)
        looked_at, self._open = [*self._open, *range(before, len(self.trials))], []
        for number in looked_at:
            trial = self.trials[number]
            if trial.state is TrialState.COMPLETE:
                self.losses[number] = signs * np.array(trial.values)
            elif trial.state is TrialState.PRUNED:
                self.pruned.append(number)
            elif not trial.state.is_finished():
                self._open.append(number)
        self.running = [self.trials[n] for n in self._open if self.trials[n].state is TrialState.RUNNING]
        return self

    def column(self, name: str, distribution: BaseDistribution) -> np.ndarray:
        """The value of each trial, by number: NaN where it has none, or has not ended."""
        known, waiting = self._columns.get(name, (np.empty(0), []))
        values, open_ = _extended(known, len(self.trials)), []
        for number in (*waiting, *range(len(known), len(self.trials))):
            if not self.trials[number].state.is_finished():
                open_.append(number)
            elif name in self.trials[number].params:
                values[number] = distribution.to_internal_repr(self.trials[number].params[name])
        self._columns[name] = values, open_
        return values.copy()


class ParzenSampler(optuna.samplers.TPESampler):
    """Optuna's `TPESampler`.

    Args:
        observations: of the study; they outlive the sampler of one point.
        settings: of the `TPESampler`.
    """

    def __init__(self, observations: Observations, **settings: Any) -> None:
        super().__init__(**settings)
        self._observations = observations
        self._number = -1

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """List the dimensions that are modelled jointly."""
        self._look(study, trial)
        return super().infer_relative_search_space(study, trial)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw a value of a dimension that is modelled by itself."""
        self._look(study, trial)
        if self._n_known < self._n_startup_trials:
            return self._random_sampler.sample_independent(study, trial, param_name, param_distribution)
        return self._sample(study, trial, {param_name: param_distribution})[param_name]

    def _look(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Look at the study's trials, once for each trial that is to have a point."""
        if self._number == trial.number:
            return
        self._number = trial.number
        seen = self._observations.of(study)
        self._search_space = seen.space
        self._running = [other for other in seen.running if other.number != trial.number and self._constant_liar]
        complete = np.flatnonzero(~np.isnan(seen.losses[:, 0]))
        self._n_known = len(complete) + len(seen.pruned)
        if self._n_known >= self._n_startup_trials:
            self._parts = self._part(study, seen, complete)

    def _part(self, study: optuna.Study, seen: Observations, complete: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Part the trials into good and others, by number; those that run count as others."""
        losses, others = seen.losses[complete], [other.number for other in self._running]
        if len(study.directions) == 1:
            n_good = default_gamma(self._n_known)
            is_good = np.argsort(np.argsort(losses[:, 0], kind="stable")) < n_good
            pruned = [seen.trials[number] for number in sorted(seen.pruned)]
            best, rest = _split_pruned_trials(pruned, study, max(0, n_good - len(losses)))
            good, others = [trial.number for trial in best], others + [trial.number for trial in rest]
        else:  # among several objectives what was pruned has no place
            is_good = _good(losses, min(len(losses), default_gamma_multiobjective(self._n_known)))
            good, others = [], others + seen.pruned
        return _in_order(complete[is_good], good), _in_order(complete[~is_good], others)

    def _sample(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        good, others = (self._points(study, search_space, numbers) for numbers in self._parts)
        n_good = len(next(iter(good.values())))
        even = np.ones(n_good) if len(study.directions) > 1 else None
        density = self._parzen_estimator_cls(good, search_space, self._parzen_estimator_parameters, even)
        elsewhere = self._parzen_estimator_cls(others, search_space, self._parzen_estimator_parameters)
        candidates = density.sample(self._rng.rng, self._n_ei_candidates)
        chosen = self._compare(candidates, self._compute_acquisition_func(candidates, density, elsewhere))
        return {name: dimension.to_external_repr(chosen[name]) for name, dimension in search_space.items()}

    def _points(
        self, study: optuna.Study, search_space: dict[str, BaseDistribution], numbers: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The points of these trials, but of those that lack a dimension."""
        columns = {}
        for name, dimension in search_space.items():
            values = self._observations.column(name, dimension)
            for running in self._running:
                chosen = self._get_params(running, study)
                values[running.number] = dimension.to_internal_repr(chosen[name]) if name in chosen else np.nan
            columns[name] = values[numbers]
        has_all = np.logical_and.reduce([~np.isnan(values) for values in columns.values()])
        return {name: values[has_all] for name, values in columns.items()}


def _good(losses: np.ndarray, n_good: int) -> np.ndarray:
    """Which rows dominate most: front by front, and of the last one those of the largest hypervolume."""
    if n_good in (0, len(losses)):
        return np.full(len(losses), n_good > 0)
    ranks = _fast_non_domination_rank(losses, n_below=n_good)
    n_fronts = np.searchsorted(np.cumsum(np.unique(ranks, return_counts=True)[1]), n_good, side="right")
    is_good = ranks < n_fronts
    if missing := n_good - int(is_good.sum()):
        rows = np.flatnonzero(ranks == n_fronts)
        reference = _get_reference_point(losses[rows])
        front, first = np.unique(losses[rows], return_index=True, axis=0)
        if front.shape[1] == 2 and missing < len(front):
            is_good[rows[first[dominating_most(front, missing, reference)]]] = True
        else:
            is_good[_solve_hssp(losses[rows], rows, missing, reference)] = True
    return is_good


def _extended(values: np.ndarray, length: int) -> np.ndarray:
    """The values, followed by NaN."""
    return np.concatenate([values, np.full((length - len(values), *values.shape[1:]), np.nan)])


def _in_order(numbers: np.ndarray, others: list[int]) -> np.ndarray:
    return np.sort(np.append(numbers, np.array(others, int)))
