"""Which clusters of a phase reach across a sample, and what connects two voxels.

What flows or diffuses passes through faces: two pores, or two conducting grains, that share no more than an edge or a
corner are apart. What carries load holds together by nodes: two grains that share a corner are connected, as their
finite elements are. Such a contact is as stiff as voxels are large, so that a sample which hangs on it alone has a
modulus that falls as the grid gets finer; simulators say so (``YoungsModulus.notes``). Reports on files look at faces.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True, eq=False)
class Percolation:
    """The clusters that reach across the samples of a batch.

    Attributes:
        cluster: ``(N, *S)`` int32, the clusters that reach across the sample along any axis asked for, numbered from 1
            in each sample; 0 elsewhere.
        along: ``(N, d)`` bool, whether a cluster does along each axis.
    """

    cluster: np.ndarray
    along: np.ndarray

    @property
    def carrying(self) -> np.ndarray:
        """``(N, *S)`` bool, the voxels of these clusters."""
        return self.cluster > 0


def wrapping(phase: np.ndarray, corners: bool = False) -> Percolation:
    """Find the clusters of periodic samples that reach their own image in a neighbouring period.

    Args:
        phase: ``(N, *S)`` bool.
        corners: voxels that share an edge or a corner are connected too, as finite elements that share a node are.
    """
    return _each(phase, lambda sample: _wrapping(sample, corners))


def crossing(phase: np.ndarray) -> Percolation:
    """Find the clusters that touch both outer faces of axis 0; voxels that share a face are connected.

    Args:
        phase: ``(N, *S)`` bool.

    Returns:
        ``along`` is False for all axes but the first.
    """
    return _each(phase, _crossing)


def _each(phase: np.ndarray, find: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Percolation:
    """Find the clusters of each sample by itself."""
    cluster = np.zeros(phase.shape, np.int32)
    along = np.zeros((len(phase), phase.ndim - 1), bool)
    for i, sample in enumerate(phase):
        if sample.any():
            cluster[i], along[i] = find(sample)
    return Percolation(cluster, along)


def _crossing(sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that carry, and along which axes, in one sample; see :func:`crossing`."""
    labels, count = ndimage.label(sample)
    carries = np.zeros(count + 1, bool)
    carries[np.intersect1d(labels[0], labels[-1])] = True
    carries[0] = False
    along = np.zeros(sample.ndim, bool)
    along[0] = carries.any()
    return _numbered(carries)[labels], along


def _wrapping(sample: np.ndarray, corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that carry, and along which axes, in one sample; see :func:`wrapping`."""
    dimensions = sample.ndim
    if sample.all():
        return np.ones(sample.shape, np.int32), np.ones(dimensions, bool)
    structure = ndimage.generate_binary_structure(dimensions, dimensions if corners else 1)
    labels, count = ndimage.label(sample, structure)
    # Each label is connected inside the box, so it has one position among the periods, relative to its root's. An edge
    # that closes a loop with another sum of crossings than zero makes its cluster reach its own image.
    root = list(range(count + 1))
    position = [(0,) * dimensions] * (count + 1)
    wraps = [np.zeros(dimensions, bool) for _ in range(count + 1)]

    def find(label: int) -> tuple[int, tuple[int, ...]]:
        path = []
        while root[label] != label:
            path.append(label)
            label = root[label]
        total = (0,) * dimensions
        for node in reversed(path):
            total = tuple(a + b for a, b in zip(position[node], total, strict=True))
            root[node], position[node] = label, total
        return label, total

    for first, second, crossed in _boundary_pairs(labels, corners):
        (a, at), (b, bt) = find(first), find(second)
        offset = tuple(u + c - v for u, c, v in zip(at, crossed, bt, strict=True))
        if a == b:
            wraps[a] |= np.array(offset) != 0
        else:
            root[b], position[b] = a, offset
            wraps[a] |= wraps[b]
    roots = np.array([find(label)[0] for label in range(count + 1)])
    carries = np.array(wraps)
    carries[0] = False
    is_root = np.arange(count + 1) == roots
    number = _numbered(np.any(carries, axis=1) & is_root)
    return number[roots][labels], np.any(carries[is_root], axis=0)


def _numbered(chosen: np.ndarray) -> np.ndarray:
    """``(n,)`` int32, the chosen of n labels numbered from 1, 0 for the others."""
    return np.where(chosen, np.cumsum(chosen), 0).astype(np.int32)


def _boundary_pairs(labels: np.ndarray, corners: bool) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """The pairs of labels that touch across the periodic boundary, with the boundaries crossed from first to second."""
    dimensions, count = labels.ndim, int(labels.max()) + 1
    for step in itertools.product((-1, 0, 1), repeat=dimensions):
        if step <= (0,) * dimensions or (not corners and sum(map(abs, step)) > 1):
            continue  # one of each opposite pair of neighbours
        moving = [axis for axis in range(dimensions) if step[axis]]
        for wrapped in itertools.product((False, True), repeat=len(moving)):
            if not any(wrapped):
                continue
            here, there = [slice(None)] * dimensions, [slice(None)] * dimensions
            crossed = [0] * dimensions
            for axis, wraps in zip(moving, wrapped, strict=True):
                low, high = (slice(0, 1), slice(-1, None)) if wraps else (slice(1, None), slice(None, -1))
                here[axis], there[axis] = (high, low) if step[axis] > 0 else (low, high)
                crossed[axis] = step[axis] if wraps else 0
            first, second = labels[tuple(here)].ravel(), labels[tuple(there)].ravel()
            touch = (first > 0) & (second > 0)
            # As one number each, which sort much quicker than rows.
            pairs = np.unique(first[touch] * np.int64(count) + second[touch])
            for pair in pairs.tolist():
                yield *divmod(pair, count), tuple(crossed)
