"""Reclaims freed memory that the C library keeps; only glibc's is looked after."""

from __future__ import annotations

import ctypes
import sys

import torch


def reclaim() -> None:
    """Return all free memory to the system, also what lies between blocks that are in use.

    What a solve allocates before its large vectors is rarely found again by them.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None:
        trim(0)


def fill_slivers() -> None:
    """Fill glibc's caches of small blocks, so that neighbouring free blocks are joined into large ones again.

    Each block that torch aligns leaves slivers beside it. glibc keeps up to seven of a size for small blocks, and joins
    nothing across them; the hole between them is then too small for the next block of the same size, which takes fresh
    memory. What is allocated here takes those slivers.
    """
    blocks = [torch.empty(size, dtype=torch.uint8) for size in (24, 40, 56, 72, 88) for _ in range(8)]
    del blocks
