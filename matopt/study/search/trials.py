"""The trial that Ray Tune runs, in a process of its own."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from ray import tune

from matopt.buckets.bucket import be_patient
from matopt.data.labels.store import LabelStore
from matopt.errors import FailureError, InputError
from matopt.physics.base import SIMULATORS, Physics
from matopt.registry import Component
from matopt.stages.data import Dataset
from matopt.stages.models import ModelContext
from matopt.stages.records import TrialResult
from matopt.stages.trial import TrialSettings, run_trial
from matopt.study.cluster.deaths import last_words
from matopt.study.cluster.labelling import ClusterLabel
from matopt.study.cluster.pool import Pool
from matopt.study.search.life import LifeSigns, vital_file
from matopt.study.search.rungs import Rungs
from matopt.study.search.watched import Watched
from matopt.training.report import Report

OUTCOME = "outcome"
ERROR = "error"
SECONDS = "seconds"
WAITING = "waiting"


@dataclass(frozen=True)
class TrialContext:
    """What all trials of a search share.

    Attributes:
        dataset: the authentic microstructures.
        simulators: the physics, by name and settings.
        models: where models are made.
        labels: the label store's folder.
        pool: the simulators' actors.
        threads: CPU threads of a trial.
        vital: the folder of the trials' signs of life.
        silence: seconds without one after which a trial is given up.
        rungs: where a trial may be pruned; None for nowhere.
    """

    dataset: Dataset
    simulators: tuple[Component, ...]
    models: ModelContext
    labels: Path
    pool: Pool
    threads: int
    vital: Path
    silence: float = 3600.0
    rungs: Rungs | None = None


def trial(config: Mapping[str, Any], context: TrialContext) -> None:
    """Run one trial and report its :class:`TrialResult` to Ray Tune, or why there is none.

    An error is reported, not raised: Tune would end the process, and the next trial wait for a new one.

    Args:
        config: ``number``; ``settings``, the trial's :class:`TrialSettings` or why it has none; and ``report``, which
            hears of its trainings.
        context: what all trials share.
    """
    start = time.perf_counter()
    be_patient(context.silence)
    file = vital_file(context.vital, config["number"])
    signs, waited = LifeSigns(file, context.silence), context.models.artifacts.waited
    label = ClusterLabel(
        _store(context.labels), context.simulators, context.models, lambda: context.pool, poll=signs.sign
    )

    def spent() -> dict[str, float]:
        return {SECONDS: time.perf_counter() - start, WAITING: label.waiting + context.models.artifacts.waited - waited}

    watched = Watched(config["report"], context.rungs, spent)
    try:
        with last_words(file), signs.given():
            outcome = _run(config["settings"], signs.of(watched), context, label)
            waiting = spent()[WAITING]
            result: dict[str, Any] = {OUTCOME: asdict(replace(outcome, waiting=waiting)), **watched.curve}
    except (Exception, SystemExit) as error:  # a user's code that ends its process ends its trial alone
        result = {ERROR: _line(error), **spent()}
    if watched.is_pruned:
        sys.exit(0)  # as Tune waits for: it has the trial's curve, and its process another trial
    tune.report(result)


def _run(
    settings: TrialSettings | Exception, report: Report, context: TrialContext, label: ClusterLabel
) -> TrialResult:
    if isinstance(settings, Exception):
        raise settings
    torch.set_num_threads(context.threads)
    simulators = tuple(SIMULATORS.build(simulator, context.models.folder) for simulator in context.simulators)
    physics = Physics(simulators, context.dataset.train.microstructures.voxel_size)
    return run_trial(settings, context.dataset, physics, label, context.models, report)


@cache
def _store(folder: Path) -> LabelStore:
    return LabelStore(folder)  # one for the process: it remembers what it has read


def _line(error: Exception | SystemExit) -> str:
    if isinstance(error, InputError | FailureError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"(at {Path(frame.filename).name}:{frame.lineno})"
    if isinstance(error, SystemExit):
        return f"it ended itself, with exit code {error.code or 0} {place}"
    return f"{type(error).__name__}: {error} {place}"
