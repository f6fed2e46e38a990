"""The ledger's file: an Optuna journal, one line of JSON an operation, that a crash or a bad disk may have damaged."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from matopt.atomic_write import atomic_write, unwritable
from matopt.buckets.copies import is_copy
from matopt.buckets.pages import Pages
from matopt.damaged import DamagedError
from matopt.errors import FailureError, InputError, warn


def open_journal(path: Path) -> JournalStorage:
    """Open a journal to read it."""
    return JournalStorage(JournalFile(path))


@contextmanager
def reading(path: Path) -> Generator[None]:
    """Say in one line what Optuna makes of a journal that holds what no writer wrote, which may be any exception.

    Raises:
        DamagedError: the journal is damaged.
        FailureError: it cannot be read, or whatever failure was raised within.
    """
    try:
        yield
    except (FailureError, InputError):
        raise
    except OSError as error:
        raise FailureError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        raise DamagedError(
            _damage(path, f"({type(error).__name__}: {(str(error).splitlines() or [''])[0]})")
        ) from error


def mend_journal(path: Path) -> None:
    """Cut off the end of a journal that a killed writer, or a power cut, left unfinished: it would spoil the next line.

    The trial that the last operation was about is run again. Of more than half a line a copy is kept, and that is said.

    Raises:
        DamagedError: there is a damaged line before a good one. What it said is not known, and those that follow build
            on it.
        FailureError: the file cannot be read or written.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise FailureError(f"{path} cannot be read: {error.strerror or error}") from error
    lines = io.BytesIO(content).readlines()
    good = [_is_operation(line) for line in lines]
    whole = good.index(False) if False in good else len(lines)
    if any(good[whole:]):
        raise DamagedError(_damage(path, f"in line {whole + 1} of {len(lines)}"))
    rest = b"".join(lines[whole:])
    if not rest:
        return
    if len(lines) - whole > 1 or rest.endswith(b"\n") or b"\0" in rest:
        with atomic_write(path.with_name(f"{path.name}.damaged")) as copy:
            copy.write_bytes(rest)
        warn(
            f"the last {len(rest)} bytes of {path} were damaged: they are in {path.name}.damaged now, and the search"
            " goes on from what is before them"
        )
    try:
        os.truncate(path, len(content) - len(rest))
    except OSError as error:
        raise unwritable(path, error) from error


class JournalFile(JournalFileBackend):
    """Optuna's journal file, written by one process: who holds the study's lease. So it takes no lock.

    Args:
        path: the file.
        check: called before anything is written; raises where this process may not.
    """

    def __init__(self, path: Path, check: Callable[[], None] = lambda: None) -> None:
        super().__init__(str(path))
        self._path = path
        self._check = check
        self._is_gathering = self._is_behind = False
        self._pages = Pages(path) if is_copy(path) else None
        self._failed: FailureError | None = None

    def pull(self) -> None:
        """Make the file what its bucket has, where the storage is one. To be called before anything is written.

        Raises:
            FailureError: the bucket cannot be had.
        """
        if self._pages is not None:
            self._pages.pull()
            self._path.touch()  # Optuna has made it, and reads it

    @contextmanager
    def together(self) -> Generator[None]:
        """Wait for the disk once, at the end, for all operations inside: it takes a disk longer than all the rest."""
        self._is_gathering = True
        try:
            yield
        finally:
            self._is_gathering = False
            if self._is_behind:
                self._append(b"")

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append operations, a line each, whole or not at all.

        Raises:
            FailureError: the disk does not take them, or the bucket, after which it is not asked again.
        """
        self._check()
        if self._failed is not None:
            raise self._failed
        self._append("".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode())

    def _append(self, text: bytes) -> None:
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                before = os.fstat(file).st_size
                try:
                    if (written := os.write(file, text)) < len(text):
                        os.write(file, text[written:])  # the disk is full: this says so
                    if not self._is_gathering:
                        os.fsync(file)
                    self._is_behind = self._is_gathering
                except OSError:
                    with suppress(OSError):
                        os.ftruncate(file, before)  # half a line would join with the next one and spoil both
                    raise
            finally:
                os.close(file)
        except OSError as error:
            raise unwritable(self._path, error) from error
        if self._pages is not None and not self._is_gathering:
            try:
                self._pages.push()
            except FailureError as error:  # what the file has more than the bucket is no part of the ledger
                self._failed = error
                raise


def _is_operation(line: bytes) -> bool:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return line.endswith(b"\n") and isinstance(found, dict) and "op_code" in found


def _damage(path: Path, where: str) -> str:
    return (
        f"{path} is damaged {where}; move it away, and the next launch begins the search anew: what its trials fitted"
        " and simulated is kept, and found again"
    )
