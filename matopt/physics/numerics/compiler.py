"""Compiles loops for the processor, by Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

SETTINGS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    # Sums may be reordered, so that vector units can be used; nothing is assumed of infinities or of what is no number.
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function, for each type of arguments at the first call, and keep it on disk for later processes.

    Where no folder can be written to, each process compiles for itself. A function that calls another must be in the
    same file: what is kept of it is compiled anew only when its own file changes.
    """
    try:
        return njit(cache=True, **SETTINGS)(function)
    except RuntimeError:
        return njit(**SETTINGS)(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function as a part of the loops that call it."""
    return njit(forceinline=True, **SETTINGS)(function)
