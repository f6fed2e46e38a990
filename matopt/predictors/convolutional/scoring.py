"""What a network of a convolutional predictor is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from matopt.predictors.convolutional.conductances import conductances

RIDGE = 0.01
"""Of the least squares that a network begins with: their sums of squares are of order one a sample."""


class ScoringNetwork(nn.Module, ABC):
    """Maps samples to the standard scores of one property or several.

    Args:
        dimensions: of samples, 2 or 3.
        sees_conductances: it is told :func:`conductances`.
    """

    def __init__(self, dimensions: int, sees_conductances: bool) -> None:
        super().__init__()
        self._sees_conductances = sees_conductances
        self.n_known = 1 + 2 * dimensions * sees_conductances

    @abstractmethod
    def forward(self, density: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to ``(N, outputs)`` scores.

        Args:
            density: of the samples.
            known: :meth:`known` of them, where it is at hand: it is the same of mirror images.
        """

    def known(self, density: torch.Tensor) -> torch.Tensor:
        """What is known of whole samples, ``(N, K)``: their solid fraction, and conductances if it sees them."""
        solid = 8 * density.flatten(1).mean(1, keepdim=True) - 4
        return torch.cat([solid, conductances(density) + 1], 1) if self._sees_conductances else solid

    @abstractmethod
    def begin(self, density: torch.Tensor, targets: torch.Tensor, usable: torch.Tensor) -> None:
        """Fit what can be fitted without training.

        Args:
            density: ``(N, 1, *S)``.
            targets: ``(N, outputs)`` scores.
            usable: which of them are known, of the same shape.
        """

    @abstractmethod
    def hidden(self) -> list[torch.Tensor]:
        """The weights between hidden layers."""


def linear_map(known: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights ``(K,)`` and the constant of the linear map from ``(N, K)`` to ``(N,)`` with the least squares.

    Args:
        known: of order one.
        targets: what is mapped to.
    """
    known = torch.cat([known, torch.ones_like(known[:, :1])], 1).double()
    squares = known.T @ known / len(known) + RIDGE * torch.eye(known.shape[1], dtype=known.dtype, device=known.device)
    found = torch.linalg.solve(squares, known.T @ targets.double() / len(known))
    return found[:-1], found[-1]
