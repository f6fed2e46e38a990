"""Who is computing what, told between processes that share a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType


class Locks:
    """Names that this process works on, so that no other begins the same work.

    A claim is a lock on one byte of a shared file, at an offset that follows from the name. The kernel drops it when
    the process ends, however it ends, so there are no stale locks. Threads of one process do not exclude each other.
    Locks only save work: where the file system has no locks every claim is granted, and results stay right.

    Args:
        path: the shared file; made if absent, never written to.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)

    def __enter__(self) -> Locks:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        os.close(self._file)

    def take(self, name: str) -> bool:
        """Claim ``name`` (hexadecimal digits); False where another process has."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(name))
        except (BlockingIOError, PermissionError):  # POSIX allows either for a byte that another process holds
            return False
        except OSError:  # a file system without locks
            return True
        return True

    def drop(self, names: Iterable[str]) -> None:
        """Give locks back."""
        for name in names:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _offset(name))
            except OSError:  # a file system without locks
                return


def _offset(name: str) -> int:
    return int(name[:15], 16)  # 60 bits: within a file offset, and two names of one study never meet
