"""The lock of a study, the only one: it keeps two launches apart.

Who holds it is the one writer of the ledger, of the study's state and of its spool, and has the one sender to MLflow.
(The label store has locks of its own, since all studies write to it at once; Optuna's journal file locks itself.)
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from matopt.errors import FailureError
from matopt.study.layout import Layout, read_json


@contextmanager
def launch_lock(layout: Layout) -> Generator[None]:
    """Hold a study, so that one process at a time launches it; the lock of a dead process is taken over.

    Raises:
        FailureError: another process runs the study, or did on another host.
    """
    me = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
    mine = layout.lock.with_name(f".{layout.lock.name}.{uuid.uuid4().hex}")
    mine.write_text(json.dumps(me))
    try:
        while True:
            try:
                os.link(mine, layout.lock)  # unlike a rename, fails where the lock is held, on a network folder too
                break
            except FileExistsError:
                _take_over(layout)
    finally:
        mine.unlink(missing_ok=True)
    try:
        yield
    finally:
        if read_json(layout.lock) == me:
            layout.lock.unlink(missing_ok=True)


def lock_owner(layout: Layout) -> int | None:
    """Look up the process on this host that launches the study; None where none does."""
    owner = read_json(layout.lock)
    if owner is None or owner["host"] != socket.gethostname() or _started(owner["pid"]) != owner["started"]:
        return None
    return owner["pid"]


def _take_over(layout: Layout) -> None:
    owner = read_json(layout.lock)
    if owner is None:
        return
    if owner["host"] != socket.gethostname():
        raise FailureError(
            f"study {layout.name!r} is launched on {owner['host']} (process {owner['pid']}); "
            f"if that host is gone, delete {layout.lock}"
        )
    if lock_owner(layout) is not None:
        raise FailureError(f"study {layout.name!r} is running already, as process {owner['pid']}")
    # Renamed first: of two that find the same dead owner, one only removes this very file.
    grave = layout.lock.with_name(f".{layout.lock.name}.{uuid.uuid4().hex}")
    try:
        layout.lock.rename(grave)
    except FileNotFoundError:
        return
    if read_json(grave) != owner:
        grave.rename(layout.lock)  # it was a new owner's
    else:
        grave.unlink()


def _started(pid: int) -> str | None:
    """Tell when a process started; None where it is dead. Its number alone may be another process by now."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _alive_elsewhere(pid)
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _alive_elsewhere(pid: int) -> str | None:
    """Tell whether a process is alive on systems without /proc, where its number has to do."""
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "alive"
