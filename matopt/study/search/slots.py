"""The slots of a search, in each of which one trial runs after the other, and the time in which none does."""

from __future__ import annotations

import time


class Slots:
    """Counts what each trial costs beside its own seconds: until its process is there, and until its end is heard of.

    Args:
        count: how many trials run at once.
    """

    def __init__(self, count: int) -> None:
        self._free = [time.monotonic()] * count
        self._taken: dict[int, float] = {}

    def begin(self, number: int) -> None:
        """Hear that a trial takes a slot, of those that are free the one that was so first."""
        self._taken[number] = self._free.pop(0) if self._free else time.monotonic()

    def end(self, number: int, seconds: float) -> float:
        """Hear that a trial that took so many seconds has left; returns what its slot stood idle beside them."""
        now = time.monotonic()
        self._free.append(now)
        return max(0.0, now - self._taken.pop(number, now) - seconds)

    def close(self) -> float:
        """Hear that no more trials come; returns the seconds since the last one left."""
        return time.monotonic() - max(self._free) if self._free else 0.0
