"""The file of a study's lease: who holds the study, and when that was last heard of. See :mod:`matopt.study.lease`."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from matopt.atomic_write import sync_folder, unwritable, write_out
from matopt.buckets.copies import is_copy
from matopt.errors import FailureError
from matopt.study.holder import FoundLease, Holder
from matopt.study.layout import Layout
from matopt.study.lease_object import bucket_time, read_object

STALE_SECONDS = 180.0
"""Seconds without a heartbeat, by the file server's clock, after which a lease may be taken over from another host."""

_CLAIM_SECONDS = 10.0
"""Seconds after which a claim, which takes milliseconds, was left by a process that was killed."""


@dataclass(frozen=True)
class LeaseStatus:
    """What a lease says to others.

    Attributes:
        holder: who holds it; None where the file is damaged.
        heard: seconds since its last heartbeat.
        is_held: the holder is alive, as far as can be told from here.
    """

    holder: Holder | None
    heard: float
    is_held: bool

    def __str__(self) -> str:
        return f"{self.holder or 'a host unknown, as launch.lease is damaged'}, heard of {ago(self.heard)}"


def lease_status(layout: Layout) -> LeaseStatus | None:
    """Look who holds a study; None where nobody does. Any host may ask, and asking takes no time.

    Raises:
        FailureError: the folder cannot be read.
    """
    found = read_lease(layout)
    if found is None:
        return None
    heard = folder_time(layout.folder) - found.touched / 1e9
    is_held = found.holder.is_alive if found.holder is not None and found.holder.is_here else heard < STALE_SECONDS
    return LeaseStatus(found.holder, max(0.0, heard), is_held)


def ago(seconds: float) -> str:
    """Say how long ago something was."""
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"


def read_lease(layout: Layout) -> FoundLease | None:
    """Read the lease; None where there is none. Opening it, unlike a look at its status, asks the file server."""
    if is_copy(layout.lease):
        return read_object(layout)
    try:
        with layout.lease.open("rb") as file:
            return FoundLease(file.read(), os.fstat(file.fileno()).st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FailureError(f"{layout.lease} cannot be read: {error.strerror or error}") from error


def folder_time(folder: Path) -> float:
    """Read the clock that times the files of ``folder``; this host's where the folder cannot be written to."""
    if is_copy(folder):
        return bucket_time(folder)
    probe = folder / f".now-{uuid.uuid4().hex}"
    try:
        file = os.open(probe, os.O_WRONLY | os.O_CREAT, 0o666)
    except OSError:
        return time.time()
    try:
        os.utime(file)
        return os.fstat(file).st_mtime
    finally:
        os.close(file)
        probe.unlink(missing_ok=True)


class LeaseFile:
    """The lease that a process holds, or is to hold, as a file.

    Args:
        layout: of the study.
        me: the process.

    Raises:
        FailureError: the folder cannot be written to.
    """

    is_sure = False
    """That nobody can have taken it over since it was last read."""

    def __init__(self, layout: Layout, me: Holder) -> None:
        self._layout = layout
        self._me = me
        self._draft = layout.lease.with_name(f".{layout.lease.name}.{me.token}")
        try:
            self._file = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            raise unwritable(layout.lease, error) from error
        try:
            os.write(self._file, me.to_json().encode())
            write_out(self._draft)
        except OSError as error:
            self.remove()
            self.close()
            raise unwritable(layout.lease, error) from error

    def replace(self, silent: FoundLease | None) -> bool:
        """Put it in the place of nobody's, or of the one that was found silent and still is.

        Raises:
            FailureError: the folder cannot be written to.
        """
        with claim(self._layout):
            if read_lease(self._layout) != silent:
                return False
            try:
                os.utime(self._file)
                self._draft.replace(self._layout.lease)
            except OSError as error:
                raise unwritable(self._layout.lease, error) from error
        sync_folder(self._layout.folder)
        return True

    def touch(self) -> None:
        """Touch it by its open file: that of another one, which took its place, is out of reach."""
        with suppress(OSError):  # a disk that fails is told by who writes to it
            os.utime(self._file)

    def remove(self) -> None:
        """Remove it if it is still this process's. On a disk that fails now it stays, and its process is found dead."""
        with suppress(FailureError, OSError), claim(self._layout):
            found = read_lease(self._layout)
            if found is not None and found.holder == self._me:
                self._layout.lease.unlink()
        with suppress(OSError):
            self._draft.unlink(missing_ok=True)

    def close(self) -> None:
        """Close its file."""
        os.close(self._file)


@contextmanager
def claim(layout: Layout) -> Generator[None]:
    """Be the only one who replaces or removes the lease, for milliseconds.

    Raises:
        FailureError: the folder cannot be written to.
    """
    path = layout.lease.with_name(f".{layout.lease.name}.claim")
    seen: tuple[int, int] | None = None
    since = time.monotonic()
    while True:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            break
        except FileExistsError:
            with suppress(FileNotFoundError):
                status = path.stat()
                if seen != (now := (status.st_ino, status.st_mtime_ns)):
                    seen, since = now, time.monotonic()
                elif time.monotonic() - since > _CLAIM_SECONDS:
                    path.unlink()
            time.sleep(0.02)
        except OSError as error:
            raise unwritable(layout.lease, error) from error
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
