"""A study's working copy, where its storage is a bucket: brought up to date before it is read or written.

Who launches a study writes here and there; who reads it from beside, on the same host, must not touch its files.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from matopt.buckets.address import make_copy
from matopt.buckets.copies import fetch, follow, forget, is_copy
from matopt.buckets.pages import Pages
from matopt.study.layout import Layout


def refresh(layout: Layout) -> None:
    """Bring the copy of a study up to date, unless a launch or another reader on this host is at it.

    Raises:
        FailureError: the bucket cannot be had, or the copy not be written.
    """
    if is_copy(layout.folder):
        with _locked(layout, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_mine:
            if is_mine:
                _pull(layout)


@contextmanager
def launched_copy(layout: Layout) -> Generator[None]:
    """Bring the copy of a study up to date, and keep it from those who read it while it is launched.

    Raises:
        FailureError: as :func:`refresh`.
    """
    if not is_copy(layout.folder):
        yield
        return
    with _locked(layout, fcntl.LOCK_EX):  # behind a reader, for a moment
        for path in _pull(layout):
            if path.is_relative_to(layout.scratch):  # of a launch that was killed
                forget(path)
        yield


@contextmanager
def _locked(layout: Layout, how: int) -> Generator[bool]:
    make_copy(layout.folder)
    file = os.open(layout.folder / ".copy.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            yield False
            return
        except OSError:  # a file system without locks
            pass
        yield True
    finally:
        os.close(file)


def _pull(layout: Layout) -> set[Path]:
    """Copy what the bucket has of a study; returns all that it has of it."""
    pages = layout.journal.with_name(f"{layout.journal.name}.pages")
    replaced = {layout.config, layout.state}  # several times a second, perhaps by what is as long

    def is_wanted(path: Path) -> bool:
        elsewhere = path.is_relative_to(pages) or path.is_relative_to(layout.scratch)
        return not elsewhere and path not in {layout.lease, *replaced}

    there = follow(layout.folder, is_wanted)
    for path in replaced:
        if path not in there or not fetch(path):
            path.unlink(missing_ok=True)
    Pages(layout.journal).pull()
    return there
