"""Distances between two sets of measurements, one row a microstructure."""

from __future__ import annotations

import numpy as np


def wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the Wasserstein-1 distance of two samples ``(m,)`` of equal size, in their unit."""
    return float(np.abs(np.sort(a) - np.sort(b)).mean())


def pooled_wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the Wasserstein-1 distance of two histograms over 1, 2, ..., in bins, each summed over its set.

    Args:
        a: ``(m, ..., bins)`` counts; means are taken over the axes between.
        b: the same of the other set.

    Returns:
        Infinite where one set has nothing to count and the other has, as when a material has lost its pores.
    """
    first, second = a.sum(0), b.sum(0)
    totals = first.sum(-1, keepdims=True), second.sum(-1, keepdims=True)
    if ((totals[0] == 0) != (totals[1] == 0)).any():
        return float("inf")
    shares = [counts / np.where(total > 0, total, 1.0) for counts, total in zip((first, second), totals, strict=True)]
    return float(np.abs(np.cumsum(shares[0] - shares[1], axis=-1)).sum(-1).mean())


def error_of_mean(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the relative L2 error of the mean curve of ``a`` ``(m, ...)`` against that of ``b``."""
    return _relative_error(a.mean(0), b.mean(0))


def error_of_spread(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the relative L2 error of the curve of standard deviations of ``a`` ``(m, ...)`` against that of ``b``."""
    return _relative_error(a.std(0), b.std(0))


def _relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """Infinite where ``b`` is zero and ``a`` is not."""
    error, size = float(np.linalg.norm(a - b)), float(np.linalg.norm(b))
    return error / size if size > 0 else (float("inf") if error > 0 else 0.0)
