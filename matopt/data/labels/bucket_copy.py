"""A label store's working copy, where the store is a bucket's: what others wrote is copied, and what they merged goes.

A label's file is put into the bucket before it appears here, so that what is listed there is all there is: of what is
here alone, the rows are in a file that is listed. (Images are written there and not copied back: no look-up reads any.)
"""

from __future__ import annotations

import time
from pathlib import Path

from matopt.buckets.copies import fetch_all, is_copy, listed
from matopt.data.labels.folders import RUN, index_of, labels_folder
from matopt.data.labels.parquet_parts import list_parts

_EVERY = 1.0
"""Seconds between two looks at a bucket, for who asks more often."""


class BucketCopy:
    """Keeps the labels here as the bucket has them; does nothing where the store is a folder.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._is_needed = is_copy(root)
        self._looked = -_EVERY

    def refresh(self) -> None:
        """Copy what is new, and delete what was merged, unless that was done within a second.

        Raises:
            FailureError: the store cannot be had.
        """
        if not self._is_needed or time.monotonic() - self._looked < _EVERY:
            return
        folder = labels_folder(self._root)
        here = set(list_parts(folder))  # before what is there: a file that appears meanwhile is let alone
        there = {kept.path for kept in listed(folder) if kept.path.suffix == ".parquet"}
        new = there - here
        fetch_all(index_of(path) for path in new if path.name.startswith(RUN))  # first: a run without one is no run
        fetch_all(new)
        for path in here - there:
            path.unlink(missing_ok=True)
            index_of(path).unlink(missing_ok=True)
        self._looked = time.monotonic()
