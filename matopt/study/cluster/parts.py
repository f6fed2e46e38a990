"""The parts of Ray that a launch cannot do without: the cluster's directory, and this machine's own node."""

from __future__ import annotations

import socket
import time

import ray
from ray._private import worker

_EVERY = 1.0
_HEAD_EVERY, _HEAD_SECONDS = 5.0, 30.0
_NAMES = {"gcs_server": "the directory of its cluster (gcs_server)", "raylet": "its node here (raylet)"}


class Parts:
    """Watches them.

    Args:
        address: ``host:port`` of the cluster's head; None where it was started by this process.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._looked = 0.0
        self._answered = time.monotonic()

    def lost(self) -> str:
        """Name what does not run any more; empty where all does. Looks once in a while only."""
        now = time.monotonic()
        if now - self._looked < (_EVERY if self._address is None else _HEAD_EVERY):
            return ""
        self._looked = now
        return _dead_process() if self._address is None else self._lost_head(self._address)

    def _lost_head(self, address: str) -> str:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError:
            # A head that others watch may be back soon. Ray ends this process after a minute.
            silence = time.monotonic() - self._answered
            return f"Ray's head at {address} is gone: no answer for {silence:.0f} s" * (silence > _HEAD_SECONDS)
        self._answered = time.monotonic()
        me = ray.get_runtime_context().get_node_id()
        is_alive = any(node["NodeID"] == me and node["Alive"] for node in ray.nodes())
        return "" if is_alive else f"this machine's node of the Ray cluster at {address} died"


def _dead_process() -> str:
    node = worker._global_node
    for kind, processes in node.all_processes.items() if node is not None else ():
        for started in processes:
            if kind in _NAMES and (code := started.process.poll()) is not None:
                how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
                return f"Ray is gone: {_NAMES[kind]} {how}"
    return ""
