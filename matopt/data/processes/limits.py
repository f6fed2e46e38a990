"""The limits within which a setting of a process model makes sense."""

from __future__ import annotations

from matopt.errors import InputError
from matopt.units import metres

VOXELS = 2.0
"""Voxels that a length must hold at least, for its shapes to be seen."""


def within(name: str, value: float, low: float, high: float) -> float:
    """Return ``value`` as a float if it lies between two limits or on one of them.

    Raises:
        InputError: it does not, or is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"{name} must lie between {low:g} and {high:g}, not {value!r}")
    return float(value)


def resolved(name: str, length: float | str, voxel_size: float) -> float:
    """Convert a length to metres if voxels of ``voxel_size`` can show it.

    Raises:
        InputError: it is no length, or shorter than two voxels.
    """
    value = metres(length, name)
    if value < VOXELS * voxel_size:
        raise InputError(f"{name} {length} is less than {VOXELS:g} voxels of {voxel_size:g} m; make the voxels smaller")
    return value
