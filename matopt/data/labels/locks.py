"""Locks on names, which processes that share a folder use to divide work between them."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType


class ByteLocks:
    """Locks on single bytes of a shared file, one byte a name.

    The byte's offset follows from the name. The kernel releases a lock when its process ends, however it ends, so that
    none is left behind. Threads of one process do not exclude each other. Locks only save work: where the file system
    has none every name can be acquired by everyone, and results stay right.

    Args:
        path: the shared file; made if absent, never written to.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:
            if not path.exists():
                raise
            with tempfile.TemporaryFile() as alone:  # another user's, shared with nobody: names cannot be locked
                self._file = os.dup(alone.fileno())

    def __enter__(self) -> ByteLocks:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        os.close(self._file)

    def acquire(self, name: str) -> bool:
        """Try to lock ``name`` (hexadecimal digits), without waiting.

        Returns:
            False where another process has locked it.
        """
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(name))
        except (BlockingIOError, PermissionError):  # POSIX allows either for a byte that another process holds
            return False
        except OSError:  # a file system without locks
            return True
        return True

    def release(self, names: Iterable[str]) -> None:
        """Unlock names that were acquired."""
        for name in names:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _offset(name))
            except OSError:  # a file system without locks
                return


def _offset(name: str) -> int:
    return int(name[:15], 16)  # 60 bits: within a file offset, and two names of one study never meet
