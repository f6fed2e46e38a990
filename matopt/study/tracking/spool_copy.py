"""The copy of a spool in a bucket: of what MLflow does not take, so that it outlives this host.

While MLflow takes all within a second nothing is copied. A launch elsewhere finds the copy, and sends what it holds.
A bucket that does not answer is told by who keeps results in it; here it is tried again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from matopt.buckets.copies import forget, is_copy, keep, listed
from matopt.errors import FailureError

_NOTES = (".delivered", ".new")


class SpoolCopy:
    """Keeps the files of a spool in the bucket of its study; does nothing where the storage is a folder.

    Args:
        spool: the spool folder of a study, for one tracking server.
    """

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._is_needed = is_copy(spool)
        self._kept: dict[Path, int] = {}

    def update(self) -> None:
        """Keep what is new. A note of what was delivered is left out: what is sent again doubles nothing."""
        if not self._is_needed:
            return
        for path in sorted(
            self._spool.rglob("*"), key=lambda path: path.suffix == ".jsonl"
        ):  # events after their files
            with suppress(FailureError, FileNotFoundError):
                size = path.stat().st_size
                if path.is_file() and path.suffix not in _NOTES and self._kept.get(path) != size:
                    keep(path)
                    self._kept[path] = size

    def forget(self, folder: Path) -> None:
        """Delete what was kept of a launch's folder."""
        if self._is_needed:
            with suppress(FailureError):
                for kept in listed(folder):
                    forget(kept.path)
