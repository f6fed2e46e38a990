"""Where a study rests on disk, and the lock that keeps two launches of it apart."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matopt.data.replacing import replacing
from matopt.errors import FailureError


@dataclass(frozen=True)
class Layout:
    """The folders of one study under a storage folder, which all studies and all nodes share.

    Attributes:
        storage: the storage folder, absolute.
        name: the study's name.
    """

    storage: Path
    name: str

    @property
    def labels(self) -> Path:
        """What the simulators computed, for all studies."""
        return self.storage / "labels"

    @property
    def artifacts(self) -> Path:
        """What the stages made, for all studies."""
        return self.storage / "artifacts"

    @property
    def folder(self) -> Path:
        """The study's own folder."""
        return self.storage / "studies" / self.name

    @property
    def config(self) -> Path:
        """The configuration of the last launch, JSON."""
        return self.folder / "study.json"

    @property
    def journal(self) -> Path:
        """The ledger of the trials."""
        return self.folder / "trials.journal"

    @property
    def spool(self) -> Path:
        """Tracking events that wait for their delivery."""
        return self.folder / "spool"

    @property
    def state(self) -> Path:
        """Stage, times and outcome of the last launch, JSON."""
        return self.folder / "state.json"

    @property
    def scratch(self) -> Path:
        """What the search's engine writes; deleted after each search."""
        return self.folder / "search"

    @property
    def report(self) -> Path:
        """The report's folder."""
        return self.folder / "report"

    @property
    def lock(self) -> Path:
        """Names the process that runs the study."""
        return self.folder / "launch.lock"

    def make(self) -> None:
        """Make the folders.

        Raises:
            FailureError: the storage folder cannot be written to.
        """
        try:
            for folder in (self.labels, self.artifacts, self.folder, self.spool):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FailureError(f"cannot write to {self.storage}: {error.strerror}; set 'storage' elsewhere") from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(value, indent=1))


def read_json(path: Path) -> Any:
    """The JSON value of a file, None where there is no file."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def launch_lock(layout: Layout) -> Generator[None]:
    """Hold the study, so that one process at a time launches it; the lock of a dead process is taken over.

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
    """The process on this host that runs the study; None where none does."""
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
    """When a process started; None where it is dead. Its number alone may be another process by now."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _alive_elsewhere(pid)
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _alive_elsewhere(pid: int) -> str | None:
    """The same on systems without /proc, where a process's number has to do."""
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "alive"
