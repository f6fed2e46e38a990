"""Densities and their labels as a convolutional predictor learns from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch

from matopt.predictors.convolutional.branches import Branches, Group
from matopt.predictors.convolutional.scoring import ScoringNetwork
from matopt.predictors.convolutional.symmetries import randomly_moved


class LabelledDensity:
    """Densities with the standard scores of their properties, and the errors of what networks say of them.

    Args:
        density: ``(N, 1, *S)``.
        scores: and the mask of those that are usable, ``(N, P, D)`` along each axis that may be known.
        pool: averages densities down to the resolution of the networks.
        exchanges: training exchanges axes where the value along the other one is known too.
    """

    def __init__(
        self,
        density: torch.Tensor,
        scores: tuple[torch.Tensor, torch.Tensor],
        pool: Callable[[torch.Tensor], torch.Tensor],
        exchanges: bool,
    ) -> None:
        self.density = density
        self._scores, self._usable = scores
        self._pool = pool
        edges = density.shape[2:]
        known = range(self._scores.shape[2] if exchanges else 1)
        self._axes = [axis for axis in known if edges[axis] == edges[0]]

    def begin(self, branches: Branches) -> None:
        """Set the linear part of each network, by all samples along each axis that is known."""
        for network, group in zip(branches.networks, branches.groups, strict=True):
            columns = list(group.columns)
            images = [self._pool(self.density.transpose(2, 2 + axis)) for axis in self._axes]
            scores, usable = (
                torch.cat([known[:, columns, axis] for axis in self._axes]) for known in (self._scores, self._usable)
            )
            cast(ScoringNetwork, network).begin(torch.cat(images), scores, usable)

    def error(self, branches: Branches) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute how far off all samples are, at usable values alone.

        Returns:
            The mean squared error of the scores, 0 without any; and R2 of each property, ``(P,)``, as
            :func:`matopt.stages.r2.r2` has it, NaN where no two values differ.
        """
        predicted = branches.mean(self._pool(self.density), turned=False)
        scores, usable = self._scores[..., 0], self._usable[..., 0]
        known = torch.where(usable, scores, torch.nan).double()
        total = (known - known.nanmean(0)).square().nansum(0)
        residual = (known - predicted).square().nansum(0)
        r2 = torch.where(total > 0, 1 - residual / total, torch.nan)
        return mean_square(predicted, scores, usable), r2

    def errors_when_moved(
        self, branches: Branches, rows: torch.Tensor, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Compute the same of ``rows``, for each group of properties moved at random by what its values allow.

        Returns:
            The terms of what is minimised, by name; "error" is that of the scores.
        """
        parts = []
        for network, group in zip(branches.networks, branches.groups, strict=True):
            axis = self._random_axis(group, len(rows), generator)
            images = randomly_moved(self.density[rows], group.symmetry, axis, generator)
            parts.append((network(self._pool(images)), *self._known(group, rows, axis)))
        return {"error": mean_square(*(torch.cat(part, 1) for part in zip(*parts, strict=True)))}

    def _random_axis(self, group: Group, n: int, generator: torch.Generator) -> torch.Tensor:
        """``(n,)`` an axis for each of n samples to be exchanged with the first, out of those that labels tell."""
        columns = list(group.columns)
        axes = [axis for axis in self._axes if axis == 0 or self._usable[:, columns, axis].any(0).all()]
        return torch.tensor(axes)[torch.randint(len(axes), (n,), generator=generator)]

    def _known(self, group: Group, rows: torch.Tensor, axis: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The scores of a group's properties along an axis of each of ``rows``, and which are usable."""
        columns = list(group.columns)
        scores, usable = (known[rows[:, None], columns, axis[:, None]] for known in (self._scores, self._usable))
        return scores, usable


def mean_square(predicted: torch.Tensor, scores: torch.Tensor, usable: torch.Tensor) -> torch.Tensor:
    """The mean squared difference where values are usable; 0 where none is."""
    difference = torch.where(usable, predicted - scores, 0)
    return difference.square().sum() / usable.sum().clamp_min(1)
