"""The energy distance between two samples of vectors, which is zero where both follow one distribution."""

from __future__ import annotations

import torch


def distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Compute the ``(N, M)`` Euclidean distances between vectors ``(N, F)`` and ``(M, F)``."""
    # Through a matrix product, which is the default, small distances drown in rounding.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def mean_distance(a: torch.Tensor) -> torch.Tensor:
    """Compute the mean Euclidean distance between two different vectors of ``a`` ``(N, F)``."""
    return torch.nn.functional.pdist(a).mean()


def energy_distance(a: torch.Tensor, b: torch.Tensor, within_b: torch.Tensor | None = None) -> torch.Tensor:
    """Estimate the energy distance ``2 E|a - b| - E|a - a'| - E|b - b'|`` of two samples of vectors.

    Unbiased: a vector is never paired with itself, so that the expected value is zero where both samples follow one
    distribution, whatever their sizes, and positive elsewhere. A single estimate can fall slightly below zero.

    Args:
        a: ``(N, F)``, N at least 2.
        b: ``(M, F)``, M at least 2.
        within_b: the :func:`mean_distance` of ``b`` where it is known: the only term that takes long for many vectors.

    Source: Székely and Rizzo, J. Stat. Plan. Inference 143, 1249 (2013).
    """
    return 2 * distances(a, b).mean() - mean_distance(a) - (mean_distance(b) if within_b is None else within_b)
