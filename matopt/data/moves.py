"""Moves: small changes of a microstructure, of zeros and ones before and after, in place.

Places go on across the border of the sample, as on a torus. What is drawn follows from the random generator alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

BLOCK = 6
"""Largest edge in voxels of a block that is turned, where nothing else is asked for."""

PART = 0.5
"""Largest edge of a box within which a phase grows, over the edge of the sample, where nothing else is asked for."""

Move = Callable[[np.ndarray, np.random.Generator], None]
"""Changes the phases ``S`` of one sample in place."""


def turn_block(phases: np.ndarray, random: np.random.Generator, largest: int = BLOCK) -> None:
    """Turn a block of voxels into one phase, centred where the phases meet."""
    phase = _phase_to_gain(phases, random)
    size = np.minimum(random.integers(1, largest, endpoint=True), phases.shape)
    border = rim(phases, phase)
    centre = random.choice(np.argwhere(border if border.any() else phases != phase))
    phases[_box(phases.shape, centre, size)] = phase


def grow(phases: np.ndarray, random: np.random.Generator, part: float = PART) -> None:
    """Grow one phase by a voxel within a box; a sample of one phase is left as it is."""
    phase = _phase_to_gain(phases, random)
    border = rim(phases, phase)
    if not border.any():
        return
    largest = [max(1, round(part * edge)) for edge in phases.shape]
    size = np.array([random.integers(max(1, edge // 4), edge, endpoint=True) for edge in largest])
    box = _box(phases.shape, random.choice(np.argwhere(border)), size)
    phases[box] = np.where(border[box], phase, phases[box])


def exchange(phases: np.ndarray, random: np.random.Generator) -> None:
    """Move solid from one place to another: every voxel count stays as it is, exactly.

    A block is turned, or a phase grows; then as many voxels become the other phase around another place, a compact
    group or a layer as the first change was. Where that is not possible, as in a sample of one phase, nothing changes.
    """
    before = phases.copy()
    is_layer = random.random() < 0.5
    (grow if is_layer else turn_block)(phases, random)
    gained = int(phases.sum(dtype=np.int64)) - int(before.sum(dtype=np.int64))
    phase = int(gained < 0)
    while missing := abs(int(phases.sum(dtype=np.int64)) - int(before.sum(dtype=np.int64))):
        free = (phases == before) & (phases != phase)
        layer = free & rim(phases, phase)
        candidates = layer if is_layer and layer.any() else free
        if not candidates.any():
            phases[...] = before
            return
        centre = random.choice(np.argwhere(layer if layer.any() else candidates))
        distance = _distance(phases.shape, centre) + random.random(phases.shape)
        order = np.argsort(np.where(candidates, distance, np.inf), axis=None)
        np.put(phases, order[: min(missing, int(candidates.sum()))], phase)


def rim(phases: np.ndarray, phase: int) -> np.ndarray:
    """``S`` bool: voxels of the other phase that touch ``phase``, by a face, an edge or a corner."""
    other = phases != phase
    return other & ndimage.maximum_filter(~other, size=3, mode="wrap")


def _phase_to_gain(phases: np.ndarray, random: np.random.Generator) -> int:
    phase = int(random.integers(2))
    return 1 - phase if (phases == phase).all() else phase


def _box(shape: tuple[int, ...], centre: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, ...]:
    first = centre - size // 2
    return np.ix_(*[(f + np.arange(s)) % edge for f, s, edge in zip(first, size, shape, strict=True)])


def _distance(shape: tuple[int, ...], centre: np.ndarray) -> np.ndarray:
    """Largest difference of coordinates from ``centre``, ``S``, on the torus."""
    apart = [
        np.abs((np.arange(edge) - c + edge // 2) % edge - edge // 2) for edge, c in zip(shape, centre, strict=True)
    ]
    return np.max(np.stack(np.meshgrid(*apart, indexing="ij")), axis=0)
