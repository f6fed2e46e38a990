"""Labelling on a cluster: from the label store, and by the simulators' actors."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from matopt.data.labels.store import LabelBatch, LabelStore
from matopt.microstructures import Microstructures
from matopt.physics.base import SIMULATORS, Simulator
from matopt.properties import PropertyTable
from matopt.registry import Component
from matopt.stages.models import ModelContext
from matopt.study.cluster.pool import Pool, no_poll

_CHUNK_VOXELS = 1 << 18  # 16 images of 128^2 or one volume of 64^3: a second or two of work


class ClusterLabel:
    """Label microstructures: what the store knows from the store, the rest from the simulators' actors.

    Args:
        store: the label store.
        simulators: what to compute, as the study names it.
        context: where classes of the user's files are.
        pool: gives the simulators' actors when they are first needed.
        progress: hears how many of the missing values are computed, and how many there are.
        poll: is called every second or so while the actors work; it may end the wait by an error.
        awaiting: is entered while this process waits for them.

    Attributes:
        computing: seconds that the actors worked for this process.
        waiting: seconds that this process waited beyond that, because others kept the actors busy.
    """

    def __init__(
        self,
        store: LabelStore,
        simulators: Sequence[Component],
        context: ModelContext,
        pool: Callable[[], Pool],
        progress: Callable[[int, int], None] | None = None,
        poll: Callable[[], None] = no_poll,
        awaiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._store = store
        self._components = list(simulators)
        self._simulators = [SIMULATORS.build(component, context.folder) for component in simulators]
        self._pool = pool
        self._progress = progress
        self._poll = poll
        self._awaiting = awaiting
        self._done = self._total = 0
        self.computing = 0.0
        self.waiting = 0.0

    def __call__(self, microstructures: Microstructures) -> PropertyTable:
        """Look up or compute all properties, in the order of the study."""
        if self._progress is not None:
            self._done, self._total = 0, int(self._store.lookup(microstructures, self._simulators)[1].sum())
        return self._store.label(microstructures, self._simulators, self._solve)

    def _solve(self, simulator: Simulator, microstructures: Microstructures) -> LabelBatch:
        component = next(c for c, s in zip(self._components, self._simulators, strict=True) if s is simulator)
        pool = self._pool()
        n = len(microstructures)
        # No more than a call should take; and two calls for every actor at least, so that the quicker one takes more.
        size = max(1, min(_CHUNK_VOXELS // math.prod(microstructures.shape), math.ceil(n / (2 * len(pool.actors)))))
        chunks = [microstructures.phases[first : first + size] for first in range(0, n, size)]
        start = time.perf_counter()
        calls = [(component, chunk, microstructures.voxel_size) for chunk in chunks]
        with self._awaiting():
            answers = pool.map(
                "solve", calls, lambda answered: self._tell(self._done + min(n, answered * size)), self._poll
            )
        elapsed = time.perf_counter() - start
        busy: dict[int, float] = defaultdict(float)
        for actor, (_, seconds) in answers:
            busy[actor] += seconds
        self.computing += sum(busy.values())
        self.waiting += max(0.0, elapsed - max(busy.values()))
        self._done += n
        values, status, residual, tensor = zip(*(solved for _, (solved, _) in answers), strict=True)
        return LabelBatch(*(np.concatenate(part) for part in (values, status, residual, tensor)))

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, self._total)
