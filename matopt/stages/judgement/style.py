"""The distance of styles between sets of microstructures, single voxels included."""

from __future__ import annotations

import numpy as np
import torch

from matopt.descriptors.energy_distance import distances
from matopt.descriptors.patterns import PatternRoots
from matopt.descriptors.style import StyleFeatures
from matopt.descriptors.style_blocks import FilterGrams, SegmentStatistics

OTHER_FILTERS = 1
"""Seed of the random filters: others than those that a generator may have been trained by."""


def judging_features(train: torch.Tensor) -> StyleFeatures:
    """Make the style features that samples are judged by, standardised by ``train`` ``(L, 1, *S)``, binary."""
    dimensions = train.ndim - 2
    blocks = [FilterGrams(dimensions, seed=OTHER_FILTERS), SegmentStatistics(dimensions), PatternRoots(train)]
    return StyleFeatures(train, blocks)


class StyleSpace:
    """The style vectors of an authentic pool, with all distances between them.

    Args:
        train: ``(L, 1, *S)`` binary densities that standardise the vectors.
        pool: ``(M, 1, *S)`` binary densities of the authentic pool.
    """

    def __init__(self, train: torch.Tensor, pool: torch.Tensor) -> None:
        self._features = judging_features(train)
        self._pool = self._features.of_many(pool)
        self._within = distances(self._pool, self._pool).cpu().numpy()

    def authentic(self, first: np.ndarray, second: np.ndarray) -> float:
        """Compute the energy distance between two sets of the pool, by their numbers ``(m,)``."""
        return _energy(self._within, self._within, self._within, first, second)

    def place(self, density: torch.Tensor) -> PlacedSamples:
        """Map binary samples ``(N, 1, *S)`` to where they lie among the pool."""
        styles = self._features.of_many(density)
        within, across = distances(styles, styles), distances(styles, self._pool)
        return PlacedSamples(within.cpu().numpy(), across.cpu().numpy(), self._within)


class PlacedSamples:
    """N samples in the style space of an authentic pool.

    Args:
        within: ``(N, N)`` distances between samples.
        across: ``(N, M)`` distances from the pool.
        authentic: ``(M, M)`` distances within the pool.
    """

    def __init__(self, within: np.ndarray, across: np.ndarray, authentic: np.ndarray) -> None:
        self._within, self._across, self._authentic = within, across, authentic

    def distance(self, samples: np.ndarray, authentic: np.ndarray) -> float:
        """Compute the energy distance between some samples and some of the pool, by their numbers ``(m,)``."""
        return _energy(self._within, self._authentic, self._across, samples, authentic)

    @property
    def spread(self) -> float:
        """The mean distance between two samples over that between two of the pool: 1 where they are as diverse."""
        return _mean_pair(self._within) / _mean_pair(self._authentic)


def _energy(aa: np.ndarray, bb: np.ndarray, ab: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """See :func:`matopt.descriptors.energy_distance.energy_distance`."""
    return float(2 * ab[np.ix_(a, b)].mean()) - _mean_pair(aa[np.ix_(a, a)]) - _mean_pair(bb[np.ix_(b, b)])


def _mean_pair(distances: np.ndarray) -> float:
    count = len(distances)
    return float(distances.sum(dtype=np.float64) / (count * (count - 1)))
