"""The search of a study: what the tuning runs, as a study file says it and as a launch hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import optuna

from matopt.stages.data import Dataset
from matopt.stages.records import TrialResult
from matopt.study.config.study import Study
from matopt.study.records import TrialRecord, best
from matopt.study.samplers.base import SAMPLERS
from matopt.study.search.carrying_over import Identities
from matopt.study.search.ledger import Ledger
from matopt.study.search.plan import SearchCallback, SearchPlan, TrialPoint
from matopt.study.search.rungs import Rungs
from matopt.study.search.trials import TrialContext
from matopt.study.search.tuning import search
from matopt.study.session import Session
from matopt.study.space import suggest
from matopt.training.report import Report


def run_search(session: Session, dataset: Dataset, ledger: Ledger) -> list[TrialRecord]:
    """Run the trials that the study asks for and the ledger lacks; returns all trials of the ledger."""
    study, resources = session.study, session.study.config.resources
    pool = session.workers.simulators()  # before any trial: a trial that waits for actors that wait for CPUs never ends
    placement = session.workers.placement
    context = TrialContext(
        dataset,
        study.simulators,
        session.workers.context,
        session.layout.labels,
        pool,
        resources.cpus_per_trial,
        session.workers.words,
        resources.timeout,
        _rungs(study),
    )
    plan = SearchPlan(
        study.config.search.trials,
        study.most_points,
        _point(study, dataset),
        _sampler(study, placement.trials),
        placement.trials,
        {"cpu": resources.cpus_per_trial, "gpu": placement.trial_gpus},
        session.lease.scratch / "tune",
        study.config.search.min_complete,
        resources.trial_timeout,
        session.workers.check,
    )
    with session.state.elsewhere():
        return search(plan, ledger, context, _LaunchCallback(session, ledger))


def _point(study: Study, dataset: Dataset) -> Callable[[optuna.trial.BaseTrial], TrialPoint]:
    identities = Identities(study, dataset)

    def point(trial: optuna.trial.BaseTrial) -> TrialPoint:
        params = suggest(study.config.search.space, trial)
        chosen = study.with_parameters(params)
        return TrialPoint(params, chosen.trial, identities.of(chosen))

    return point


def _sampler(study: Study, at_once: int) -> Callable[[int], optuna.samplers.BaseSampler]:
    search = replace(study.config.search_spec, concurrent=at_once)
    return partial(SAMPLERS.build(study.sampler, study.folder).build, search)


def _rungs(study: Study) -> Rungs | None:
    pruning = study.config.search.pruning
    if pruning is None:
        return None
    objectives = {name: study.objectives[name] for name in pruning.objectives or study.objectives}
    return Rungs(objectives, pruning.first, pruning.factor, pruning.startup)


class _LaunchCallback(SearchCallback):
    """Tells the launch's state, and its runs in MLflow, of the trials."""

    def __init__(self, session: Session, ledger: Ledger) -> None:
        self._session = session
        self._ledger = ledger
        self._runs: dict[int, str] = {}
        self._tell()

    def begin(self, number: int, params: dict[str, Any]) -> Report:
        self._runs[number] = self._session.runs.begin_trial(self._ledger.key, number, params)
        return self._session.runs.report_of(self._runs[number])

    def complete(self, number: int, outcome: TrialResult) -> None:
        self._session.runs.end_trial(self._runs.pop(number), outcome.metrics)
        self._session.state.spent(computing=outcome.seconds - outcome.waiting, waiting=outcome.waiting)
        self._tell()

    def prune(self, number: int, reason: str, seconds: float, waiting: float) -> None:
        self._session.runs.end_pruned_trial(self._runs.pop(number), reason)
        self._session.state.spent(computing=seconds - waiting, waiting=waiting)
        self._tell(f"trial {number} was {reason}")

    def overhead(self, seconds: float) -> None:
        self._session.state.spent(overhead=seconds)

    def fail(self, number: int, error: str, seconds: float, waiting: float) -> None:
        self._session.state.spent(computing=seconds - waiting, waiting=waiting)
        if number in self._runs:  # not where its very settings were refused
            self._session.runs.end_trial(self._runs.pop(number), None)
        self._tell(f"trial {number} failed: {error}")

    def _tell(self, message: str = "") -> None:
        records = self._ledger.records()
        done = sum(record.state in ("complete", "pruned") for record in records)
        objectives = self._session.study.objectives
        leader = best(records, objectives)
        if not message and leader is not None and leader.outcome is not None:
            name = next(iter(objectives))
            message = f"best {name} {leader.outcome.metrics[name]:.3f} (trial {leader.number})"
        self._session.state.progress(done, self._session.study.config.search.trials, message)
