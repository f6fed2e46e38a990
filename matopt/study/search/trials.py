"""A trial, as it runs in a process of the search's own."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from ray import tune

from matopt.data.labels.store import LabelStore
from matopt.errors import FailureError, InputError
from matopt.physics.base import SIMULATORS, Physics
from matopt.registry import Component
from matopt.stages.data import Dataset
from matopt.stages.models import ModelContext
from matopt.stages.trial import TrialSettings, run_trial
from matopt.study.cluster.labelling import ClusterLabel
from matopt.study.cluster.pool import Pool
from matopt.study.search.ledger import Outcome
from matopt.study.tracking.spool import SpoolWriter

OUTCOME = "outcome"
ERROR = "error"


@dataclass(frozen=True)
class TrialContext:
    """What all trials of a search share.

    Attributes:
        dataset: the authentic microstructures.
        simulators: the physics, by name and settings.
        models: where models are made.
        labels: the label store's folder.
        pool: the simulators' actors.
        spool: where figures are left for tracking.
        threads: CPU threads of a trial.
    """

    dataset: Dataset
    simulators: tuple[Component, ...]
    models: ModelContext
    labels: Path
    pool: Pool
    spool: Path
    threads: int


def trial(config: Mapping[str, Any], context: TrialContext) -> None:
    """Run one trial and report an :class:`Outcome` to Ray Tune, or why there is none.

    An error is reported, not raised: Tune would end the process, and the next trial wait for a new one.
    """
    try:
        outcome = _run(config["settings"], config["run"], context)
    except Exception as error:
        tune.report({ERROR: _line(error)})
    else:
        tune.report({OUTCOME: asdict(outcome)})


def _run(settings: TrialSettings | Exception, run: str, context: TrialContext) -> Outcome:
    if isinstance(settings, Exception):
        raise settings
    torch.set_num_threads(context.threads)
    start = time.perf_counter()
    label = ClusterLabel(_store(context.labels), context.simulators, context.models, lambda: context.pool)
    simulators = tuple(SIMULATORS.build(simulator, context.models.folder) for simulator in context.simulators)
    physics = Physics(simulators, context.dataset.train.microstructures.voxel_size)
    spool = _spool(context.spool)

    def report(step: int, /, **scalars: float) -> bool:
        spool.metrics(run, scalars, step)
        return False

    result = run_trial(settings, context.dataset, physics, label, context.models, report)
    seconds = time.perf_counter() - start
    return Outcome(result.metrics, result.generator_key, result.predictor_key, seconds, label.waiting)


@cache
def _store(folder: Path) -> LabelStore:
    return LabelStore(folder)  # one for the process: it remembers what it has read


@cache
def _spool(folder: Path) -> SpoolWriter:
    return SpoolWriter(folder)


def _line(error: Exception) -> str:
    if isinstance(error, InputError | FailureError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (at {Path(frame.filename).name}:{frame.lineno})"
