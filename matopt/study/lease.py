"""The lease of a study, the only one: it keeps two launches apart, on one host or on two.

Who holds it is the one writer of the ledger, of the study's state and of its spool, and has the one sender to MLflow.
(The label store has locks of its own, since all studies write to it at once; artifacts are named by their content.)

The lease is a file that names its holder. The holder touches it every few seconds: that is its heartbeat. On the
holder's own host the process is looked up, and a dead one's lease is taken over at once. From another host a lease is
stale when it has not been touched for minutes, by the clock of the file server: a file is touched beside it, and the
two times are compared. No host's own clock is asked. As some file systems (Lustre, Ceph) write their clients' times,
that is not believed alone: the lease is also watched, and whoever touches it meanwhile is alive.

It needs no hard links and no locks of the file system, but that a file can be made exclusively (``O_EXCL``), which
NFS since version 3 and every cluster's file system promise, and that a rename replaces a file at once. The lease is
replaced or removed by who has made a second file exclusively, the claim, which takes milliseconds.

A holder whose host was suspended may find another one in its place. Before each thing that it writes it reads the
lease (:meth:`Lease.check`), and its heartbeat reads it every few seconds and interrupts the launch. What is left is a
suspension between such a look and the write after it, which are microseconds apart, and each file is such that this
does no harm: the state is written whole, and anew within seconds; the ledger's lines are whole lines of a log made for
several writers; each process has a spool of its own, and a search a scratch folder of its own.

In a bucket the lease is an object, replaced on a condition (:mod:`matopt.study.lease_object`), and so are the pages of
the ledger (:mod:`matopt.buckets.pages`).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from matopt.buckets.copies import is_copy
from matopt.errors import FailureError, warn
from matopt.study import lease_file
from matopt.study.holder import FoundLease, this_process
from matopt.study.layout import Layout
from matopt.study.lease_file import LeaseFile, ago, folder_time, read_lease
from matopt.study.lease_object import LeaseObject

BEAT_SECONDS = 5.0
"""Seconds between two heartbeats."""

WATCH_SECONDS = 20.0
"""Seconds for which a lease is watched, too, before it is taken over from another host."""


class LeaseLost(FailureError):
    """This launch does not hold its study any more, and must not write another byte of it."""


class Lease:
    """The lease that this process holds; made by :func:`hold_lease`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._me = this_process()
        self._lost: LeaseLost | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="matopt-lease", daemon=True)
        self._interrupts = threading.current_thread() is threading.main_thread()
        self._held = LeaseObject(layout, self._me) if is_copy(layout.lease) else LeaseFile(layout, self._me)

    def check(self) -> None:
        """Make sure that this process still holds the study. To be called before anything of it is written.

        Raises:
            LeaseLost: another launch took it over, or its folder is gone.
            FailureError: the storage does not answer.
        """
        if self._lost is None and not self._held.is_sure:
            found = read_lease(self._layout)
            if found is None:
                self._lost = LeaseLost(
                    f"{self._layout.lease} is gone: the folder was removed, or another launch took the study over while"
                    " this one was suspended or cut off, and ended; this one stops, and writes nothing more"
                )
            elif found.holder != self._me:
                self._lost = LeaseLost(
                    f"study {self._layout.name!r} was taken over by {found.holder or 'another launch'} while this one"
                    " was suspended or cut off; this one stops, and writes nothing more"
                )
        if self._lost is not None:
            raise self._lost

    def take(self) -> None:
        """Get the lease, from nobody or from one that is dead or stale.

        Raises:
            FailureError: it is held, or the folder cannot be written to.
        """
        silent: FoundLease | None = None
        while not self._held.replace(silent):
            silent = _wait_for_silence(self._layout)
        self._thread.start()

    def give_back(self) -> None:
        """Stop the heartbeat, and remove the lease if it is still this process's."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(BEAT_SECONDS)
        self._held.remove()
        if not self._thread.is_alive():  # it hangs with its disk, and must not touch another file of this number
            self._held.close()

    @property
    def scratch(self) -> Path:
        """A folder for what this launch needs while it runs."""
        return self._layout.scratch / self._me.token

    @property
    def lost(self) -> LeaseLost | None:
        """How the lease was lost; None while nobody has found that it was."""
        return self._lost

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            if self._lost is not None:  # the launch has found out by itself
                return
            try:
                self._held.touch()
            except FailureError as error:  # a store that was waited for as long as the study says
                self._lost = LeaseLost(str(error))
            with suppress(FailureError, OSError):  # a disk that fails is told by who writes to it
                self.check()
            if self._lost is not None:
                self._interrupt()
                return

    def _interrupt(self) -> None:
        """Interrupt the launch, as Ctrl-C would, wherever it waits; :func:`hold_lease` says why."""
        for number in (signal.SIGINT, signal.SIGTERM):  # the first is ignored behind a shell's &
            if self._interrupts and not self._ended.is_set() and callable(signal.getsignal(number)):
                signal.pthread_kill(cast(int, threading.main_thread().ident), number)
                return


@contextmanager
def hold_lease(layout: Layout) -> Generator[Lease]:
    """Hold a study, so that one process at a time launches it.

    The lease of a dead process is taken over; so is that of another host which is not heard of, and that is said.

    Raises:
        FailureError: another process runs the study, or the folder cannot be written to.
        LeaseLost: at the end or before, where another launch has taken the study over.
    """
    lease = Lease(layout)
    try:
        lease.take()
        yield lease
    except KeyboardInterrupt:
        if lease.lost is not None:
            raise lease.lost from None
        raise
    finally:
        lease.give_back()


def _wait_for_silence(layout: Layout) -> FoundLease | None:
    """Find a lease that may be replaced, waiting for one of another host to be stale; None where there is none.

    Raises:
        FailureError: its holder is alive.
    """
    first, begun, is_told = read_lease(layout), time.monotonic(), False
    if first is None:
        return None
    holder = first.holder
    if holder is not None and holder.is_here:
        if not holder.is_alive:
            return first
        then = f"; it is suspended: `kill -CONT {holder.pid}` lets it go on" if holder.is_suspended else ""
        raise FailureError(f"study {layout.name!r} is running already, as process {holder.pid}{then}")
    while True:
        watched, silent = time.monotonic() - begun, folder_time(layout.folder) - first.touched / 1e9
        if watched >= WATCH_SECONDS and (silent >= lease_file.STALE_SECONDS or watched >= lease_file.STALE_SECONDS):
            whose = str(holder) if holder is not None else f"an unknown host ({layout.lease} is damaged)"
            warn(f"the launch on {whose} was last heard of {ago(max(silent, watched))}: its lease is taken over")
            return first
        if not is_told and watched > 2 * BEAT_SECONDS:
            left = max(WATCH_SECONDS - watched, lease_file.STALE_SECONDS - max(silent, watched))
            who = holder or f"an unknown host ({layout.lease} is damaged)"
            warn(f"study {layout.name!r} is held by {who}, which is silent; it is waited for, {left:.0f} s at most")
            is_told = True
        time.sleep(min(1.0, BEAT_SECONDS / 5))
        now = read_lease(layout)
        if now is None or now.content != first.content:
            return _wait_for_silence(layout)
        if now != first:
            where = f"on {holder}" if holder is not None else f"somewhere ({layout.lease} is damaged, and does not say)"
            raise FailureError(f"study {layout.name!r} is running already {where}, heard of just now")
