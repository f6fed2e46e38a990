"""Microstructures of wanted porosities, drawn from a generator."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment

SPARE = 3
"""Draws for each that is wanted, where a generator cannot be asked for a porosity."""


def nearest_in_porosity(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Give each of M porosities one of K draws, ``K >= M``, such that they differ least in total.

    Args:
        found: ``(K,)`` porosities of the draws.
        wanted: ``(M,)``.

    Returns:
        ``(M,)`` numbers of draws, each at most once.
    """
    cost = (wanted[:, None] - found[None, :]).abs().double().cpu().numpy()
    return torch.from_numpy(linear_sum_assignment(cost)[1]).to(found.device)


def porosities(density: torch.Tensor) -> torch.Tensor:
    """``(N,)`` pore fractions of densities ``(N, 1, *S)``, cut at one half."""
    return 1 - (density >= 0.5).flatten(1).float().mean(1)
