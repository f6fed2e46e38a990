"""The actors: each holds simulators or models on a device, and forwards calls. They know nothing of the study.

Every call may be repeated after a crash: the same arguments give the same answer, kept under the same key.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch

from matopt.buckets.bucket import be_patient
from matopt.data.labels.store import LabelBatch
from matopt.design.ascent import Designs
from matopt.microstructures import Microstructures
from matopt.physics.base import SIMULATORS, Simulator
from matopt.registry import Component
from matopt.stages.ascent import AscentTask, run_ascent
from matopt.stages.models import GeneratorTask, ModelContext, PredictorTask, fit_generator, fit_predictor
from matopt.stages.simulate import compute
from matopt.study.cluster.deaths import last_words

_PATIENCE = 3600.0
"""Seconds for which an actor asks a bucket that does not answer; who waits for it may end it before."""


class Actor:
    """A process of the cluster, with a context and a number of threads of its own.

    Args:
        context: where models are made, and on which device.
        threads: CPU threads of its work.
        words: the folder where it leaves what signal ended it; None leaves nothing.
    """

    def __init__(self, context: ModelContext, threads: int, words: Path | None = None) -> None:
        torch.set_num_threads(threads)
        be_patient(_PATIENCE)
        self._context = context
        self._words = ExitStack()
        if words is not None:
            me = ray.get_runtime_context().get_actor_id()
            self._words.enter_context(last_words(words / f"{me}-{os.getpid()}"))


class SimulatorActor(Actor):
    """Computes labels.

    It asks Ray for no share of a GPU, and so sees all of its node's. What it holds of one is memory: that of its
    simulators, some hundreds of MB, while it is idle too; that of its work it gives back when it is done.

    Args:
        context, threads, words: as of any actor.
        gpu: which of its node's GPUs it takes, where the device is one; where there are fewer, they are counted round.
    """

    def __init__(self, context: ModelContext, threads: int, words: Path | None = None, gpu: int = 0) -> None:
        super().__init__(context, threads, words)
        self._on_gpu = context.device == "cuda"
        if self._on_gpu:
            self._context = replace(context, device=f"cuda:{gpu % max(1, torch.cuda.device_count())}")
        self._simulators: dict[str, Simulator] = {}

    def solve(self, simulator: Component, phases: np.ndarray, voxel_size: float) -> tuple[LabelBatch, float]:
        """Compute the labels of microstructures; returns the seconds it took as well."""
        key = repr(simulator)
        if key not in self._simulators:
            self._simulators[key] = SIMULATORS.build(simulator, self._context.folder)
        microstructures = Microstructures(phases, voxel_size)
        try:
            return _timed(lambda: compute(self._simulators[key], microstructures, self._context.device))
        finally:
            if self._on_gpu:
                torch.cuda.empty_cache()  # which trials on the same GPU may need


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
