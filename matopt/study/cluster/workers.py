"""The workers of the stages on a Ray cluster, which starts when the first work is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
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
from matopt.study.cluster.autoscaling import await_room
from matopt.study.cluster.labelling import ClusterLabel
from matopt.study.cluster.placement import Placement, Seat, gpu_share, place, room_for
from matopt.study.cluster.pool import Pool
from matopt.study.cluster.ray_cluster import Cluster
from matopt.study.config.schema import ResourcesSection
from matopt.study.state import LaunchState

_NODE = "ray.io/node-id"
"""What Ray labels each node with: its own name of it."""


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
        most_trials: how many trials at once the search can make use of, where their number is "auto".

    Attributes:
        context: where the actors make models.
        words: that folder.
        placement: how many processes there are, and where, once it is started.
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
        most_trials: int,
    ) -> None:
        self._cluster = cluster
        self._resources = resources
        self.context = context
        self._state = state
        self.words = words
        self._most_trials = most_trials
        self._label = ClusterLabel(
            store, simulators, context, self.simulators, self._labelled, cluster.check, state.elsewhere
        )
        self._is_started = False
        self.placement: Placement
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
            self.placement = self._placed()
        self._state.message("")

    def _placed(self) -> Placement:
        asked = self._resources

        def find() -> Placement:
            self._cluster.check()
            return place(self._cluster.nodes(), asked, self._most_trials)

        if not self._cluster.is_joined:
            return find()
        each = {"CPU": asked.cpus_per_trial, **({"GPU": 1} if self._on_gpus else {})}
        count = max(1 if wanted == "auto" else wanted for wanted in (asked.trials, asked.predictors))
        placement = await_room(find, each, count, asked.timeout, self._state.message)
        self._cluster.check_nodes()
        return placement

    def close(self) -> None:
        """Leave the cluster, or end it where it was started here; this launch's actors end with it."""
        if self._is_started:
            # Actors are not killed one by one: an answer to that which came when Ray is left would end this process.
            self._cluster.close()
            self._simulators = self._models = None
            self._is_started = False
        shutil.rmtree(self.words, ignore_errors=True)

    def check(self) -> None:
        """See whether Ray itself still runs.

        Raises:
            FailureError: it does not.
        """
        self._cluster.check()

    def simulators(self) -> Pool:
        """Get the simulators' actors, which ask for no CPU and no GPU, on the nodes that were chosen for them.

        Where its node dies an actor starts anew on any other, but none that gets no simulators.
        """
        if self._simulators is None:
            self.start()
            avoided = self.placement.avoided
            places = [((*self._arguments, seat.gpu), _ray_options(seat, avoided)) for seat in self.placement.simulators]
            self._simulators = self._started(
                lambda: Pool.at(places, SimulatorActor, self._resources.timeout, self.words)
            )
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
        pool = self._of(DesignActor, 1)
        with self._state.elsewhere():
            ((_, (designs, seconds)),) = pool.map("ascend", [(task,)], poll=self._cluster.check)
        self._state.spent(computing=seconds)
        return designs

    def _fit(self, kind: type, tasks: Sequence[Any], message: str) -> list[str]:
        self.start()
        pool = self._of(kind, min(len(tasks), self.placement.predictors))
        self._state.progress(0, len(tasks), message)
        with self._state.elsewhere():
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
            nodes, cpus = self._cluster.nodes(), self._resources.cpus_per_trial
            count = min(count, max(1, room_for(nodes, cpus, self._on_gpus)))  # less than asked for where nodes died
            gpus = gpu_share(nodes, count, cpus) if self._on_gpus else 0.0
            self._models = self._started(
                lambda: Pool.of(kind, count, self._resources.timeout, self._arguments, cpus, gpus, self.words)
            )
        return self._models

    def _started(self, start: Callable[[], Pool]) -> Pool:
        with self._state.overhead():
            pool = start()
            pool.wait(self._cluster.check)
        return pool

    @property
    def _on_gpus(self) -> bool:
        return self._resources.device == "cuda"

    @property
    def _arguments(self) -> tuple[ModelContext, int, Path]:
        return self.context, self._resources.cpus_per_trial, self.words

    def _labelled(self, done: int, total: int) -> None:
        if self._state.notes["stage"] == "data":
            self._state.progress(done, total, "values simulated")
        else:
            self._state.message(f"{done} of {total} values simulated")


def _ray_options(seat: Seat, avoided: Sequence[str]) -> dict[str, Any]:
    """What Ray is to do with a simulator: keep it at its seat; where that is gone, anywhere but where none is to be."""
    elsewhere = {_NODE: f"!in({','.join(avoided)})"} if avoided else {}
    return {"num_cpus": 0, "label_selector": {_NODE: seat.node}, "fallback_strategy": [{"label_selector": elsewhere}]}
