"""Lengths as people write them."""

from __future__ import annotations

import math
import re
from numbers import Real

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
    elif isinstance(length, bool) or not isinstance(length, Real):
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


def voxel_edges(lengths: float | str, name: str = "voxel_size") -> tuple[float, ...]:
    """Convert the edge of a voxel, or its edges along each axis of space, to metres.

    Args:
        lengths: as for :func:`metres`; or two or three numbers and a unit, "20 x 5 x 5 um", axis 0 first.
        name: of the setting, for the error.

    Raises:
        InputError: as for :func:`metres`.
    """
    if not isinstance(lengths, str) or "x" not in lengths:
        return (metres(lengths, name),)
    match = re.fullmatch(r"((?:[^x]+x){1,2}[^x]*?[\d.])\s*([^\W\d_]+)\s*", lengths)
    if match is None:
        raise InputError(f"{name} {lengths!r} is not numbers with a unit; write it like '20 x 5 x 5 um'")
    return tuple(metres(f"{number} {match[2]}", name) for number in match[1].split("x"))


def length_text(*edges: float | None) -> str:
    """Write lengths in metres for people, as :func:`voxel_edges` reads them: ``20 x 5 x 5 um``.

    One of them, or equal ones, are one number; what is not known (None) is ``?``.
    """
    least = min(edge for edge in edges if edge is not None)
    unit = "nm" if least < 1e-8 else "um" if least < 1e-3 else "mm" if least < 1 else "m"
    words = ["?" if edge is None else f"{edge / UNITS[unit]:.6g}" for edge in edges]
    return f"{words[0] if len(set(words)) == 1 else ' x '.join(words)} {unit}"
