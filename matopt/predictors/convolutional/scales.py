"""Standard scores of property values: what a network learns in place of SI values of any magnitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from matopt.errors import InputError
from matopt.properties import Property, PropertyTable


@dataclass(frozen=True, eq=False)
class Scales:
    """Mean and standard deviation of each property, which turn SI values into standard scores and back.

    Both are of the value, or of its logarithm where :attr:`Property.scale` is "log".

    Attributes:
        properties: the P columns.
        mean, deviation: ``(P,)`` of the usable training values on their scales.
    """

    properties: tuple[Property, ...]
    mean: torch.Tensor
    deviation: torch.Tensor

    @staticmethod
    def fitted(table: PropertyTable) -> Scales:
        """Take mean and deviation from the usable values of ``table``.

        Raises:
            InputError: fewer than two usable values of a property, or one on a log scale that is not positive.
        """
        moments = []
        for column, (p, usable) in enumerate(zip(table.properties, table.is_usable.T, strict=True)):
            if usable.sum() < 2:
                raise InputError(f"{p.name}: {usable.sum()} values with status ok, at least 2 are needed to learn it")
            values = p.on_scale(table.values[usable, column])
            # A property that never varies has no deviation to divide by.
            moments.append((values.mean(), values.std() or 1.0))
        mean, deviation = torch.tensor(np.array(moments), dtype=torch.float32).T
        return Scales(table.properties, mean.contiguous(), deviation.contiguous())

    def to(self, device: torch.device | str) -> Scales:
        """Copy the scales to ``device``."""
        return Scales(self.properties, self.mean.to(device), self.deviation.to(device))

    def to_scores(self, table: PropertyTable) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn values along each axis into standard scores ``(N, P, D)``, and say which of them are usable.

        Returns:
            The scores, 0 where not usable, and the mask ``(N, P, D)`` of those that are. Axis 0 of space is
            :attr:`PropertyTable.values`.
        """
        along = table.along
        is_usable = table.is_usable[..., None] & np.isfinite(along)
        scores = np.zeros(along.shape)
        for column, p in enumerate(self.properties):
            usable = is_usable[:, column]
            values = p.on_scale(along[:, column][usable])
            scores[:, column][usable] = (values - float(self.mean[column])) / float(self.deviation[column])
        device = self.mean.device
        return torch.from_numpy(scores).float().to(device), torch.from_numpy(is_usable).to(device)

    def to_values(self, scores: torch.Tensor) -> torch.Tensor:
        """Turn standard scores ``(N, P)`` into SI values ``(N, P)``; differentiable."""
        on_scales = self.mean.to(scores) + self.deviation.to(scores) * scores
        columns = [
            column.exp() if p.scale == "log" else column
            for p, column in zip(self.properties, on_scales.unbind(1), strict=True)
        ]
        return torch.stack(columns, dim=1)
