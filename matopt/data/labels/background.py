"""Compaction beside a process's work: in a thread that the process does not wait for."""

from __future__ import annotations

import atexit
import threading
from functools import cache
from pathlib import Path

from matopt.data.labels.compaction import compact
from matopt.errors import FailureError, warn

_GIVEN_UP = 10.0
"""Seconds in which a compaction ends when it is asked to."""

_one_at_a_time = threading.Lock()
_is_ending = threading.Event()


def compact_in_background(root: Path) -> None:
    """Begin to compact a store, unless this process is at it or another one is. It ends with the process."""
    if _one_at_a_time.acquire(blocking=False):
        _end_with_the_process()
        threading.Thread(target=_work, args=(root,), name="compaction of labels", daemon=True).start()


def _work(root: Path) -> None:
    try:
        compact(root, lambda: not _is_ending.is_set())
    except (FailureError, OSError) as error:
        if _is_ending.is_set():  # given up: who opens the store next goes on
            return
        warn(f"the labels in {root} are kept, but not compacted: {error}")
    finally:
        _one_at_a_time.release()


@cache
def _end_with_the_process() -> None:
    def end() -> None:  # before the interpreter goes: a thread in the middle of Arrow's or SQLite's code would crash it
        _is_ending.set()
        _one_at_a_time.acquire(timeout=_GIVEN_UP)

    atexit.register(end)
