"""The process that holds a study, as its lease names it, and whether it is alive where that can be seen."""

from __future__ import annotations

import json
import os
import socket
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Holder:
    """A process that holds a study.

    Attributes:
        host: where it runs.
        pid: its number there.
        started: when it began, as the host counts; its number alone may be another process by now.
        machine: tells the host from others of its name, and from itself before it was booted.
        token: its very lease: the next one of the same process has another.
    """

    host: str
    pid: int
    started: str
    machine: str
    token: str

    def __str__(self) -> str:
        return f"{self.host} (process {self.pid})"

    @property
    def is_here(self) -> bool:
        """It runs, or ran, where this process does, so that its number can be looked up."""
        return self.host == socket.gethostname() and self.machine == _machine()

    @property
    def is_alive(self) -> bool:
        """The process is there, perhaps suspended. To be asked of one that is here."""
        return _started(self.pid) == self.started

    @property
    def is_suspended(self) -> bool:
        """The process was stopped (by Ctrl-Z, by ``kill -STOP``). To be asked of one that is here."""
        fields = _stat(self.pid)
        return fields is not None and fields[0] in "Tt"

    def to_json(self) -> str:
        """Write it as a lease holds it."""
        return json.dumps(asdict(self))

    @staticmethod
    def of_json(text: bytes) -> Holder | None:
        """Read it as a lease holds it; None where the text is damaged."""
        try:
            found = json.loads(text)
            kinds = {field: type(found[field]) for field in Holder.__dataclass_fields__}
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        if kinds.pop("pid") is not int or set(kinds.values()) != {str}:
            return None
        return Holder(**{field: found[field] for field in Holder.__dataclass_fields__})


@dataclass(frozen=True)
class FoundLease:
    """A lease as it was found: of two looks at one that nobody touched between them the results are equal.

    Attributes:
        content: what it says of its holder.
        touched: when it was touched last, in nanoseconds, by the clock of who stores it.
        version: what a bucket calls it.
    """

    content: bytes
    touched: int
    version: Any = None

    @property
    def holder(self) -> Holder | None:
        """Who holds it; None where it is damaged."""
        return Holder.of_json(self.content)


def this_process() -> Holder:
    """Name this process as the holder of a new lease."""
    return Holder(socket.gethostname(), os.getpid(), _started(os.getpid()) or "", _machine(), uuid.uuid4().hex)


def _machine() -> str:
    """Name this boot of this machine, and the space that its process numbers count in: a container has its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""  # a system without /proc, where the host's name has to do


def _started(pid: int) -> str | None:
    """Tell when a process started; None where it is dead."""
    if not Path("/proc/self/stat").exists():
        return _alive_elsewhere(pid)
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else fields[19]


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _alive_elsewhere(pid: int) -> str | None:
    """Tell whether a process is alive on systems without /proc, where its number has to do."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass
    return "alive"
