"""The statistics that two sets of microstructures are compared by, each with the distances that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from matopt.descriptors.chords import chord_lengths, mean_chord_length
from matopt.descriptors.cluster_function import two_point_cluster
from matopt.descriptors.clusters import connected_clusters
from matopt.descriptors.correlation import radial_correlation
from matopt.descriptors.euler import euler_number
from matopt.descriptors.lineal_path import lineal_path
from matopt.descriptors.phases import volume_fraction
from matopt.descriptors.pore_size import pore_size_distribution
from matopt.descriptors.surface import specific_surface
from matopt.stages.judgement.distances import error_of_mean, error_of_spread, pooled_wasserstein, wasserstein

BATCH = 256
"""How many microstructures are measured at once, which bounds the memory."""

Distance = Callable[[np.ndarray, np.ndarray], float]
"""Compares two sets by their rows ``(m, ...)`` of one statistic."""


@dataclass(frozen=True)
class Statistic:
    """What is measured of each microstructure, and how two sets of such measurements are compared.

    Attributes:
        measure: maps binary densities ``(N, 1, *S)`` to ``(N, ...)``, of each by itself.
        distances: by name.
    """

    measure: Callable[[torch.Tensor], torch.Tensor]
    distances: Mapping[str, Distance]

    def of(self, density: torch.Tensor) -> np.ndarray:
        """Measure any number of microstructures, in bounded memory."""
        parts = [self.measure(part) for part in density.split(BATCH)]
        return torch.cat(parts).to("cpu", torch.float64).numpy()


def _chord_counts(density: torch.Tensor) -> torch.Tensor:
    """Count the pore chords of 1, 2, ... voxels along each axis, ``(N, d, bins)``, for each voxel; longer ones last."""
    share = chord_lengths(density, min(density.shape[2:]) // 2)
    share = torch.cat([share, (1 - share.sum(2, keepdim=True)).clamp(min=0)], dim=2)
    return share * (volume_fraction(density)[:, None] / mean_chord_length(density))[:, :, None]


def _third(density: torch.Tensor) -> int:
    return min(density.shape[2:]) // 3


STATISTICS = (
    Statistic(volume_fraction, {"porosity": wasserstein}),
    Statistic(lambda x: specific_surface(x, voxel_size=1.0), {"specific_surface": wasserstein}),
    Statistic(euler_number, {"euler_number": wasserstein}),
    Statistic(lambda x: connected_clusters(x).count, {"pores": wasserstein}),
    Statistic(lambda x: connected_clusters(x).small_count, {"small_pores": wasserstein}),
    Statistic(lambda x: pore_size_distribution(x, min(x.shape[2:]) // 4), {"pore_sizes": pooled_wasserstein}),
    Statistic(_chord_counts, {"chords": pooled_wasserstein}),
    Statistic(lambda x: radial_correlation(x, _third(x))[1], {"s2": error_of_mean, "s2_spread": error_of_spread}),
    Statistic(
        lambda x: lineal_path(x, _third(x)), {"lineal_path": error_of_mean, "lineal_path_spread": error_of_spread}
    ),
    Statistic(
        lambda x: two_point_cluster(x, _third(x)),
        {"cluster_function": error_of_mean, "cluster_function_spread": error_of_spread},
    ),
)
"""All by which geometry is judged; lengths in voxels. Curves reach to a third of the shortest edge."""

TEN = (
    "porosity",
    "specific_surface",
    "euler_number",
    "pores",
    "small_pores",
    "pore_sizes",
    "chords",
    "s2",
    "lineal_path",
    "cluster_function",
)
"""The ten distances of geometry by which generators are compared: one a statistic, without the spreads of curves."""
