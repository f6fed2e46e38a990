"""What the grey levels of an image are: two phases, a few classes, grain ids, or grey."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from skimage.measure import label

FEW = 12
"""So many levels, at most, are classes that someone made, not grey."""

THIN = 0.05
"""Levels that hold less than this share of the voxels together are edges between two others."""

LABELLED = 0.5
"""In an image of grain ids most voxels of a level have their like for a neighbour, and those at an edge any other. In
grey images few have, and those beside an edge are of a level nearby."""

STEP = 2
"""Neighbours of a smooth grey image differ by fewer levels."""

PIECES = 3
"""Into so few pieces a slice cuts the level of an id, at most, in the median; of grey images it is dozens."""

PATCH = 256
"""Edge of the part of a slice that is searched for pieces."""

MOST = 1 << 16
"""Different levels that are told apart."""

CHUNK = 1 << 22
"""Voxels that are counted at once."""

BEYOND = 1.15
"""Corners of a slice are what lies this many half axes from its middle: outside of a core that fills the slice."""


MIDDLE = 0.5
"""The middle of a slice is what lies within so many half axes."""

STRAY = 1e-3
"""The share of the middle that the level of the surroundings may hold."""


@dataclass(frozen=True, eq=False)
class Levels:
    """The grey levels of an image and how often each occurs.

    Attributes:
        grey: ``(rows, columns)`` or ``(slices, rows, columns)``.
        values: sorted; None where there are more than :data:`MOST` different ones.
        counts: of each value.
    """

    grey: np.ndarray
    values: np.ndarray | None
    counts: np.ndarray

    @cached_property
    def are_few(self) -> bool:
        """Whether there are more than two, and so few that somebody made them: each wants a phase."""
        return self.values is not None and 2 < len(self.values) <= FEW

    @cached_property
    def are_labels(self) -> bool:
        """Whether they number regions, as grain ids do: many whole numbers, each in whole patches or in few pieces."""
        if self.values is None or len(self.values) <= FEW or not (self.values == np.floor(self.values)).all():
            return False
        alike, step = _patches(self.grey)
        return step > STEP and (bool(np.median(alike) > LABELLED) or _pieces(self.grey) <= PIECES)

    @cached_property
    def corner(self) -> float | None:
        """The one level that fills the corners of every slice, if one does."""
        rows, columns = self.grey.shape[-2:]
        if min(rows, columns) < 16:
            return None
        y, x = (np.linspace(-1, 1, n) for n in (rows, columns))
        corners = self.grey[..., np.hypot(y[:, None], x) > BEYOND]
        first = corners.flat[0]
        return float(first) if (corners == first).all() else None

    @cached_property
    def surroundings(self) -> float | None:
        """The level of :attr:`corner` where it is hardly found in the middle of the slices, so is no phase's too."""
        if self.corner is None:
            return None
        rows, columns = self.grey.shape[-2:]
        y, x = (np.linspace(-1, 1, n) for n in (rows, columns))
        middle = self.grey[..., np.hypot(y[:, None], x) < MIDDLE]
        return _plain(self.corner) if np.mean(middle == self.corner) < STRAY else None

    def shares(self) -> str:
        """List each level with its share, for people: ``0 (45.2 %), 1 (12 %)``."""
        assert self.values is not None
        pairs = zip(self.values, self.counts / self.counts.sum(), strict=True)
        return ", ".join(f"{value:g} ({100 * share:.3g} %)" for value, share in pairs)

    def suggested_phases(self) -> Mapping[float | str, str]:
        """Guess what each of a few levels is.

        What fills the corners of every slice is outside. Where two levels hold nearly all the rest, the others are
        edges between them and go to the nearer one; else the lowest is pore and all above it grain.
        """
        assert self.values is not None
        outside = self.surroundings if self.are_few else None
        inside = self.values != outside
        values, shares = self.values[inside], self.counts[inside] / self.counts[inside].sum()
        main = np.sort(np.argsort(shares)[-2:])
        limit = values[main].mean() if shares[main].sum() > 1 - THIN else values[0]
        guess: dict[float | str, str] = {}
        for value in self.values:
            guess[_plain(value)] = "outside" if value == outside else "pore" if value <= limit else "grain"
        return guess


def _plain(level: float) -> float:
    """Write a whole number as an int, as people do."""
    return int(level) if float(level).is_integer() else float(level)


def levels_of(grey: np.ndarray) -> Levels:
    """Count the grey levels of an image, a few million voxels at a time."""
    flat = grey.reshape(-1)
    parts = [flat[i : i + CHUNK] for i in range(0, flat.size, CHUNK)]
    if grey.dtype.kind in ("b", "u", "i"):
        lowest = int(grey.min())
        if int(grey.max()) - lowest < CHUNK:
            counts = np.zeros(int(grey.max()) - lowest + 1, np.int64)
            for part in parts:
                counts += np.bincount(part.astype(np.int64) - lowest, minlength=len(counts))
            places = np.flatnonzero(counts)
            return Levels(grey, places + lowest, counts[places])
    values, counts = np.unique(parts[0][: 1 << 17], return_counts=True)
    if len(values) > MOST:
        return Levels(grey, None, counts)
    values, counts = values[:0], counts[:0]
    for part in parts:
        more, times = np.unique(part, return_counts=True)
        joined = np.union1d(values, more)
        total = np.zeros(len(joined), np.int64)
        total[np.searchsorted(joined, values)] += counts
        total[np.searchsorted(joined, more)] += times
        values, counts = joined, total
        if len(values) > MOST:
            return Levels(grey, None, counts)
    return Levels(grey, values, counts)


def _patches(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Compare the voxels of some slices with their neighbours.

    Returns the share of like neighbours along rows, for each level; and by how many places in the order of levels
    unlike neighbours differ, the mean of a level, the median of them: along the axis where they differ by more, as ids
    may follow one another along the other.
    """
    some = grey[:: max(1, len(grey) // 8)] if grey.ndim == 3 else grey
    places = np.unique(some, return_inverse=True)[1].reshape(some.shape)
    steps = []
    for axis in (-2, -1):
        first = np.take(places, range(places.shape[axis] - 1), axis).ravel()
        differences = np.abs(np.diff(places, axis=axis)).ravel()
        unlike = np.bincount(first, differences > 0)
        means = np.bincount(first, differences)[unlike > 0] / unlike[unlike > 0]
        steps.append(float(np.median(means)) if len(means) else 0.0)
    return 1 - unlike / np.maximum(np.bincount(first), 1), max(steps)


def _pieces(grey: np.ndarray) -> float:
    """Count the connected parts of each level in some slices; the median. Small ids have hardly a like neighbour.

    Infinite where most parts are single voxels, as in grey images of more levels than voxels.
    """
    counts, n_parts, n_voxels = [], 0, 0
    for image in grey[:: max(1, len(grey) // 4)] if grey.ndim == 3 else grey[None]:
        part = image[:PATCH, :PATCH]
        places = np.unique(part, return_inverse=True)[1].reshape(part.shape)
        parts = label(places + 1, connectivity=1)  # 0 is its background
        level = np.zeros(int(parts.max()) + 1, np.int64)
        level[parts.ravel()] = places.ravel()
        counts.append(np.bincount(level[1:]))
        n_parts, n_voxels = n_parts + len(level) - 1, n_voxels + part.size
    return float(np.median(np.concatenate(counts))) if 2 * n_parts < n_voxels else math.inf
