"""Claims on what is to be made: of processes that need the same result at the same time one makes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from matopt.atomic_write import unwritable
from matopt.data.labels.locks import ByteLocks
from matopt.stages.artifacts import ArtifactStore

_LOOK_SECONDS = 0.5


@contextmanager
def claimed(artifacts: ArtifactStore, key: str, waiting: Callable[[], object]) -> Generator[None]:
    """Be the only process that makes what is to be kept under ``key``; wait for another one that does.

    A claim ends with its process, however that ends, and whoever waits goes on. It saves work and keeps nothing else:
    where the file system has no locks, each makes its own.

    Args:
        artifacts: where the result is to be kept.
        key: its key.
        waiting: is called twice a second while this process waits; it may end the wait by an error.

    Raises:
        FailureError: the folder cannot be written to.
    """
    file = artifacts.root / "claims.lock"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        locks = ByteLocks(file)
    except OSError as error:
        raise unwritable(file, error) from error
    with locks:
        begun = time.perf_counter()
        while not locks.acquire(key):
            waiting()
            time.sleep(_LOOK_SECONDS)
        artifacts.waited += time.perf_counter() - begun
        yield
