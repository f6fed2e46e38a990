"""The lease on a chore that one process at a time should do: a file that its holder keeps young."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

EXPIRY = 300.0
"""Seconds without a sign of its holder after which a lease is taken over."""

_RENEWAL = 10.0


@contextmanager
def lease(path: Path) -> Generator[Callable[[], None] | None]:
    """Hold a lease, and give what renews it; None where another process holds it, or where none can be had.

    It saves double work and keeps nothing else: made by an exclusive creation, which network folders have where they
    have no locks, but two processes may hold it where one was stopped for minutes.
    """
    token = uuid.uuid4().hex
    if not _take(path, token):
        yield None
        return
    renewed = time.monotonic()

    def renew() -> None:
        nonlocal renewed
        if time.monotonic() - renewed > _RENEWAL:
            renewed = time.monotonic()
            _quietly(lambda: os.utime(path))

    try:
        yield renew
    finally:
        if _quietly(path.read_text) == token:
            _quietly(path.unlink)


def _take(path: Path, token: str) -> bool:
    for _ in range(2):
        try:
            with path.open("x") as file:
                file.write(token)
            return True
        except FileExistsError:
            try:
                if time.time() - path.stat().st_mtime < EXPIRY:
                    return False
                # Renamed first: of two that find it expired, one only takes this very file away.
                grave = path.with_name(f"{path.name}.{token}")
                path.rename(grave)
                grave.unlink()
            except OSError:
                continue
        except OSError:  # a folder that this process may read only
            return False
    return False


def _quietly(act: Callable[[], object]) -> object:
    try:
        return act()
    except OSError:  # taken over
        return None
