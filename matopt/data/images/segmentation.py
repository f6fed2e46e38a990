"""Segmentation: from grey levels to the two phases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from matopt.errors import InputError

PHASES = {"pore": 0, "grain": 1}

Side = Literal["above", "below"]
"""On which side of the threshold the grain is. Above, because in X-ray and electron images solids are the brighter."""


def to_phases(
    grey: np.ndarray,
    phases: Mapping[float | str, str] | None = None,
    threshold: float | Literal["otsu"] | None = None,
    grain: Side = "above",
) -> np.ndarray:
    """Segment an image into phases, uint8 of its shape: 1 = grain, 0 = pore.

    Args:
        grey: bool, integers or floats.
        phases: what each grey level is, ``{0: "pore", 255: "grain"}``; all levels must be named.
        threshold: levels above it are grain; "otsu" finds the one that separates the levels best (Otsu 1979).
        grain: the grain's side of the threshold. Without threshold and map, two levels alone are two phases,
            and the grain is the one on this side.

    Raises:
        InputError: levels that are not finite; more than two levels and no rule for them; levels that the map
            does not name; one phase alone.
    """
    if phases is not None and threshold is not None:
        raise InputError("`phases` and `threshold` are two ways to say one thing; leave one of them out")
    if grain not in ("above", "below"):
        raise InputError(f"grain is {grain!r}; it lies `above` or `below` the threshold")
    refuse_non_finite(grey)
    if phases is not None:
        solid = _by_map(grey, _levels_of_map(phases))
    else:
        solid = grey > resolve_threshold(grey, threshold)
        if grain == "below":
            np.logical_not(solid, out=solid)
    found = np.count_nonzero(solid)
    if found in (0, solid.size):
        raise InputError(f"all of it is {'grain' if found else 'pore'}; check the threshold or the phases")
    return solid.view(np.uint8)


def resolve_threshold(grey: np.ndarray, threshold: float | Literal["otsu"] | None) -> float:
    """Return the grey level that a threshold stands for; where it is None, the lower of exactly two levels.

    Raises:
        InputError: None for more or fewer levels than two, or neither a number nor "otsu".
    """
    if threshold is None:
        levels = grey_levels(grey, limit=2)
        if len(levels) == 1:
            raise InputError("it has a single grey level: there are no two phases in it")
        if len(levels) > 2:
            raise InputError("it has more than two grey levels; add the line `threshold: otsu`, or a number for otsu")
        return float(levels[0])
    if threshold == "otsu":
        return otsu(grey)
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        raise InputError(f"threshold is {threshold!r}; it is a grey level or `otsu`")
    return float(threshold)


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
        raise InputError(f"{nans} voxels are NaN and {infinite} infinite; fill or crop them away first")


def grey_levels(grey: np.ndarray, limit: int = 256) -> np.ndarray:
    """Find the grey levels that occur, sorted; more than ``limit`` of them, but not all, where there are so many."""
    if grey.dtype.kind in ("b", "u") and grey.dtype.itemsize <= 2:
        occurs = np.zeros(1 << 8 * grey.dtype.itemsize, bool)
        for part in grey:
            occurs[part.astype(np.intp)] = True
        return np.flatnonzero(occurs)
    levels = np.unique(grey[:1])
    for part in grey[1:]:
        if len(levels) > limit:
            break
        levels = np.union1d(levels, part)
    return levels


def _levels_of_map(phases: Mapping[float | str, str]) -> dict[float, int]:
    levels = {}
    for level, phase in phases.items():
        try:
            number = float(level)  # text too, as the keys of JSON are
        except (TypeError, ValueError):
            raise InputError(f"phases: {level!r} is not a grey level; write {{0: pore, 255: grain}}") from None
        if phase not in PHASES:
            raise InputError(f"phases: {phase!r} is not a phase; write pore or grain")
        levels[number] = PHASES[phase]
    return levels


def _by_map(grey: np.ndarray, levels: Mapping[float, int]) -> np.ndarray:
    solid = np.zeros(grey.shape, bool)
    named = 0
    for level, phase in levels.items():
        here = grey == level
        named += np.count_nonzero(here)
        if phase:
            solid |= here
    if named < grey.size:
        others = [f"{level:g}" for level in grey_levels(grey, limit=64) if float(level) not in levels]
        shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        raise InputError(
            f"{grey.size - named} voxels have grey levels that `phases` does not name: {shown or 'too many to list'}"
        )
    return solid
