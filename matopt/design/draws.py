"""Microstructures of wanted porosities, drawn from a generator."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment

from matopt.generators.base import Generator, PorosityGenerator

SPARE = 3
"""Draws for each that is wanted, where a generator cannot be asked for a porosity."""


def drawn(generator: Generator, porosity: torch.Tensor, seed: int, spare: int = SPARE) -> torch.Tensor:
    """Draw densities ``(M, 1, *S)`` of porosities ``(M,)``: exactly so of a generator that can be asked for them, else
    those of ``spare`` times as many that come nearest."""
    if isinstance(generator, PorosityGenerator):
        inside = porosity.clamp(1e-3, 1 - 1e-3)  # none is asked for nothing but one phase
        return generator.sample(len(porosity), seed, porosity=inside)
    found = generator.sample(spare * len(porosity), seed)
    return found[nearest_in_porosity(porosities(found), porosity.to(found.device))]


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
