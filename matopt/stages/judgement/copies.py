"""Copies of the training set among samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from matopt.predictors.convolutional.symmetries import moved
from matopt.properties import Symmetry

QUANTILE = 0.05
"""Of authentic microstructures this share counts as near to the training set."""

RESAMPLES = 1000


@dataclass(frozen=True)
class Copies:
    """How many samples are as near to a training microstructure as few authentic ones are.

    Attributes:
        share: of the samples that are nearer than the 5 % quantile of authentic microstructures; .05 is expected.
        low, high: its 95 % interval, by bootstrap over the samples and over the groups of the authentic pool.
    """

    share: float
    low: float
    high: float

    @property
    def is_within(self) -> bool:
        """Whether the interval reaches down to the expected share: no more copies than chance makes."""
        return self.low <= QUANTILE


def nearest_training(density: torch.Tensor, train: torch.Tensor) -> np.ndarray:
    """Measure how far each microstructure is from the nearest of a training set, turned and mirrored in all ways.

    The distance is the share of voxels that differ over that which is expected of two independent microstructures of
    the same porosities: 0 for a copy, about 1 for strangers (one less Cohen's kappa).

    Args:
        density: ``(N, 1, *S)`` binary densities.
        train: ``(L, 1, *S)`` binary densities of the same shape.

    Returns:
        ``(N,)``.
    """
    flat = density.flatten(1)
    solid, train_solid = flat.mean(1)[:, None], train.flatten(1).mean(1)[None]
    expected = solid * (1 - train_solid) + train_solid * (1 - solid)
    nearest = torch.full((len(flat),), torch.inf, dtype=torch.float32, device=flat.device)
    edges = train.shape[2:]
    alike = Symmetry(alike=tuple(axis for axis, edge in enumerate(edges) if edges.count(edge) > 1))
    for image in moved(train, alike):  # 8 ways of squares, 48 of cubes
        differing = solid + train_solid - 2 * flat @ image.flatten(1).T / flat.shape[1]
        distance = differing / expected.clamp(min=1 / flat.shape[1])
        nearest = torch.minimum(nearest, distance.amin(1))
    return nearest.cpu().numpy()


def count_copies(samples: np.ndarray, authentic: np.ndarray, groups: np.ndarray, seed: int) -> Copies:
    """Count the samples that are nearer to the training set than the 5 % quantile of authentic microstructures.

    Args:
        samples: ``(N,)`` distances from :func:`nearest_training`.
        authentic: ``(M,)`` those of the authentic pool.
        groups: ``(M,)`` the pool's groups.
        seed: of the bootstrap.
    """
    random = np.random.default_rng(seed)
    members = [authentic[groups == group] for group in np.unique(groups)]
    shares = []
    for _ in range(RESAMPLES):
        pool = np.concatenate([members[i] for i in random.integers(len(members), size=len(members))])
        drawn = samples[random.integers(len(samples), size=len(samples))]
        shares.append((drawn < np.quantile(pool, QUANTILE)).mean())
    low, high = np.quantile(shares, [0.025, 0.975])
    return Copies(float((samples < np.quantile(authentic, QUANTILE)).mean()), float(low), float(high))
