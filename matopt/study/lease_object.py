"""A study's lease in a bucket: an object, which is replaced on the condition that it is the one that was read.

No claim beside it is needed, and no heartbeat of a holder that was taken over can bring its lease back. It is never
deleted, as deletions know no conditions: where nobody holds the study it is empty.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from pathlib import Path

from matopt.buckets.address import Place, place_of
from matopt.buckets.bucket import Bucket, Version, bucket_at
from matopt.errors import FailureError
from matopt.study.holder import FoundLease, Holder
from matopt.study.layout import Layout

_SURE_SECONDS = 10.0
"""Seconds since a heartbeat for which nobody can have taken the lease over, as that takes watching it for longer."""


def read_object(layout: Layout) -> FoundLease | None:
    """Read the lease; None where nobody holds the study.

    Raises:
        FailureError: the store cannot be had.
    """
    bucket, place = _of(layout)
    found = bucket.get(place.key)
    if found is None or not found[0]:
        return None
    content, told = found
    return FoundLease(content.partition(b"\n")[0], int(told.modified * 1e9), told.version)


def bucket_time(folder: Path) -> float:
    """Read the clock of a bucket; this host's where it cannot be written to."""
    place = place_of(folder)
    assert place is not None
    bucket, key = bucket_at(place.bucket), f"{place.key}/.now-{uuid.uuid4().hex}"
    try:
        bucket.put(key, b"")
        looked = bucket.head(key)
        bucket.delete(key)
    except FailureError:
        return time.time()
    return time.time() if looked is None else looked.modified


class LeaseObject:
    """The lease that a process holds, or is to hold, as an object.

    Args:
        layout: of the study.
        me: the process.
    """

    def __init__(self, layout: Layout, me: Holder) -> None:
        self._bucket, self._place = _of(layout)
        self._me = me
        self._version: Version | None = None
        self._beats = 0
        self._confirmed = float("-inf")

    @property
    def is_sure(self) -> bool:
        """Nobody can have taken it over since its last heartbeat."""
        return _now() - self._confirmed < _SURE_SECONDS

    def replace(self, silent: FoundLease | None) -> bool:
        """Put it in the place of nobody's, or of the one that was found silent and still is.

        Raises:
            FailureError: the store cannot be had, or does not keep to conditions.
        """
        version = None if silent is None else silent.version
        if silent is None and (found := self._bucket.get(self._place.key)) is not None:
            if found[0]:
                return False
            version = found[1].version
        is_mine = self._put(version)
        if is_mine and self._bucket.put_if(self._place.key, self._content(), None) is not None:
            raise FailureError(
                f"{self._place.bucket} puts what should not be put (it knows no If-None-Match), so that two launches"
                " of a study could not be told apart; take a newer server, or another store"
            )
        return is_mine

    def touch(self) -> None:
        """Replace it by a younger one, if it is still this process's.

        Raises:
            FailureError: the store cannot be had.
        """
        if self._version is not None:
            self._put(self._version)

    def remove(self) -> None:
        """Empty it, if it is still this process's."""
        with suppress(FailureError):
            if self._version is not None:
                self._bucket.put_if(self._place.key, b"", self._version)

    def close(self) -> None:
        """Nothing of it is open."""

    def _put(self, version: Version | None) -> bool:
        now = _now()  # before: what is sure is sure from when it was asked for
        put = self._bucket.put_if(self._place.key, self._content(), version)
        self._beats += 1
        if put is None:
            self._confirmed = float("-inf")
            return False
        self._version, self._confirmed = put, now
        return True

    def _content(self) -> bytes:
        return f"{self._me.to_json()}\n{self._beats}".encode()


def _of(layout: Layout) -> tuple[Bucket, Place]:
    place = place_of(layout.lease)
    assert place is not None
    return bucket_at(place.bucket), place


def _now() -> float:
    """Count seconds, those too for which this host was suspended, where its system tells."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
