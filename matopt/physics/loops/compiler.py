"""How loops are compiled."""

from __future__ import annotations

from numba import njit

compiled = njit(
    cache=True,
    nogil=True,
    error_model="numpy",
    # Sums may be reordered, so that vector units can be used; nothing is assumed of infinities or of what is no number.
    fastmath={"contract", "reassoc", "nsz", "arcp"},
)
"""Compiled for each type of arguments at the first call, and kept on disk for later processes.

A loop that calls another is in the same file: what is kept of it is made anew only when its own file changes.
"""
