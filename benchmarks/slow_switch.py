"""A switch between hosts that are namespaces, which delays and loses what it passes on.

Usage: python benchmarks/slow_switch.py DELAY LOSS NAMESPACE ...: seconds, a probability, and the namespaces, each of
which gets a device ``eth0``. It is in user space, as many kernels come without `netem`. Ends when it is ended.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import selectors
import struct
import sys
import time
from pathlib import Path

_TUNSETIFF, _TAP, _NO_HEADER = 0x400454CA, 0x0002, 0x1000
_FRAME = 65536


def tap(namespace: str) -> int:
    """Open the other end of a new device ``eth0`` of a namespace."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(Path("/run/netns") / namespace, os.O_RDONLY)
    _enter(there)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", b"eth0", _TAP | _NO_HEADER))
    _enter(home)
    return device


def run(ports: list[int], delay: float, loss: float) -> None:
    """Pass frames on, to the port that their receiver was last heard at, or to all."""
    heard: dict[bytes, int] = {}
    waiting: list[tuple[float, int, bytes, int]] = []  # when, a number that keeps the order, what, where from
    count = 0
    with selectors.DefaultSelector() as selector:
        for port in ports:
            selector.register(port, selectors.EVENT_READ)
        while True:
            ready = selector.select(max(waiting[0][0] - time.monotonic(), 0) if waiting else None)
            for key, _ in ready:
                frame = os.read(key.fd, _FRAME)
                if random.random() >= loss:
                    count += 1
                    heapq.heappush(waiting, (time.monotonic() + delay, count, frame, key.fd))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, frame, source = heapq.heappop(waiting)
                heard[frame[6:12]] = source
                known = heard.get(frame[:6])
                for port in [port for port in ports if port != source] if known is None else [known]:
                    try:
                        os.write(port, frame)
                    except OSError:  # its host is not up yet, or its queue is full: lost, as on a wire
                        continue


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0):
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":
    devices = [tap(name) for name in sys.argv[3:]]
    print("ready", flush=True)
    run(devices, float(sys.argv[1]), float(sys.argv[2]))
