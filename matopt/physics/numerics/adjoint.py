"""Gives effective properties their adjoint gradient, which is known in closed form at the solution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.function import once_differentiable


class _KnownGradient(torch.autograd.Function):
    """Values whose backward pass multiplies by a sensitivity that was computed with them."""

    @staticmethod
    def forward(ctx: Any, density: torch.Tensor, values: torch.Tensor, sensitivity: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(sensitivity)
        return values.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (sensitivity,) = ctx.saved_tensors
        return gradients[0].view(-1, *[1] * (sensitivity.ndim - 1)) * sensitivity, None, None


def with_gradient(density: torch.Tensor, values: torch.Tensor, sensitivity: torch.Tensor) -> torch.Tensor:
    """Make ``values`` a function of ``density`` whose derivative is ``sensitivity``.

    The effective properties here are minima (or maxima) of an energy over the fields, so their derivative is the
    explicit one of the energy at the solution: the adjoint field is the forward one.

    Args:
        density: ``(N, 1, *S)``.
        values: ``(N,)``.
        sensitivity: ``(N, 1, *S)``, the derivative of each value with respect to its own sample.

    Returns:
        ``(N,)``, differentiable once.
    """
    return _KnownGradient.apply(density, values, sensitivity)


def derivative(values: Callable[[torch.Tensor], torch.Tensor], density: torch.Tensor) -> torch.Tensor:
    """The derivative ``(N, 1, *S)`` of each of the ``values`` of ``density`` with respect to its own sample."""
    if not len(density):
        return torch.zeros_like(density)
    with torch.inference_mode(False), torch.enable_grad():
        own = density.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(values(own).sum(), own)
    return slope
