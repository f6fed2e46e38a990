"""The workers of the stages on a Ray cluster, which starts when the first work is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matopt.data.labels.store import LabelStore
from matopt.design.ascent import Designs
from matopt.microstructures import Microstructures
from matopt.properties import PropertyTable
from matopt.registry import Component
from matopt.stages.ascent import AscentTask
from matopt.stages.models import GeneratorTask, ModelContext, PredictorTask
from matopt.study.cluster.actors import DesignActor, GeneratorActor, PredictorActor, SimulatorActor
from matopt.study.cluster.labelling import ClusterLabel
from matopt.study.cluster.pool import Pool
from matopt.study.cluster.ray_cluster import Cluster
from matopt.study.config.schema import ResourcesSection
from matopt.study.state import LaunchState


class RayWorkers:
    """Spreads the work of the stages over actors; see :class:`matopt.stages.workers.Workers`.

    Nothing is started before it is needed: a study whose results are all kept needs no Ray.

    Args:
        cluster: where the actors live.
        resources: how many there are, and what each may use.
        context: where models are made.
        store: the label store.
        simulators: the physics.
        state: hears of the progress and of the time spent.
        words: the folder where processes leave signs of life, and what signal ended them; deleted at the end.

    Attributes:
        context: where the actors make models.
        words: that folder.
    """

    def __init__(
        self,
        cluster: Cluster,
        resources: ResourcesSection,
        context: ModelContext,
        store: LabelStore,
        simulators: Sequence[Component],
        state: LaunchState,
        words: Path,
    ) -> None:
        self._cluster = cluster
        self._resources = resources
        self.context = context
        self._state = state
        self.words = words
        self._label = ClusterLabel(store, simulators, context, self.simulators, self._labelled, cluster.check)
        self._is_started = False
        self._simulators: Pool | None = None
        self._models: Pool | None = None

    def start(self) -> None:
        """Start Ray, unless it was.

        Raises:
            FailureError: the cluster cannot be had, or not what the study asks of it.
        """
        if self._is_started:
            return
        self._state.message("starting Ray")
        with self._state.overhead():
            self._cluster.start()
            self._is_started = True
            asked = self._resources
            self._cluster.require(
                {
                    "resources.trials": (asked.trials, asked.cpus_per_trial, self.gpus),
                    "resources.predictors": (asked.predictors, asked.cpus_per_trial, self.gpus),
                    "resources.simulators": (asked.simulators, 0, self.gpus),
                }
            )
        self._state.message("")

    def close(self) -> None:
        """Leave the cluster, or end it where it was started here; this launch's actors end with it."""
        if self._is_started:
            # Actors are not killed one by one: an answer to that which came when Ray is left would end this process.
            self._cluster.close()
            self._simulators = self._models = None
            self._is_started = False
        shutil.rmtree(self.words, ignore_errors=True)

    @property
    def gpus(self) -> float:
        """The share of a GPU that each actor and trial gets, so that all that live at once have one."""
        if not self._resources.device.startswith("cuda"):
            return 0.0
        actors = max(self._resources.trials, self._resources.predictors) + self._resources.simulators
        share = self._cluster.resources.get("GPU", 0.0) / actors
        return min(1.0, int(share * 1000) / 1000) if share else 1.0

    def check(self) -> None:
        """See whether Ray itself still runs.

        Raises:
            FailureError: it does not.
        """
        self._cluster.check()

    def simulators(self) -> Pool:
        """Get the simulators' actors. Ray counts no CPU for them: a trial that waits for them leaves its own idle."""
        if self._simulators is None:
            self.start()
            self._simulators = self._pool(SimulatorActor, self._resources.simulators, cpus=0)
        return self._simulators

    def free(self) -> None:
        """End the actors that hold models, so that their CPUs are free."""
        if self._models is not None:
            self._models.kill()
            self._models = None

    def label(self, microstructures: Microstructures) -> PropertyTable:
        """Look up or compute the properties of microstructures."""
        before = self._label.computing, self._label.waiting
        try:
            return self._label(microstructures)
        finally:
            self._state.spent(computing=self._label.computing - before[0], waiting=self._label.waiting - before[1])

    def fit_generators(self, tasks: Sequence[GeneratorTask]) -> list[str]:
        """Fit generators, each unless it was; returns their keys."""
        return self._fit(GeneratorActor, tasks, "generators fitted")

    def fit_predictors(self, tasks: Sequence[PredictorTask]) -> list[str]:
        """Fit predictors, each unless it was; returns their keys."""
        return self._fit(PredictorActor, tasks, "predictors fitted")

    def ascend(self, task: AscentTask) -> Designs:
        """The trajectories of a batch of designs."""
        self._state.message(f"ascending in {task.space.kind} space")
        ((_, (designs, seconds)),) = self._of(DesignActor, 1).map("ascend", [(task,)], poll=self._cluster.check)
        self._state.spent(computing=seconds)
        return designs

    def _fit(self, kind: type, tasks: Sequence[Any], message: str) -> list[str]:
        pool = self._of(kind, min(len(tasks), self._resources.predictors))
        self._state.progress(0, len(tasks), message)
        answers = pool.map(
            "fit",
            [(task,) for task in tasks],
            lambda n: self._state.progress(n, len(tasks), message),
            self._cluster.check,
        )
        self._state.spent(computing=sum(seconds for _, (_, seconds) in answers))
        return [key for _, (key, _) in answers]

    def _of(self, kind: type, count: int) -> Pool:
        self.start()
        if self._models is None or self._models.name != kind.__name__:
            self.free()
            cpus = self._resources.cpus_per_trial
            room = max(1, self._cluster.places(cpus, self.gpus))  # less than asked for where nodes died
            self._models = self._pool(kind, int(min(count, room)), cpus=cpus)
        return self._models

    def _pool(self, kind: type, count: int, cpus: int) -> Pool:
        arguments = (self.context, self._resources.cpus_per_trial, self.words)
        with self._state.overhead():
            pool = Pool.of(kind, count, self._resources.timeout, arguments, cpus, self.gpus, self.words)
            pool.wait(self._cluster.check)
        return pool

    def _labelled(self, done: int, total: int) -> None:
        if self._state.notes["stage"] == "data":
            self._state.progress(done, total, "values simulated")
        else:
            self._state.message(f"{done} of {total} values simulated")
