"""What the C library keeps of memory that is freed, and how it is had back; glibc's alone is looked after."""

from __future__ import annotations

import ctypes
import sys

import torch


def give_back() -> None:
    """Have all that is free given back to the system, also what lies between blocks that are in use.

    What a solve allocates before its large vectors is rarely found again by them.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None:
        trim(0)


def fill_slivers() -> None:
    """Have the memory of large blocks joined again when it is freed.

    Each block that torch aligns leaves slivers beside it. Up to seven of a size, which are taken here, glibc keeps for
    small blocks, and joins nothing across them; the hole between them is too small for the next block of the same size,
    which takes fresh memory.
    """
    blocks = [torch.empty(size, dtype=torch.uint8) for size in (24, 40, 56, 72, 88) for _ in range(8)]
    del blocks
