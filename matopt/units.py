"""Lengths as people write them."""

from __future__ import annotations

import math
import re

from matopt.errors import InputError

UNITS = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "\u00b5m": 1e-6, "\u03bcm": 1e-6, "nm": 1e-9}
"""Metres in each unit. The micro sign and the Greek letter mu are two characters that look alike."""

LARGEST_BARE_NUMBER = 1e-2
"""A voxel edge above this many metres is a number whose unit was forgotten."""


def metres(length: float | str, name: str = "voxel_size") -> float:
    """Convert a length, with or without a unit, to metres.

    Args:
        length: a number of metres, or a number and a unit: "5.345 um", "0.5 mm", "12 nm".
        name: of the setting, for the error.

    Raises:
        InputError: no number, no or another unit, not positive, or a bare number so large that its unit is missing.
    """
    if isinstance(length, str):
        match = re.fullmatch(r"\s*([-+\d.eE]+?)\s*([^\W\d_]+)\s*", length)
        if match is None or match[2] not in UNITS:
            raise InputError(
                f"{name} {length!r} is not a number with a unit; write it like '5.345 um', '0.5 mm', '12 nm'"
            )
        try:
            value = float(match[1]) * UNITS[match[2]]
        except ValueError:
            raise InputError(f"{name} {length!r}: {match[1]!r} is not a number") from None
    elif isinstance(length, bool) or not isinstance(length, (int, float)):
        raise InputError(f"{name} is {length!r}; write a length like '5.345 um'")
    else:
        value = float(length)
        if value > LARGEST_BARE_NUMBER:
            raise InputError(
                f"{name} {length} without a unit means metres; write '{length} um' if you mean micrometres"
            )
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} must be a positive length, not {length!r}")
    return value
