"""Batches of linear systems, as Krylov methods see them."""

from __future__ import annotations

from typing import Protocol, Self

import torch

from matopt.errors import InputError

SMALLEST_TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}
"""Rounding hides smaller relative residuals."""


class Systems(Protocol):
    """B symmetric linear systems that are solved together, each by itself: the one notion of a system.

    How the vectors of the samples lie together is the method's matter: conjugate gradients take a row for each sample,
    conjugate residuals samples side by side in flat vectors. Either asks for a preconditioner besides.
    """

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply the systems by ``x``."""
        ...

    def select(self, samples: torch.Tensor, /) -> Self:
        """Keep the systems of some samples (indices), those that are not solved yet."""
        ...


def check_tolerance(rhs: torch.Tensor, tolerance: float) -> None:
    """Refuse a tolerance that the precision of ``rhs`` cannot reach.

    Raises:
        InputError: it cannot.
    """
    smallest = SMALLEST_TOLERANCE[rhs.dtype]
    if tolerance < smallest:
        raise InputError(
            f"a tolerance of {tolerance:g} is below what {rhs.dtype} resolves ({smallest:g}); "
            "use a larger tolerance or double precision"
        )
