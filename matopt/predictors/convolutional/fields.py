"""Densities with the fields behind their labels, as a full-field predictor learns from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch

from matopt.predictors.convolutional.branches import Branches
from matopt.predictors.convolutional.labelled import LabelledDensity, mean_square
from matopt.predictors.convolutional.symmetries import randomly_moved
from matopt.predictors.convolutional.unet import UNet

OFFSET = 0.02
"""What is added to fields, whose mean is of order one, before their roots are compared: less is as good as none."""


class LabelledFields(LabelledDensity):
    """Densities with the scores of their properties, and with the fields whose means those are.

    Args:
        density, scores, pool, exchanges: see :class:`LabelledDensity`.
        fields: of each property ``(N, D, *S)`` along each axis that may be known, over its unit; None where there is
            none.
        is_relative: of each property, whether the fields of a sample are compared over their mean.
        weight: of the fields' error.
    """

    def __init__(
        self,
        density: torch.Tensor,
        scores: tuple[torch.Tensor, torch.Tensor],
        pool: Callable[[torch.Tensor], torch.Tensor],
        fields: list[torch.Tensor | None],
        is_relative: list[bool],
        weight: float,
    ) -> None:
        super().__init__(density, scores, pool, exchanges=True)
        self._fields = fields
        self._is_relative = is_relative
        self._weight = weight

    def errors_when_moved(
        self, branches: Branches, rows: torch.Tensor, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Compute the errors of scores and of fields, moved together; see :meth:`LabelledDensity.errors_when_moved`."""
        scored, of_fields = [], []
        for module, group in zip(branches.networks, branches.groups, strict=True):
            network, (column,) = cast(UNet, module), group.columns
            axis, true = self._random_axis(group, len(rows), generator), self._fields[column]
            together = [self.density[rows]] if true is None else [self.density[rows], true[rows, axis][:, None]]
            moved = self._pool(randomly_moved(torch.cat(together, 1), group.symmetry, axis, generator))
            field = network.field(moved[:, :1])
            scores, usable = self._known(group, rows, axis)
            scored.append((network.scores(field), scores, usable))
            if true is not None:
                of_fields.append(_difference(field, moved[:, 1:], usable[:, 0], self._is_relative[column]))
        error = mean_square(*(torch.cat(part, 1) for part in zip(*scored, strict=True)))
        return {"error": error} | ({"field": self._weight * torch.stack(of_fields).mean()} if of_fields else {})


def _difference(field: torch.Tensor, true: torch.Tensor, usable: torch.Tensor, is_relative: bool) -> torch.Tensor:
    """The mean squared difference of the roots of fields ``(N, 1, *S)``: bright places do not outweigh all others."""
    field, true = field[usable], true[usable]
    if not len(field):
        return true.sum()
    unit = true.mean(list(range(1, true.ndim)), keepdim=True) if is_relative else torch.ones_like(true[:1])
    return ((field / unit + OFFSET).sqrt() - (true / unit + OFFSET).sqrt()).square().mean()
