"""The problem that an optimiser solves: an objective over a design space, constrained to a trust region."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch

from matopt.design.spaces.base import Space
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.predictors.base import Predictor

MOVING, OPTIMUM, CONSTRAINED = "moving", "optimum", "constrained"
ENDINGS = (MOVING, OPTIMUM, CONSTRAINED)
"""How a design ended: out of steps; no shorter step raised the prediction; every step that did left the trust
region."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """M designs, evaluated.

    Attributes:
        x: ``(M, D)`` coordinates, projected to what the space allows.
        density: ``(M, 1, *S)`` what they stand for.
        value: ``(M,)`` the objective: the predicted property, SI.
        distance: ``(M,)`` distances from the authentic morphologies; NaN without a trust region.
        is_inside: ``(M,)`` bool, whether the trust region holds them.
        gradient: ``(M, D)`` of the objective with respect to ``x``; None where it was not asked for.
        ending: ``(M,)`` strings out of :data:`ENDINGS`; "moving" until an optimiser says otherwise.
    """

    x: torch.Tensor
    density: torch.Tensor
    value: torch.Tensor
    distance: torch.Tensor
    is_inside: torch.Tensor
    gradient: torch.Tensor | None
    ending: np.ndarray

    def updated(self, other: Candidates, chosen: torch.Tensor, rows: torch.Tensor | None = None) -> Candidates:
        """Put designs of ``other`` in the place of these; endings stay.

        Args:
            other: K designs.
            chosen: ``(K,)`` bool, which of them take the place of one of these.
            rows: ``(K,)`` the places; by default there is one of ``other`` for each of these.
        """
        rows = torch.arange(len(self.x), device=self.x.device) if rows is None else rows
        tensors = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "ending"}
        for name, mine in tensors.items():
            theirs = getattr(other, name)
            tensors[name] = None if mine is None or theirs is None else mine.index_put((rows[chosen],), theirs[chosen])
        return Candidates(**tensors, ending=self.ending)


class DesignProblem:
    """Raise a predicted property over the coordinates of N designs, each inside the trust region.

    A design whose start is further from the authentic morphologies than the region allows may not go further.

    Args:
        model: the predictor.
        column: of the property in what it predicts.
        space: what the designs vary in, started.
        start: ``(N, D)`` their first coordinates.
        region: the trust region; None where there is none.
        batch_size: designs evaluated at once.

    Attributes:
        space, start: as given.
    """

    def __init__(
        self,
        model: Predictor,
        column: int,
        space: Space,
        start: torch.Tensor,
        region: MorphologyTrustRegion | None,
        batch_size: int,
    ) -> None:
        self.space = space
        self.start = start
        self._model = model
        self._column = column
        self._region = region
        self._batch_size = batch_size
        self._limit = torch.full((len(start),), torch.inf, device=start.device)
        if region is not None:
            self._limit = self.evaluate(start).distance.clamp_min(region.limit)

    def evaluate(self, x: torch.Tensor, rows: torch.Tensor | None = None, with_gradient: bool = False) -> Candidates:
        """Project coordinates to what the space allows, and evaluate the designs that they stand for.

        Args:
            x: ``(M, D)`` coordinates.
            rows: ``(M,)`` the numbers of the designs that they belong to; by default they are one for each design.
            with_gradient: whether the gradient of the objective is wanted too.
        """
        rows = torch.arange(len(x), device=x.device) if rows is None else rows
        batches = zip(x.split(self._batch_size), rows.split(self._batch_size), strict=True)
        parts = [self._evaluated(*batch, with_gradient) for batch in batches]
        x, density, value, distance, gradient = map(torch.cat, zip(*parts, strict=True))
        is_inside = torch.full_like(rows, True, dtype=torch.bool)
        if self._region is not None:
            is_inside = distance <= self._limit[rows]
        ending = np.full(len(x), MOVING, "<U11")
        return Candidates(x, density, value, distance, is_inside, gradient if with_gradient else None, ending)

    def _evaluated(self, x: torch.Tensor, rows: torch.Tensor, with_gradient: bool) -> tuple[torch.Tensor, ...]:
        x = self.space.project(x.detach(), rows).requires_grad_(with_gradient)
        with torch.set_grad_enabled(with_gradient):
            density = self.space.density(x, rows)
            value = self._model.predict(density)[:, self._column]
        gradient = torch.autograd.grad(value.sum(), x)[0] if with_gradient else torch.zeros_like(x)
        density, value = density.detach(), value.detach()
        with torch.no_grad():
            distance = torch.full_like(value, torch.nan) if self._region is None else self._region.distance(density)
        return x.detach(), density, value, distance, gradient
