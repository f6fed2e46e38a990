"""The parts of Ray that a launch cannot do without: the cluster's directory, and this machine's own node."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable

import ray
from ray._private import worker

from matopt.errors import KEPT
from matopt.study.cluster.last_words import LastWords

_EVERY = 1.0
_HEAD_EVERY, _HEAD_SECONDS = 5.0, 30.0
_STUCK_SECONDS = 8.0
_NAMES = {"gcs_server": "the directory of its cluster (gcs_server)", "raylet": "its node here (raylet)"}


class Parts:
    """Watches them, until it is closed.

    Args:
        address: ``host:port`` of the cluster's head; None where it was started by this process.
        before_end: called before the process is ended, where nothing else can end it any more.
    """

    def __init__(self, address: str | None, before_end: Callable[[], None]) -> None:
        self._head = None if address is None else _Head(address)
        self._every = _EVERY if address is None else _HEAD_EVERY
        self._looked = 0.0
        self._unwatch = threading.Event()
        self._words = LastWords(f"matopt: killed, or ended by Ray, whose node here is gone; {KEPT}")
        look = _dead_process if address is None else _Head(address).lost
        watch = (look, self._every, self._unwatch, self._words, before_end)
        threading.Thread(target=_end_when_stuck, args=watch, daemon=True).start()

    def lost(self) -> str:
        """Name what does not run any more; empty where all does. Looks once in a while only."""
        now = time.monotonic()
        if now - self._looked < self._every:
            return ""
        self._looked = now
        found = _dead_process() if self._head is None else self._head.lost() or _dead_node(self._head)
        if found:  # the launch will say so, but for what its end takes of Ray
            self._unwatch.set()
            self._words.say(f"matopt: {found}; {KEPT}")
        return found

    def rest(self) -> None:
        """Watch no longer: what ends now is meant to."""
        self._unwatch.set()

    def close(self) -> None:
        """Have nothing said any more, whatever ends this process."""
        self._unwatch.set()
        self._words.unsay()


class _Head:
    """The head of a cluster that was joined, as far as its port tells.

    Args:
        address: ``host:port``.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.silence = 0.0
        self._answered = time.monotonic()

    def lost(self) -> str:
        """Say that it has not answered for a while; empty where it has."""
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError:
            self.silence = time.monotonic() - self._answered
        else:
            self._answered, self.silence = time.monotonic(), 0.0
        # One that others watch may be back soon. Ray ends this process after a minute.
        is_lost = self.silence > _HEAD_SECONDS
        return f"Ray's head at {self.address} is gone: no answer for {self.silence:.0f} s" * is_lost


def _end_when_stuck(
    look: Callable[[], str],
    every: float,
    is_closed: threading.Event,
    words: LastWords,
    before_end: Callable[[], None],
) -> None:
    """End this process some time after something was lost that the launch did not notice.

    Whoever asks Ray for anything then, as Tune does for the resources of a cluster, waits in compiled code, where no
    signal and no exception reaches it, until Ray ends the process with a trace of its own.
    """
    since = None
    while not is_closed.wait(every):
        if not (lost := look()):
            since = None
        elif since is None:
            since = time.monotonic()
        elif time.monotonic() - since > _STUCK_SECONDS:
            words.say(f"matopt: {lost}; {KEPT}")
            try:
                before_end()
            finally:
                os._exit(1)


def _dead_node(head: _Head) -> str:
    if head.silence:
        return ""  # whose word it would be
    me = ray.get_runtime_context().get_node_id()
    is_alive = any(node["NodeID"] == me and node["Alive"] for node in ray.nodes())
    return "" if is_alive else f"this machine's node of the Ray cluster at {head.address} died"


def _dead_process() -> str:
    node = worker._global_node
    for kind, processes in node.all_processes.items() if node is not None else ():
        for started in processes:
            if kind in _NAMES and (code := started.process.poll()) is not None:
                how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
                return f"Ray is gone: {_NAMES[kind]} {how}"
    return ""
