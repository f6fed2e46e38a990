"""The copy of a spool in a bucket, where the storage is one.

Of the driver's host what MLflow does not take is copied there, so that it outlives this host: while MLflow takes all
within a second nothing is. A launch elsewhere finds the copy, and sends what it holds. Trials on other hosts put there
what they say, every few seconds, and the driver takes it from there.

A bucket that does not answer is told by who keeps results in it; here it is tried again.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from matopt.buckets.copies import fetch, forget, is_copy, keep, listed
from matopt.errors import FailureError

HERE = ".here"
"""What lies in the folder of a launch on its driver's host alone."""

_NOTES = (HERE, ".delivered", ".new")
"""What is not copied: what was delivered is sent again, which doubles nothing."""

_EVERY = 5.0


class SpoolCopy:
    """Keeps a spool in the bucket of its study, and takes from there; does nothing where the storage is a folder.

    Args:
        spool: the spool folder of a study, for one tracking server.
        launch: the name of this launch's folder.
    """

    def __init__(self, spool: Path, launch: str) -> None:
        self._spool, self._launch = spool, spool / launch
        self._is_needed = is_copy(spool)
        self._kept: dict[Path, int] = {}
        self._far: dict[Path, int] = {}
        self._looked = time.monotonic()

    def update(self) -> None:
        """Keep what is new here."""
        if not self._is_needed:
            return
        for path in sorted(
            self._spool.rglob("*"), key=lambda path: path.suffix == ".jsonl"
        ):  # events after their files
            with suppress(FailureError, FileNotFoundError):
                size = path.stat().st_size
                is_new = path not in self._far and self._kept.get(path) != size
                if is_new and path.is_file() and not path.name.endswith(_NOTES):
                    keep(path)
                    self._kept[path] = size

    def take(self, is_last: bool) -> None:
        """Take what trials on other hosts have said, unless that was done a moment ago."""
        now = time.monotonic()
        if not self._is_needed or (now - self._looked < _EVERY and not is_last):
            return
        self._looked = now
        with suppress(FailureError):
            for kept in listed(self._launch):
                is_theirs = kept.path in self._far or not kept.path.exists()
                if is_theirs and kept.path.suffix == ".jsonl" and self._far.get(kept.path) != kept.size:
                    fetch(kept.path)
                    self._far[kept.path] = kept.size

    def forget(self, folder: Path) -> None:
        """Delete what was kept of a launch's folder."""
        if self._is_needed:
            with suppress(FailureError):
                for kept in listed(folder):
                    forget(kept.path)


def is_far(folder: Path) -> bool:
    """Whether a launch's folder is that of a driver on another host, which sees what is in the bucket alone."""
    return is_copy(folder) and not (folder / HERE).exists()


def carry(file: Path) -> None:
    """Put a file that this process writes where its driver sees it, every few seconds, as long as the process lives."""

    def work() -> None:
        kept = 0
        while True:
            time.sleep(_EVERY)
            with suppress(FailureError, OSError):
                if (size := file.stat().st_size) != kept:
                    keep(file)
                    kept = size

    threading.Thread(target=work, name="matopt-spool", daemon=True).start()
