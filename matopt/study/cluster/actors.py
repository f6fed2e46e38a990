"""The actors: each holds simulators or models on a device, and forwards calls. They know nothing of the study.

Every call may be repeated after a crash: the same arguments give the same answer, kept under the same key.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch

from matopt.data.labels.store import LabelBatch
from matopt.design.ascent import Designs
from matopt.microstructures import Microstructures
from matopt.physics.base import SIMULATORS, Simulator
from matopt.registry import Component
from matopt.stages.ascent import AscentTask, run_ascent
from matopt.stages.models import GeneratorTask, ModelContext, PredictorTask, fit_generator, fit_predictor
from matopt.stages.simulate import compute
from matopt.study.cluster.deaths import last_words


class Actor:
    """A process of the cluster, with a context and a number of threads of its own.

    Args:
        context: where models are made, and on which device.
        threads: CPU threads of its work.
        words: the folder where it leaves what signal ended it; None leaves nothing.
    """

    def __init__(self, context: ModelContext, threads: int, words: Path | None = None) -> None:
        torch.set_num_threads(threads)
        self._context = context
        self._words = ExitStack()
        if words is not None:
            me = ray.get_runtime_context().get_actor_id()
            self._words.enter_context(last_words(words / f"{me}-{os.getpid()}"))


class SimulatorActor(Actor):
    """Computes labels."""

    def __init__(self, context: ModelContext, threads: int, words: Path | None = None) -> None:
        super().__init__(context, threads, words)
        self._simulators: dict[str, Simulator] = {}

    def solve(self, simulator: Component, phases: np.ndarray, voxel_size: float) -> tuple[LabelBatch, float]:
        """Compute the labels of microstructures; returns the seconds it took as well."""
        key = repr(simulator)
        if key not in self._simulators:
            self._simulators[key] = SIMULATORS.build(simulator, self._context.folder)
        microstructures = Microstructures(phases, voxel_size)
        return _timed(lambda: compute(self._simulators[key], microstructures, self._context.device))


class GeneratorActor(Actor):
    """Fits generators."""

    def fit(self, task: GeneratorTask) -> tuple[str, float]:
        """Fit a generator, unless it was; returns its key and the seconds it took."""
        return _timed(lambda: fit_generator(task, self._context))


class PredictorActor(Actor):
    """Fits predictors."""

    def fit(self, task: PredictorTask) -> tuple[str, float]:
        """Fit a predictor, unless it was; returns its key and the seconds it took."""
        return _timed(lambda: fit_predictor(task, self._context))


class DesignActor(Actor):
    """Ascends designs, all seeds of a task in one batch."""

    def ascend(self, task: AscentTask) -> tuple[Designs, float]:
        """The trajectories, and the seconds they took."""
        return _timed(lambda: run_ascent(task, self._context))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start
