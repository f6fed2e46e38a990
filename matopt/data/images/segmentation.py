"""Segmentation: from grey levels to the two phases, and what lies outside the sample."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Literal

import numpy as np

from matopt.data.images.colours import colour_number, is_colour, refuse_mixed
from matopt.data.images.levels import Levels, levels_of
from matopt.errors import InputError
from matopt.microstructures import OUTSIDE

PHASES = {"pore": 0, "grain": 1}

_NUMBERS = {**PHASES, "outside": OUTSIDE}

Side = Literal["above", "below"]
"""On which side of the threshold the grain is. Above, because in X-ray and electron images solids are the brighter."""


def to_phases(
    grey: np.ndarray,
    phases: Mapping[float | str, str] | None = None,
    threshold: float | Literal["otsu"] | None = None,
    grain: Side = "above",
) -> np.ndarray:
    """Segment an image into phases, uint8 of its shape: 1 = grain, 0 = pore, 2 = outside the sample.

    Args:
        grey: bool, integers or floats.
        phases: what each grey level is, ``{0: "pore", 255: "grain"}``; all levels must be named. With a threshold, or
            where only two levels are left, ``{0: "outside"}`` alone.
        threshold: levels above it are grain; "otsu" finds the one that separates the levels best (Otsu 1979).
        grain: the grain's side of the threshold. Without threshold and map, two levels alone are two phases,
            and the grain is the one on this side.

    Raises:
        InputError: levels that are not finite; more than two levels and no rule for them; levels that the map
            does not name; one phase alone.
    """
    if grain not in ("above", "below"):
        raise InputError(f"grain is {grain!r}; it lies `above` or `below` the threshold")
    refuse_non_finite(grey)
    named = levels_of_map(phases) if phases is not None else {}
    if set(named.values()) - {OUTSIDE}:
        if threshold is not None:
            raise InputError("`phases` and `threshold` are two ways to say one thing; leave one of them out")
        found = _by_map(grey, named)
    else:
        found = _by_threshold(grey, threshold, grain, list(named))
    missing = [name for name, number in PHASES.items() if not (found == number).any()]
    if missing:
        rest = " or ".join(name for name, number in _NUMBERS.items() if name not in missing and (found == number).any())
        raise InputError(f"all of it is {rest}; check the threshold or the phases")
    return found


def _by_threshold(
    grey: np.ndarray, threshold: float | Literal["otsu"] | None, grain: Side, outside: list[float]
) -> np.ndarray:
    """Segment by a threshold what is of no level that lies outside."""
    if not outside:
        solid = grey > resolve_threshold(grey, threshold)
        if grain == "below":
            np.logical_not(solid, out=solid)
        return solid.view(np.uint8)
    inside = ~np.isin(grey, outside)
    if not inside.any():
        raise InputError("all of it is outside; check the phases")
    within = grey[inside][None]
    solid = within > resolve_threshold(within, threshold)
    found = np.full(grey.shape, OUTSIDE, np.uint8)
    found[inside] = (~solid if grain == "below" else solid)[0]
    return found


def resolve_threshold(grey: np.ndarray, threshold: float | Literal["otsu"] | None) -> float:
    """Return the grey level that a threshold stands for; where it is None, the lower of exactly two levels.

    Raises:
        InputError: None for more or fewer levels than two, or neither a number nor "otsu".
    """
    if threshold is None:
        levels = levels_of(grey)
        if levels.values is None or len(levels.values) != 2:
            raise InputError(no_rule(levels))
        return float(levels.values[0])
    if isinstance(threshold, str) and threshold == "otsu":
        return otsu(grey)
    if isinstance(threshold, bool) or not isinstance(threshold, Real):
        raise InputError(f"threshold is {threshold!r}; it is a grey level or `otsu`")
    return float(threshold)


def no_rule(levels: Levels) -> str:
    """Word what is missing where the levels alone do not tell the phases, as the reason of an error."""
    if levels.values is not None and len(levels.values) == 1:
        return "it has a single grey level: there are no two phases in it"
    if levels.are_few:
        guess = ", ".join(f"{level}: {phase}" for level, phase in levels.suggested_phases().items())
        return f"it has more than two grey levels, {levels.shares()}; say what each is, as `phases: {{{guess}}}`"
    if levels.are_labels:
        assert levels.values is not None
        zero = "; if 0 is pore and all else grain, add `threshold: 0`" if levels.values[0] == 0 else ""
        return (
            f"its {len(levels.values)} levels number regions (grain ids), they are no grey levels, and no threshold "
            f"makes two phases of them; make an image of 0 = pore and 1 = grain{zero}"
        )
    return "it has more than two grey levels; add the line `threshold: otsu`, or a number for otsu"


def otsu(grey: np.ndarray) -> float:
    """Compute Otsu's threshold: the level that leaves the least variance within the two classes (Otsu 1979).

    Raises:
        InputError: a single grey level.
    """
    from skimage.filters import threshold_otsu

    counts, levels = _histogram(grey)
    if np.count_nonzero(counts) == 1:
        raise InputError("it has a single grey level: there are no two phases in it")
    return float(threshold_otsu(hist=(counts, levels)))


def _histogram(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the voxels of each grey level if these are small whole numbers, else in 256 bins.

    Returns the counts, and the levels (the upper edges of the bins) from the lowest to the highest.

    Taken a slice at a time: a histogram of the whole would need several times the memory of the image.
    """
    if grey.dtype.kind in ("b", "u") and grey.dtype.itemsize <= 2:
        counts = np.zeros(1 << 8 * grey.dtype.itemsize, np.int64)
        for part in grey:
            counts += np.bincount(part.ravel(), minlength=len(counts))
        occurring = np.flatnonzero(counts)
        levels = np.arange(occurring[0], occurring[-1] + 1)
        return counts[levels], levels
    bounds = float(grey.min()), float(grey.max())
    edges = np.histogram_bin_edges(grey[:1], 256, bounds)
    counts = np.zeros(len(edges) - 1, np.int64)
    for part in grey:
        counts += np.histogram(part, edges)[0]
    return counts, edges[1:]  # a bin's upper edge, so that a threshold parts whole bins


def refuse_non_finite(grey: np.ndarray) -> None:
    """Raise an InputError that counts the NaN and the infinite levels, if there are any."""
    if grey.dtype.kind != "f":
        return
    nans = infinite = 0
    for part in grey:  # a slice at a time: a mask of the whole would be as large as an image of bytes
        nans += np.count_nonzero(np.isnan(part))
        infinite += np.count_nonzero(np.isinf(part))
    if nans or infinite:
        raise InputError(
            f"voxels without a level: {nans} NaN, {infinite} infinite; crop them away, or fill them with a level of "
            "their own and say that it is `outside`"
        )


def levels_of_map(phases: Mapping[float | str, str]) -> dict[float, int]:
    """Read what each grey level or colour is: 0 = pore, 1 = grain, 2 = outside.

    Raises:
        InputError: a key that is neither, or a value that is none of these words.
    """
    refuse_mixed(phases)
    levels: dict[float, int] = {}
    for level, phase in phases.items():
        try:  # text too, as the keys of JSON are
            number = float(colour_number(str(level).strip()) if is_colour(level) else level)
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise InputError(f"phases: {error}") from None
            raise InputError(f"phases: {level!r} is not a grey level; write {{0: pore, 255: grain}}") from None
        if phase not in _NUMBERS:
            raise InputError(f"phases: {phase!r} is not a phase; write pore or grain, or outside for what is neither")
        if levels.get(number, _NUMBERS[phase]) != _NUMBERS[phase]:
            raise InputError(f"phases: {level} is named twice, as two phases")
        levels[number] = _NUMBERS[phase]
    if not levels:
        raise InputError("phases names no level; write {0: pore, 255: grain}")
    return levels


def _by_map(grey: np.ndarray, levels: Mapping[float, int]) -> np.ndarray:
    found = np.zeros(grey.shape, np.uint8)
    named = 0
    for level, phase in levels.items():
        here = grey == level
        named += np.count_nonzero(here)
        if phase:
            found[here] = phase
    if named < grey.size:
        held = levels_of(grey)
        others = [] if held.values is None else [v for v in held.values if float(v) not in levels]
        shown = ", ".join(f"{level:g}" for level in others[:5]) + (", ..." if len(others) > 5 else "")
        raise InputError(
            f"{grey.size - named} voxels have grey levels that `phases` does not name: {shown or 'too many to list'}"
        )
    return found


def rule_text(phases: Mapping[float | str, str]) -> str:
    """Put a map of phases in words."""
    return ", ".join(f"{level} is {phase}" for level, phase in phases.items())
