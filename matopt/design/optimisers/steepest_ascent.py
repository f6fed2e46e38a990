"""Steepest ascent with steps that are halved where they fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.problem import CONSTRAINED, MOVING, OPTIMUM, Candidates, DesignProblem
from matopt.errors import InputError

SHORTEST = 2.0**-5
"""A design whose step has been halved to this share of its first stops."""


@OPTIMISERS.register("steepest_ascent")
class SteepestAscent(Optimiser):
    """Steps along the gradient, of a length that is halved where they lower the prediction or leave the trust region.

    Each design has a step length of its own, so that predictions never fall and no design depends on another.

    Args:
        step_size: root mean square change of a coordinate in a first step; by default that of the space.
    """

    def __init__(self, step_size: float | None = None) -> None:
        if step_size is not None and not step_size > 0:
            raise InputError(f"step_size must be above 0, got {step_size}")
        self._step_size = step_size

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        """Yield the designs at their start, and then after each step. Nothing is random."""
        now = problem.evaluate(problem.start, with_gradient=True)
        first = (self._step_size or problem.space.step_size) * now.x.shape[1] ** 0.5
        length = torch.full_like(now.x[:, 0], first)
        yield now
        for _ in range(steps):
            rows = torch.from_numpy(np.flatnonzero(now.ending == MOVING)).to(now.x.device)
            if not len(rows):
                return
            assert now.gradient is not None
            step = length[rows, None] * _direction(now.gradient[rows])
            then = problem.evaluate(now.x[rows] + step, rows, with_gradient=True)
            rises = then.value > now.value[rows]
            is_better = rises & then.is_inside
            length[rows[~is_better]] /= 2
            stops = length[rows] <= SHORTEST * first
            ending = now.ending.copy()
            ending[rows[stops & rises].cpu().numpy()] = CONSTRAINED
            ending[rows[stops & ~rises].cpu().numpy()] = OPTIMUM
            now = replace(now.updated(then, is_better, rows), ending=ending)
            yield now


def _direction(gradient: torch.Tensor) -> torch.Tensor:
    """The directions of gradients ``(M, D)``; zeros where a gradient is zero."""
    # Scaled first: the squares of SI permeabilities underflow.
    gradient = gradient / gradient.abs().amax(1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    return gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)
