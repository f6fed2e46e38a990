"""How much memory this machine has."""

from __future__ import annotations

import os
from pathlib import Path

GIB = 1 << 30

_LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_memory() -> int:
    """Return the bytes of memory that processes here may have: the machine's, or the limit of their container."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if _LIMIT.is_file() and (text := _LIMIT.read_text().strip()).isdigit():
        memory = min(memory, int(text))
    return memory
